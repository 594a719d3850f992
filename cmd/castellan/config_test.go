package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"castellan/internal/server"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

// write puts a file into a directory of its own.
func write(t *testing.T, name, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// publicKey writes the public half of a new key.
func publicKey(t *testing.T) (path string) {
	t.Helper()
	_, public, err := systemuser.GenerateKey(systemuser.KindECDSA)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "public.pem", string(public))
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	key := publicKey(t)
	file := write(t, "castellan.yaml", `# a comment
listen: 127.0.0.1:1001
externalDomain: file.example
externalPort: 1
shutdownGrace: 3s
systemUsers:
  - name: file
    path: `+key+`
    memberships: [{memberType: System, roles: [SYSTEM_OWNER_VIEWER]}]
`)
	c, err := sources{
		environ: map[string]string{
			configEnv: file, "CASTELLAN_LISTEN": "127.0.0.1:1002", "CASTELLAN_EXTERNAL_PORT": "2",
			"CASTELLAN_EXTERNAL_SECURE": "true", "CASTELLAN_SYSTEM_USERS": "one=" + key + ",two=" + key,
			"CASTELLAN_LOG_LEVEL": "", // as good as not there
		},
		flags: map[string]string{"listen": "127.0.0.1:1003", "key-pool-size": "5"},
	}.load(server.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:1003" || c.ExternalPort != 2 || c.ExternalDomain != "file.example" ||
		!c.ExternalSecure || c.ShutdownGrace != 3*time.Second || c.KeyPoolSize != 5 || c.LogLevel != "info" {
		t.Errorf("got %+v", c.Config)
	}
	if len(c.SystemUsers) != 2 || c.SystemUsers[0].Name != "one" {
		t.Errorf("system users %+v", c.SystemUsers)
	}
	if c, err = (sources{flags: map[string]string{"config": file}}).load(server.Defaults()); err != nil {
		t.Fatal(err)
	}
	if len(c.SystemUsers) != 1 || c.SystemUsers[0].Memberships[0].Roles[0] != "SYSTEM_OWNER_VIEWER" {
		t.Errorf("system users %+v", c.SystemUsers)
	}
}

// All that is wrong is said at once, by the names the operator has used, and is no secret.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	file := write(t, "c.yaml", "lisen: x\nkeyPoolSize: many\nexternalDomain: UPPER\nlogFormat: xml\n")
	got := castellanIn(map[string]string{
		configEnv: file, "CASTELLAN_EXTERNAL_PORT": "abc", "CASTELLAN_SYSTEM_USERS": "nobody",
		"CASTELLAN_DATABASE_URL": "mysql://u:hunter2@db/x", "CASTELLAN_LISTEN": "8080",
	}).Run(t, "serve", "--external-secure=maybe", "--log-level", "loud", "--shutdown-grace", "5")
	if got.Code != terminal.ExitUsage {
		t.Errorf("code %d", got.Code)
	}
	terminaltest.Contains(t, got.Err, "the configuration has 11 faults:\n",
		file+`:1: unknown setting "lisen"; did you mean listen?`,
		file+`:2: keyPoolSize: must be a whole number, not "many"`,
		file+`:3: externalDomain: must be a domain name`,
		file+`:4: logFormat: must be text, json or auto, not "xml"`,
		`CASTELLAN_EXTERNAL_PORT: must be a whole number, not "abc"`,
		`CASTELLAN_SYSTEM_USERS: entry 1 is not name=path`,
		`CASTELLAN_DATABASE_URL: must begin with sqlite://`,
		`CASTELLAN_LISTEN: must be host:port, not "8080"`,
		`--external-secure: must be true or false, not "maybe"`,
		`--log-level: must be debug, info, warn or error, not "loud"`,
		`--shutdown-grace: must be a duration such as 10s or 1m30s, not "5"`,
	)
	if strings.Contains(got.Err, "hunter2") {
		t.Error("the password of the database is shown")
	}
}

