package server

import (
	"strings"
	"testing"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	c := Config{
		Listen: "nowhere", DatabaseURL: "mysql://u:secret@h/d", DatabaseMaxConns: -1, ExternalDomain: "Not a domain",
		ExternalPort: 70000, TLSCertFile: "cert.pem", KeyPoolSize: 5000, ShutdownGrace: -1, AuditRetention: -1,
		LogLevel: "loud", LogFormat: "xml", TraceEndpoint: "collector:4318",
		EgressAllowed: []string{"10.0.0.1"},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no fault was found")
	}
	for _, setting := range []string{
		"listen", "databaseURL", "databaseMaxConns", "externalDomain", "externalPort", "masterKeyFile",
		"tlsCertFile", "keyPoolSize", "shutdownGrace", "auditRetention", "logLevel", "logFormat", "traceEndpoint",
		"egressAllowed",
	} {
		if !strings.Contains(err.Error(), setting) {
			t.Errorf("%s is not named in:\n%v", setting, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Error("the password of the database is shown")
	}
}

func TestDatabaseURL(t *testing.T) {
	tests := map[string]engine{
		"sqlite:///var/lib/castellan.db":    {sqlite: "/var/lib/castellan.db"},
		"sqlite://relative/castellan.db":    {sqlite: "relative/castellan.db"},
		"postgres://u:p@h:5432/d?sslmode=x": {url: "postgres://u:p@h:5432/d?sslmode=x"},
		"postgresql://u@h/d":                {url: "postgresql://u@h/d"},
		"sqlite://":                         {},
		"sqlite:///x.db?mode=memory":        {},
		"postgres://h:port/%zz":             {},
		"":                                  {},
		"/var/lib/castellan.db":             {},
		"SQLITE:///x.db":                    {},
	}
	for url, want := range tests {
		got, err := Config{DatabaseURL: url}.engine()
		if got != want || (err == nil) != (want != engine{}) {
			t.Errorf("%q: %+v, %v; want %+v", url, got, err, want)
		}
	}
}
