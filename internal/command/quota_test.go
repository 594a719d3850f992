package command

import (
	"strings"
	"testing"

	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

func TestQuotas(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Acme")
	add := strings.Fields("quota add " + id + " --unit requests --interval 720h --amount 100 --limit --notify 80=https://acme.example/,repeat")
	terminaltest.Contains(t, cli.Succeed(t, add...), "Instance  "+id+"\n", "Added     20")
	cli.Fail(t, terminal.ExitFailure, []string{"COMMAND-WDfFf", "[already_exists]"}, add...)
	add[1] = "set"
	terminaltest.Contains(t, cli.Succeed(t, append(add, "--from", "2020-01-01T00:00:00Z")...), "Changed   20")
	cli.Fail(t, terminal.ExitFailure, []string{"QUOTA-R5otd"},
		"quota", "set", id, "--unit", "requests", "--interval", "1s", "--amount", "1")
	cli.Fail(t, terminal.ExitFailure, []string{"QUOTA-HAYmN"},
		"quota", "set", id, "--unit", "requests", "--interval", "1h", "--amount", "1", "--notify", "50=nowhere")
	got := decode[struct {
		Details struct{ ResourceOwner string }
	}](t, cli.Succeed(t, "quota", "remove", id, "--unit", "requests", "--yes", "-o", "json"))
	if got.Details.ResourceOwner != id {
		t.Errorf("got %+v", got)
	}
	cli.Fail(t, terminal.ExitFailure, []string{"COMMAND-WDfFf", "[not_found]"}, "quota", "remove", id, "--unit", "requests", "--yes")
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Acme")
	terminaltest.Contains(t, cli.Succeed(t, "feature", "set", id, "login-default-org", "true"), "Instance  "+id+"\n", "Changed   20")
	terminaltest.Contains(t, cli.Succeed(t, "feature", "set", id, "login-default-org", "false", "-o", "json"), `"changeDate"`)
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "feature", "set", "404", "login-default-org", "true")
}

// What a notification is read from can be written from it again.
func FuzzNotification(f *testing.F) {
	for _, seed := range []string{"80=https://a", "100%=https://a,repeat", "=", "1=,repeat", "4294967296=x", "-1=x", "1=a=b,repeat,repeat"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseNotification(text)
		if err != nil {
			return
		}
		again := strings.TrimLeft(text, "0+")
		want := again[strings.Index(again, "=")+1:]
		if n.GetRepeat() {
			want = strings.TrimSuffix(want, ",repeat")
		}
		if n.GetPercent() == 0 || n.GetCallUrl() == "" || n.GetCallUrl() != want {
			t.Errorf("%q was read as %v", text, n)
		}
	})
}