// A list is given as one text, or as a list of YAML.
func TestLists(t *testing.T) {
	t.Parallel()
	const env = "CASTELLAN_EGRESS_ALLOWED"
	file := write(t, "c.yaml", "egressAllowed:\n- 10.0.0.0/8\n- fd00::/8\n")
	for want, s := range map[string]sources{
		"":                    {},
		"10.0.0.0/8 fd00::/8": {flags: map[string]string{"config": file}},
		"127.0.0.0/8 ::1/128": {environ: map[string]string{configEnv: file, env: "127.0.0.0/8,::1/128"}},
		"127.0.0.0/8":         {environ: map[string]string{env: "::1/128"}, flags: map[string]string{"egress-allowed": "127.0.0.0/8"}},
	} {
		c, err := s.load(server.Defaults())
		if got := strings.Join(c.EgressAllowed, " "); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	for want, s := range map[string]sources{
		`c.yaml:1: egressAllowed: must be a list of texts`:                           {flags: map[string]string{"config": write(t, "c.yaml", "egressAllowed: {a: b}\n")}},
		`CASTELLAN_EGRESS_ALLOWED: must be prefixes such as 10.1.0.0/16, not "here"`: {environ: map[string]string{env: "10.0.0.0/8,here"}},
	} {
		_, err := s.load(server.Defaults())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestSystemUserFaultsNameTheirSource(t *testing.T) {
	t.Parallel()
	_, err := sources{environ: map[string]string{systemUsersEnv: "ops=/no/such.pem"}}.load(server.Defaults())
	if err == nil {
		t.Fatal("no error")
	}
	terminaltest.Contains(t, err.Error(), `CASTELLAN_SYSTEM_USERS: system user "ops": path: `)
}

func TestConfigFileFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"syntax":       {"listen: [", "c.yaml:"},
		"sequence":     {"- listen", "c.yaml:1: must hold the names of settings"},
		"twice":        {"listen: a:1\nlisten: b:2\n", "c.yaml:2: mapping key \"listen\" already defined"},
		"two":          {"logLevel: info\n---\nlogLevel: info\n", "c.yaml: must hold one YAML document"},
		"unknown deep": {"systemUsers:\n  - nam: x\n", `c.yaml:2: unknown setting "nam"`},
		"number":       {"shutdownGrace: 10\n", "c.yaml:1: shutdownGrace: must be a duration"},
		"users":        {"systemUsers: ops\n", "c.yaml:1: systemUsers: must be a list of users"},
		"nested":       {"systemUsers:\n  - name: x\n    memberships: 7\n", "c.yaml:3: systemUsers: must be a list of users"},
		"large":        {strings.Repeat("# x\n", maxConfigFile/4) + "#", "is longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sources{flags: map[string]string{"config": write(t, "c.yaml", c.text)}}.load(server.Defaults())
			if err == nil {
				t.Fatal("no error")
			}
			if !terminal.IsUsage(err) {
				t.Errorf("%T is no usage error", err)
			}
			terminaltest.Contains(t, err.Error(), c.want)
		})
	}
	_, err := sources{flags: map[string]string{"config": "/no/such/file"}}.load(server.Defaults())
	if err == nil || !strings.Contains(err.Error(), "--config: open /no/such/file") {
		t.Errorf("got %v", err)
	}
}

func TestEmptyConfigFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "{}\n", "null\n"} {
		c, err := sources{flags: map[string]string{"config": write(t, "c.yaml", text)}}.load(server.Defaults())
		if err != nil || c.Listen != server.Defaults().Listen {
			t.Errorf("%q: %v, listen %q", text, err, c.Listen)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	got := unknownVariables(map[string]string{
		"CASTELLAN_LISTEN": "", "CASTELLAN_EXTERNAL_DOMIAN": "", "CASTELLAN_SYSTEM_USER": "", "CASTELLAN_ZZZZ": "",
		"CASTELLAN_TOKEN": "", "CASTELLAN_CONFIG": "", "HOME": "",
	})
	want := []string{
		"the environment has CASTELLAN_EXTERNAL_DOMIAN, which is no setting; did you mean CASTELLAN_EXTERNAL_DOMAIN?",
		"the environment has CASTELLAN_SYSTEM_USER, which is no setting; did you mean CASTELLAN_SYSTEM_USERS?",
		"the environment has CASTELLAN_ZZZZ, which is no setting",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
}

func TestEngineOf(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"sqlite:///var/lib/c.db":                      "sqlite /var/lib/c.db",
		"postgres://me:hunter2@db:5432/castellan":     "postgres db:5432/castellan",
		"postgres://db/castellan?password=hunter2":    "postgres db/castellan",
		"postgresql:///castellan?host=/run&user=them": "postgres /castellan",
	} {
		if engine, place := engineOf(url); engine+" "+place != want {
			t.Errorf("%s: got %s %s, want %s", url, engine, place, want)
		}
	}
}

// No text of a configuration file brings the loader down, and what it takes it takes the same
// way twice.
func FuzzConfigFile(f *testing.F) {
	for _, seed := range []string{
		"listen: 127.0.0.1:1\nexternalPort: 3\n", "systemUsers:\n- name: a\n  keyData: |\n    x\n", "a: &a [*a]\n",
		"shutdownGrace: 1h\nlogLevel: debug", "? x\n: y\n", "<<: {listen: x}\n", "---\n---\n", "listen: !!binary aGk=\n",
		"externalPort: 1e3\nkeyPoolSize: 0x10\nexternalSecure: yes\n", "\xff", "%YAML 1.1\n---\n", "listen: [1\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxConfigFile {
			t.Skip()
		}
		load := func() (configuration, []error) {
			c := configuration{Config: server.Defaults(), given: make(map[string]string)}
			return c, c.applyYAML("c.yaml", text)
		}
		first, faults := load()
		for _, fault := range faults {
			if !strings.HasPrefix(fault.Error(), "c.yaml:") {
				t.Errorf("does not say where: %v", fault)
			}
		}
		if second, again := load(); len(again) != len(faults) || second.Listen != first.Listen || second.ExternalPort != first.ExternalPort {
			t.Errorf("two readings differ: %v, %v", faults, again)
		}
	})
}
