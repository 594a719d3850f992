package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"castellan/internal/audit"
	"castellan/internal/egress"
	"castellan/internal/ident"
	"castellan/internal/origin"
	"castellan/internal/systemuser"
)

// Config is everything an operator can decide. The tags are the names in the configuration
// file and in the environment.
type Config struct {
	// Listen is the address of the one port, host:port.
	Listen string `yaml:"listen" env:"CASTELLAN_LISTEN"`
	// DatabaseURL is sqlite:///path/to/file.db or postgres://...
	DatabaseURL string `yaml:"databaseURL" env:"CASTELLAN_DATABASE_URL"`
	// DatabaseMaxConns bounds the connections to PostgreSQL; 0 lets the engine decide.
	DatabaseMaxConns int `yaml:"databaseMaxConns" env:"CASTELLAN_DATABASE_MAX_CONNS"`

	// ExternalDomain, ExternalPort and ExternalSecure are how clients reach the server. They
	// make the issuer of system tokens and the domains of new instances.
	ExternalDomain string `yaml:"externalDomain" env:"CASTELLAN_EXTERNAL_DOMAIN"`
	ExternalPort   int    `yaml:"externalPort" env:"CASTELLAN_EXTERNAL_PORT"`
	ExternalSecure bool   `yaml:"externalSecure" env:"CASTELLAN_EXTERNAL_SECURE"`

	// TrustedProxies are prefixes of addresses, such as 10.1.0.0/16, of the proxies whose headers say
	// under which host and scheme a request came in, see package origin. By default nobody is trusted.
	TrustedProxies []string `yaml:"trustedProxies" env:"CASTELLAN_TRUSTED_PROXIES"`

	// SystemUsers may call the System API.
	SystemUsers []systemuser.Config `yaml:"systemUsers" env:"-"`
	// MasterKeyFile holds the key that seals the keys of all instances. It is created with mode
	// 0600 when it is missing.
	MasterKeyFile string `yaml:"masterKeyFile" env:"CASTELLAN_MASTER_KEY_FILE"`

	// TLSCertFile and TLSKeyFile (PEM) make the port speak TLS; both or none.
	TLSCertFile string `yaml:"tlsCertFile" env:"CASTELLAN_TLS_CERT_FILE"`
	TLSKeyFile  string `yaml:"tlsKeyFile" env:"CASTELLAN_TLS_KEY_FILE"`

	// KeyPoolSize is how many RSA keys are kept ready, 0 to 1024.
	KeyPoolSize int `yaml:"keyPoolSize" env:"CASTELLAN_KEY_POOL_SIZE"`
	// ShutdownGrace is how long requests in flight may take to finish when the server stops.
	ShutdownGrace time.Duration `yaml:"shutdownGrace" env:"CASTELLAN_SHUTDOWN_GRACE"`

	// EgressAllowed are prefixes of addresses, such as 10.1.0.0/16, that messages may be sent to
	// although they are private, see package egress. Whoever may choose a URL can then reach them.
	EgressAllowed []string `yaml:"egressAllowed" env:"CASTELLAN_EGRESS_ALLOWED"`

	// AuditReads writes calls that change nothing to the audit log too, not only those that are refused.
	AuditReads bool `yaml:"auditReads" env:"CASTELLAN_AUDIT_READS"`
	// AuditRetention is how long entries of the audit log are kept; 0: for ever.
	AuditRetention time.Duration `yaml:"auditRetention" env:"CASTELLAN_AUDIT_RETENTION"`

	// LogLevel is debug, info, warn or error. LogFormat is text, json, or auto: text on a terminal.
	LogLevel  string `yaml:"logLevel" env:"CASTELLAN_LOG_LEVEL"`
	LogFormat string `yaml:"logFormat" env:"CASTELLAN_LOG_FORMAT"`
	// TraceEndpoint is the URL of an OpenTelemetry collector (OTLP over HTTP), with
	// the path /v1/traces when it names none; empty: no tracing.
	TraceEndpoint string `yaml:"traceEndpoint" env:"CASTELLAN_TRACE_ENDPOINT"`

	// Clock is what the server takes for the time; nil is the clock of the machine. It is for programs that run
	// a server in themselves, such as tests of what expires.
	Clock ident.Clock `yaml:"-" env:"-"`
}

