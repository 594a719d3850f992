package command

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"castellan/internal/client"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

// owned is an instance at localhost, and what runs command lines of its owner: without anything of an operator.
type owned struct {
	operator, owner terminaltest.Runner
	id, url, key    string
	pat             string
}

// newOwned serves an instance until the test ends.
func newOwned(t *testing.T) owned {
	t.Helper()
	n, cli := serve(t)
	o := owned{operator: cli, owner: castellan(), key: filepath.Join(t.TempDir(), "machine-key.json")}
	made := cli.Succeed(t, "instance", "create", "Acme", "--domain", "localhost", "--machine-user", "owner", "--pat", "--machine-key-file", o.key)
	o.id, o.pat = cell(t, made, "Instance"), regexp.MustCompile(`cstl_pat_\w+`).FindString(made)
	o.url = strings.Replace(n.Node.URL, "127.0.0.1", "localhost", 1)
	return o
}

// What the creation of an instance has given out opens it: with the key to a token, and with both to its log.
func TestOwner(t *testing.T) {
	t.Parallel()
	o := newOwned(t)
	token := strings.TrimSpace(o.owner.Succeed(t, "token", "--instance", o.url, "--key", o.key))
	if token == "" || strings.ContainsAny(token, " \n") {
		t.Fatalf("got %q", token)
	}
	tail := []string{"events", "tail", "--instance", o.url, "--since", "-1h", "--type", "instance.added", "--type", "instance.changed"}
	for name, args := range map[string][]string{
		"by a token":                 {"--token", token},
		"by a personal access token": {"--token", o.pat},
		"by a key":                   {"--key", o.key},
	} {
		p := o.owner.Start(t, " instance.added ", append(tail, args...)...)
		if p.Stop() != terminal.ExitOK || !strings.Contains(p.Out.String(), `"name":`) {
			t.Errorf("%s: code %d, %s, %s", name, p.Code, p.Out, p.Err)
		}
	}
	p := o.owner.Start(t, " instance.added ", append(tail, "--token", o.pat)...)
	o.operator.Succeed(t, "instance", "update", o.id, "--name", "Other")
	p.WaitFor(t, " instance.changed ")
	p.Stop()
	position := regexp.MustCompile(`--position (\S+)\n`).FindStringSubmatch(p.Err.String())
	if position == nil {
		t.Fatalf("no position in %s", p.Err)
	}
	o.operator.Succeed(t, "instance", "update", o.id, "--name", "Third")
	again := o.owner.Start(t, "Third", "events", "tail", "--instance", o.url, "--token", o.pat, "--position", position[1])
	if again.Stop(); strings.Contains(again.Out.String(), "Other") {
		t.Errorf("shown again:\n%s", again.Out)
	}
	asOperator := o.operator.Start(t, " instance.added ", "events", "tail", "--id", o.id, "--since", "-1h")
	asOperator.Stop()

	wrong := castellan()
	wrong.Environ = map[string]string{client.TokenEnv: o.pat + "x"}
	wrong.Fail(t, terminal.ExitFailure, []string{"AUTH-7fs1e"}, "events", "tail", "--instance", o.url, "-o", "json")
	o.owner.Fail(t, terminal.ExitFailure, []string{"refused"}, "token", "--instance", o.url, "--client-id", "owner",
		"--client-secret-file", write(t, "secret", "none"))
}
