package command

import (
	"strings"
	"testing"

	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

// domainNames returns the domains that castellan instance domains shows, in both forms.
func domainNames(t *testing.T, cli terminaltest.Runner, id string, args ...string) string {
	t.Helper()
	var names []string
	got := decode[struct{ Result []struct{ Domain string } }](t,
		cli.Succeed(t, append([]string{"instance", "domains", id, "-o", "json"}, args...)...))
	table := cli.Succeed(t, append([]string{"instance", "domains", id}, args...)...)
	for i, d := range got.Result {
		names = append(names, d.Domain)
		if line := strings.Split(table, "\n")[i+1]; !strings.HasPrefix(line, d.Domain+" ") {
			t.Errorf("line %q, want %s", line, d.Domain)
		}
	}
	return strings.Join(names, " ")
}

func TestDomains(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Acme")
	generated := domainNames(t, cli, id)
	terminaltest.Contains(t, cli.Succeed(t, "instance", "add-domain", id, "B.Acme.Example"), "Instance  "+id+"\n", "Added     20")
	cli.Succeed(t, "instance", "add-domain", id, "a.acme.example")
	terminaltest.Contains(t, cli.Succeed(t, "instance", "set-primary-domain", id, "b.acme.example"), "Changed   20")

	for args, want := range map[string]string{
		"":                            "a.acme.example " + generated + " b.acme.example",
		"--desc":                      "b.acme.example " + generated + " a.acme.example",
		"--sort created":              generated + " b.acme.example a.acme.example",
		"--contains .ACME.":           "a.acme.example b.acme.example",
		"--generated":                 generated,
		"--generated=false":           "a.acme.example b.acme.example",
		"--primary":                   "b.acme.example",
		"--primary=false --generated": generated,
		"--limit 1 --offset 2":        "b.acme.example",
	} {
		if got := domainNames(t, cli, id, strings.Fields(args)...); got != want {
			t.Errorf("%q: got %s, want %s", args, got, want)
		}
	}
	terminaltest.Contains(t, cli.Succeed(t, "instance", "domains", id), "DOMAIN ", " PRIMARY  GENERATED  CREATED\n", "b.acme.example", "yes      no         20")

	cli.Fail(t, terminal.ExitFailure, []string{"INST-i2nl"}, "instance", "add-domain", id, "a.acme.example")
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", "set-primary-domain", id, "x.example")
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", "domains", "404")

	cli.Fail(t, terminal.ExitUsage, []string{"--yes goes ahead"}, "instance", "remove-domain", id, "b.acme.example")
	cli.Interactive, cli.In = true, strings.NewReader("no\n")
	cli.Fail(t, terminal.ExitFailure, []string{
		"The instance " + id + " will no longer be reached as b.acme.example.\nType yes to go ahead: ", "nothing was done",
	}, "instance", "remove-domain", id, "b.acme.example")
	cli.In = strings.NewReader("yes\n")
	terminaltest.Contains(t, cli.Succeed(t, "instance", "remove-domain", id, "b.acme.example"), "Removed   20")
	if got := domainNames(t, cli, id, "--primary"); got != generated {
		t.Errorf("the primary domain is %s", got)
	}
	cli.Fail(t, terminal.ExitFailure, []string{"INSTANCE-9hn3n"}, "instance", "remove-domain", id, generated, "--yes")
}

// A script can ask for a domain by the exit code, and a program by what is printed.
func TestExistsDomain(t *testing.T) {
	t.Parallel()
	node, cli := serve(t)
	newInstanceID(t, cli, "Acme", "--domain", "acme.example")
	for _, c := range []struct {
		args string
		want terminaltest.Result
	}{
		{"ACME.example", terminaltest.Result{Out: "Domain  ACME.example\nExists  yes\n"}},
		{"acme.example -o json", terminaltest.Result{Out: "{\n  \"exists\": true\n}\n"}},
		{"x.example", terminaltest.Result{Code: 1, Out: "Domain  x.example\nExists  no\n"}},
		{"x.example -o json", terminaltest.Result{Code: 1, Out: "{\n  \"exists\": false\n}\n"}},
	} {
		if got := cli.Run(t, append([]string{"instance", "exists-domain"}, strings.Fields(c.args)...)...); got != c.want {
			t.Errorf("%s: got %+v", c.args, got)
		}
	}
	node.Stop(t)
	cli.Fail(t, terminal.ExitFailure, []string{"cannot reach "}, "instance", "exists-domain", "acme.example")
}

func TestMembers(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	machine := newInstanceID(t, cli, "Acme", "--machine-name", "The Robot")
	person := cell(t, cli.Succeed(t, "instance", "create", "Berry", "--email", "ada@berry.example", "--first-name", "Ada",
		"--last-name", "Lovelace"), "Instance")
	for _, sort := range []string{"user", "created", "changed", "organization"} {
		table := cli.Succeed(t, "instance", "members", machine, "--sort", sort)
		terminaltest.Contains(t, table, "USER ", " The Robot ", " owner ", " machine ", " IAM_OWNER\n")
	}
	type members struct {
		Result []struct{ UserID, Email string }
	}
	all := decode[members](t, cli.Succeed(t, "instance", "members", person, "-o", "json"))
	if len(all.Result) != 1 || all.Result[0].Email != "ada@berry.example" {
		t.Fatalf("got %+v", all)
	}
	for args, want := range map[string]int{
		"--email @BERRY --first-name da --last-name love": 1, "--email acme": 0, "--first-name x": 0, "--last-name x": 0,
		"--user-id " + all.Result[0].UserID: 1, "--user-id 1": 0,
	} {
		got := decode[members](t, cli.Succeed(t, append([]string{"instance", "members", person, "-o", "json"}, strings.Fields(args)...)...))
		if len(got.Result) != want {
			t.Errorf("%s: got %+v", args, got)
		}
	}
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", "members", "404")
}
