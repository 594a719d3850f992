package command

import (
	"strings"
	"testing"

	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

func TestTrustedDomains(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Acme")
	if table := cli.Succeed(t, "instance", "trusted-domains", id); table != "DOMAIN  CREATED\n" {
		t.Errorf("got:\n%s", table)
	}
	terminaltest.Contains(t, cli.Succeed(t, "instance", "add-trusted-domain", id, "B.example"), "Instance  "+id+"\n", "Added     20")
	cli.Succeed(t, "instance", "add-trusted-domain", id, "a.example", "-o", "json")
	terminaltest.Contains(t, cli.Succeed(t, "instance", "trusted-domains", id), "DOMAIN     CREATED\na.example  20", "\nb.example  20")
	for args, want := range map[string]string{
		"": "a.example b.example", "--sort created": "b.example a.example", "--desc --limit 1": "b.example", "--all --offset 1": "b.example",
	} {
		got := decode[struct {
			TrustedDomain []struct{ Domain, InstanceID string }
		}](t,
			cli.Succeed(t, append([]string{"instance", "trusted-domains", id, "-o", "json"}, strings.Fields(args)...)...))
		var names []string
		for _, d := range got.TrustedDomain {
			names = append(names, d.Domain)
			if d.InstanceID != id {
				t.Errorf("got %+v", d)
			}
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%q: got %s, want %s", args, names, want)
		}
	}
	cli.Fail(t, terminal.ExitUsage, []string{"--yes goes ahead"}, "instance", "remove-trusted-domain", id, "a.example")
	cli.Interactive, cli.In = true, strings.NewReader("yes\n")
	terminaltest.Contains(t, cli.Succeed(t, "instance", "remove-trusted-domain", id, "a.example"), "Removed   20")
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", "remove-trusted-domain", id, "a.example", "--yes")
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", "add-trusted-domain", "404", "a.example")
}
