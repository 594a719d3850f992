package main

import (
	"castellan/internal/client"
	"castellan/internal/server"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
)

// Variables of commands that call the API.
const (
	serverEnv = client.ServerEnv
	keyEnv    = client.KeyEnv
	userEnv   = client.UserEnv
	tokenEnv  = client.TokenEnv
)

// issuerOf returns the URL of the system that the environment describes; given says whether it
// says anything about it.
func issuerOf(environ map[string]string) (issuer string, given bool, err error) {
	c := server.Defaults()
	values, names := make(map[string]string), make(map[string]string)
	for _, key := range []string{"externalSecure", "externalDomain", "externalPort"} {
		x, _ := findSetting(func(x setting) bool { return x.key == key })
		if environ[x.env] != "" {
			values[x.env], names[key] = environ[x.env], x.env
		}
	}
	if faults := applyValues(&c, values, names); len(faults) > 0 {
		return "", false, terminal.Usage(configError(faults))
	}
	return systemuser.Issuer(c.ExternalSecure, c.ExternalDomain, c.ExternalPort), len(values) > 0, nil
}
