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

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Acme")
	for command, state := range map[string]string{"stop": "stopped", "start": "running"} {
		terminaltest.Contains(t, cli.Succeed(t, "instance", command, id), "Instance  "+id+"\n", "Changed   20")
		if got := cell(t, cli.Succeed(t, "instance", "get", id), "State"); got != state {
			t.Errorf("%s: the instance is %s", command, got)
		}
		got := decode[struct {
			Details struct{ ResourceOwner string }
		}](t, cli.Succeed(t, "instance", command, id, "-o", "json"))
		if got.Details.ResourceOwner != id {
			t.Errorf("%s: got %+v", command, got)
		}
		cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", command, "404")
	}
}

// A watch that goes on where another ended shows what happened meanwhile, once.
func TestWatchGoesOn(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Acme")
	other := newInstanceID(t, cli, "Other")
	first := cli.Start(t, " instance.added ", "instance", "watch", "--from-beginning", "--instance", id)
	cli.Succeed(t, "instance", "stop", id)
	first.WaitFor(t, " stopped ")
	if code := first.Stop(); code != terminal.ExitOK {
		t.Errorf("code %d", code)
	}
	position := regexp.MustCompile(`--position (\S+)\n`).FindStringSubmatch(first.Err.String())
	if position == nil {
		t.Fatalf("no position in %q", first.Err)
	}
	cli.Succeed(t, "instance", "remove", other, "--yes")
	cli.Succeed(t, "instance", "start", id)
	second := cli.Start(t, " started ", "instance", "watch", "--position", position[1])
	second.Stop()
	if text := second.Out.String(); strings.Contains(text, "stopped") || !strings.Contains(text, other+" ") || strings.Count(text, "\n") < 3 {
		t.Errorf("the second watch shows:\n%s", text)
	}
	cli.Fail(t, terminal.ExitFailure, []string{"VAULT-pos01"}, "instance", "watch", "--position", "nonsense")
}

// A system user is added, gets another key, and is removed, and can call as long as it should.
func TestSystemUsers(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	dir := t.TempDir()
	for _, name := range []string{"ops", "ops2"} {
		cli.Succeed(t, "system-user", "keygen", name, "--out", dir)
	}
	public, public2 := filepath.Join(dir, "ops.pub.pem"), filepath.Join(dir, "ops2.pub.pem")
	list := func(key string) terminaltest.Result {
		ops := cli
		ops.Environ = map[string]string{
			client.ServerEnv: cli.Environ[client.ServerEnv], client.UserEnv: "ops", client.KeyEnv: filepath.Join(dir, key+".pem"),
		}
		return ops.Run(t, "instance", "list")
	}
	calls := func(key string, works bool) {
		t.Helper()
		if got := list(key); (got.Code == terminal.ExitOK) != works {
			t.Errorf("with the key of %s: %+v", key, got)
		}
	}
	calls("ops", false)
	terminaltest.Contains(t, cli.Succeed(t, "system-user", "add", "OPS", "--public-key", public, "--membership", "system=SYSTEM_OWNER_VIEWER"),
		"System user  ops\n", "Added        20")
	calls("ops", true)
	table := cli.Succeed(t, "system-user", "list")
	if !regexp.MustCompile(`(?m)^ops +database +[0-9a-f]{16} +system=SYSTEM_OWNER_VIEWER$`).MatchString(table) ||
		!regexp.MustCompile(`(?m)^operator +configuration +[0-9a-f]{16} +system=SYSTEM_OWNER$`).MatchString(table) {
		t.Errorf("got:\n%s", table)
	}
	cli.Fail(t, terminal.ExitFailure, []string{"[already_exists]"},
		"system-user", "add", "ops", "--public-key", public, "--membership", "system=SYSTEM_OWNER")
	cli.Fail(t, terminal.ExitFailure, []string{"[invalid_argument]"},
		"system-user", "add", "x", "--public-key", filepath.Join(dir, "ops.pem"), "--membership", "system=SYSTEM_OWNER")

	cli.Succeed(t, "system-user", "rotate-key", "ops", "--public-key", public2, "--keep-previous-for", "1h")
	calls("ops", true)
	calls("ops2", true)
	got := decode[struct {
		Result []struct {
			Keys []struct{ Fingerprint, KeptUntil string }
		}
	}](t, cli.Succeed(t, "system-user", "list", "-o", "json"))
	kept := 0
	for _, u := range got.Result {
		if len(u.Keys) == 2 && u.Keys[1].KeptUntil != "" {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("got %+v", got)
	}
	cli.Succeed(t, "system-user", "rotate-key", "ops", "--public-key", public2)
	calls("ops", false)

	cli.Fail(t, terminal.ExitUsage, []string{"--yes goes ahead"}, "system-user", "remove", "ops")
	cli.Interactive, cli.In = true, strings.NewReader("yes\n")
	terminaltest.Contains(t, cli.Succeed(t, "system-user", "remove", "ops"), "System user  ops\n", "Removed      20")
	calls("ops2", false)
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "system-user", "remove", "ops", "--yes")
}

// The audit log has what the commands have called, refusals too.
func TestAudit(t *testing.T) {
	t.Parallel()
	node, cli := serve(t)
	id := newInstanceID(t, cli, "Acme")
	cli.Succeed(t, "instance", "stop", id)
	cli.Run(t, "instance", "update", "404", "--name", "x")
	node.Stop(t) // which writes what is queued
	_, cli = serveOn(t, node.Backend)

	table := cli.Succeed(t, "audit", "list")
	terminaltest.Contains(t, table, "AT ", " ACTOR     METHOD ", " INSTANCE ", " OUTCOME ", " DURATION ", " FROM\n")
	for args, want := range map[string]int{
		"": 3, "--method StopInst": 1, "--method stopinst --instance " + id: 1, "--instance " + id: 2, "--outcome NotFound": 1,
		"--actor operator": 3, "--actor nobody": 0, "--from -1h --until 1h": 3, "--until -1h": 0, "--follow-pages": 3, "--limit 2": 2,
	} {
		got := decode[struct {
			Entries []struct{ Actor, Method string }
		}](t,
			cli.Succeed(t, append([]string{"audit", "list", "-o", "json"}, strings.Fields(args)...)...))
		if len(got.Entries) != want {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}