// Defaults are the values where an operator decides nothing.
func Defaults() Config {
	return Config{
		Listen:         "127.0.0.1:8080",
		DatabaseURL:    "sqlite://castellan-data/castellan.db",
		ExternalDomain: "localhost",
		ExternalPort:   8080,
		MasterKeyFile:  "castellan-data/master.key",
		KeyPoolSize:    16,
		ShutdownGrace:  10 * time.Second,
		AuditRetention: audit.Retention,
		LogLevel:       "info",
		LogFormat:      "auto",
	}
}

// Validate returns every fault of the configuration at once, joined, or nil. Each names the
// setting and the rule.
func (c Config) Validate() error {
	var faults []error
	bad := func(setting, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...)))
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		bad("listen", "must be host:port, not %q", c.Listen)
	}
	if _, err := c.engine(); err != nil {
		bad("databaseURL", "%v", err)
	}
	if c.DatabaseMaxConns < 0 || c.DatabaseMaxConns > 10000 {
		bad("databaseMaxConns", "must be 0 to 10000, not %d", c.DatabaseMaxConns)
	}
	if err := checkDomain(c.ExternalDomain); err != nil {
		bad("externalDomain", "%v", err)
	}
	if c.ExternalPort < 0 || c.ExternalPort > 65535 {
		bad("externalPort", "must be 0 to 65535, not %d", c.ExternalPort)
	}
	if _, err := origin.ParseTrusted(c.TrustedProxies); err != nil {
		bad("trustedProxies", "%v", err)
	}
	if c.MasterKeyFile == "" {
		bad("masterKeyFile", "must not be empty")
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		bad("tlsCertFile, tlsKeyFile", "must both be set or both be empty")
	}
	if c.KeyPoolSize < 0 || c.KeyPoolSize > 1024 {
		bad("keyPoolSize", "must be 0 to 1024, not %d", c.KeyPoolSize)
	}
	if c.ShutdownGrace < 0 {
		bad("shutdownGrace", "must not be negative")
	}
	for _, prefix := range c.EgressAllowed {
		if _, err := egress.ParseAllowed([]string{prefix}); err != nil {
			bad("egressAllowed", "%v", err)
		}
	}
	if c.AuditRetention < 0 {
		bad("auditRetention", "must not be negative")
	}
	if _, err := c.Level(); err != nil {
		bad("logLevel", "must be debug, info, warn or error, not %q", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" && c.LogFormat != "auto" {
		bad("logFormat", "must be text, json or auto, not %q", c.LogFormat)
	}
	if c.TraceEndpoint != "" {
		if u, err := url.Parse(c.TraceEndpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			bad("traceEndpoint", "must be an http or https URL")
		}
	}
	if err := systemuser.Validate(c.SystemUsers); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// Level is the log level as slog knows it.
func (c Config) Level() (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(c.LogLevel))
	return l, err
}

// engine is a database URL taken apart.
type engine struct {
	sqlite string // the path of the file, when it is SQLite
	url    string // the whole URL, when it is PostgreSQL
}

// engine reads DatabaseURL. Its errors never repeat the URL, which may hold a password.
func (c Config) engine() (engine, error) {
	scheme, rest, ok := strings.Cut(c.DatabaseURL, "://")
	switch {
	case ok && scheme == "sqlite":
		if rest == "" || strings.ContainsAny(rest, "?#") {
			return engine{}, errors.New("must be sqlite:///path/to/file.db, without parameters")
		}
		return engine{sqlite: rest}, nil
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		if _, err := url.Parse(c.DatabaseURL); err != nil {
			return engine{}, errors.New("must be a postgres:// URL; this one cannot be parsed")
		}
		return engine{url: c.DatabaseURL}, nil
	}
	return engine{}, errors.New("must begin with sqlite:// or postgres://")
}

// checkDomain returns an error unless generated domains can lie below domain.
func checkDomain(domain string) error {
	if domain == "" || len(domain) > 200 {
		return errors.New("must have 1 to 200 characters")
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("must be a domain name in lower case, without scheme and port, not %q", domain)
		}
	}
	return nil
}
