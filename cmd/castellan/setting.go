package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"castellan/internal/server"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
)

// setting is one field of server.Config under the names operators know it by.
type setting struct {
	field string // in server.Config
	key   string // in the configuration file
	env   string // in the environment
	flag  string // on the command line
	kind  reflect.Type
}

// envPrefix begins the names of all our variables.
const envPrefix = "CASTELLAN_"

// systemUsersEnv holds system users in a text of its own form, which no tag can describe.
const systemUsersEnv = envPrefix + "SYSTEM_USERS"

// settings are all of them, in the order of server.Config, whose tags name them. The name of
// a flag is that of its variable, without the prefix, in lower case and with hyphens. A field without
// a name in the file is for programs alone.
var settings = func() []setting {
	var all []setting
	for _, f := range reflect.VisibleFields(reflect.TypeFor[server.Config]()) {
		s := setting{field: f.Name, key: f.Tag.Get("yaml"), env: f.Tag.Get("env"), kind: f.Type}
		if s.key == "-" {
			continue
		}
		if s.env == "-" {
			s.env = systemUsersEnv
		}
		s.flag = strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(s.env, envPrefix), "_", "-"))
		all = append(all, s)
	}
	return all
}()

// settingHelp says what each setting is, by its key in the file.
var settingHelp = map[string]string{
	"listen":           "address of the one port, `host:port`",
	"databaseURL":      "database `URL`: sqlite:///path/to/file.db or postgres://...",
	"databaseMaxConns": "most connections to PostgreSQL, 0 to let the server decide",
	"externalDomain":   "`domain` by which clients reach the server; generated domains lie below it",
	"externalPort":     "`port` by which clients reach the server, 0 for that of the scheme",
	"externalSecure":   "clients reach the server by https; false for plain http, as on a laptop",
	"trustedProxies":   "`prefixes` such as 10.1.0.0/16 of proxies whose forwarding headers count",
	"systemUsers":      "system users: name=/path/to/public.pem,... or a JSON object",
	"masterKeyFile":    "`file` with the key that seals all others; created when missing",
	"tlsCertFile":      "`file` with the certificate (PEM) when the port is to speak TLS",
	"tlsKeyFile":       "`file` with the private key (PEM) of the certificate",
	"keyPoolSize":      "how many RSA keys are kept ready, 0 to 1024",
	"shutdownGrace":    "how long requests may take to finish when the server stops",
	"egressAllowed":    "`prefixes` such as 10.1.0.0/16 of private addresses that messages may be sent to",
	"auditReads":       "write calls that only read to the audit log too",
	"auditRetention":   "how long entries of the audit log are kept, 0 for ever",
	"logLevel":         "debug, info, warn or error",
	"logFormat":        "text, json, or auto: text on a terminal",
	"traceEndpoint":    "`URL` of an OpenTelemetry collector (OTLP over HTTP)",
}

// findSetting returns the setting for which is holds; ok is false when there is none.
func findSetting(is func(setting) bool) (s setting, ok bool) {
	i := slices.IndexFunc(settings, is)
	if i < 0 {
		return setting{}, false
	}
	return settings[i], true
}

// rule says what values of a setting look like, for those that cannot even be read.
func (s setting) rule() string {
	switch s.kind {
	case reflect.TypeFor[bool]():
		return "true or false"
	case reflect.TypeFor[int]():
		return "a whole number"
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 10s or 1m30s"
	case reflect.TypeFor[string]():
		return "a text"
	case reflect.TypeFor[[]string]():
		return "a list of texts"
	}
	return "a list of users, each with name, path or keyData, and memberships"
}

// settingFlag keeps the text of a flag unread, so that a value that cannot be read is reported
// together with all other faults.
type settingFlag struct {
	text string
	kind string
}

func (f *settingFlag) String() string     { return f.text }
func (f *settingFlag) Set(s string) error { f.text = s; return nil }
func (f *settingFlag) Type() string       { return f.kind }

// addSettings gives cmd a flag for each setting and for the configuration file. Help shows the
// values of defaults.
func addSettings(cmd *cobra.Command, defaults server.Config) {
	flags := cmd.Flags()
	flags.String("config", "", "configuration `file` (YAML, at most 1 MiB) ["+configEnv+"]")
	values := reflect.ValueOf(defaults)
	for _, s := range settings {
		v := &settingFlag{kind: strings.ToLower(s.kind.Name())}
		switch value := values.FieldByName(s.field).Interface().(type) {
		case []systemuser.Config:
			v.kind = "users"
		case []string:
			v.kind, v.text = "list", strings.Join(value, ",")
		default:
			v.text = fmt.Sprint(value)
		}
		f := flags.VarPF(v, s.flag, "", settingHelp[s.key]+" ["+s.env+"]")
		if s.kind.Kind() == reflect.Bool {
			f.NoOptDefVal = "true"
		}
	}
	terminal.CompleteValues(cmd, "log-level", "debug", "info", "warn", "error")
	terminal.CompleteValues(cmd, "log-format", "auto", "text", "json")
	for _, name := range []string{"config", "master-key-file", "tls-cert-file", "tls-key-file"} {
		terminal.Must(cmd.MarkFlagFilename(name))
	}
}

// sourcesOf returns where the settings of a parsed command line come from.
func (p *program) sourcesOf(cmd *cobra.Command) sources {
	s := sources{environ: p.Environ, flags: make(map[string]string)}
	cmd.Flags().Visit(func(f *pflag.Flag) { s.flags[f.Name] = f.Value.String() })
	return s
}

// settingsHelp explains to operators how settings are given.
const settingsHelp = `Every setting can be given as a flag, in the environment or in a YAML file. When it is given
more than once, the flag wins over the environment, and both over the file. An empty value
counts as not given. In the file the names are those of the environment in camelCase without
the prefix: CASTELLAN_EXTERNAL_PORT is externalPort, CASTELLAN_DATABASE_URL is databaseURL.

The external domain, port and scheme are how clients reach the server, whatever it listens on.
Tokens of system users must be made out to that URL. On a laptop without TLS that is

  CASTELLAN_EXTERNAL_SECURE=false CASTELLAN_EXTERNAL_DOMAIN=localhost CASTELLAN_EXTERNAL_PORT=8080

and behind a proxy that speaks TLS on the usual port

  CASTELLAN_EXTERNAL_SECURE=true CASTELLAN_EXTERNAL_DOMAIN=id.example.com CASTELLAN_EXTERNAL_PORT=443`
