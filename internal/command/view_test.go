package command

import (
	"strings"
	"testing"

	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

// Every view that is listed can be built again, by the name and the database it is listed with.
func TestViews(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	newInstanceID(t, cli, "Acme")
	table := cli.Succeed(t, "view", "list")
	terminaltest.Contains(t, table, "NAME ", " DATABASE   PROCESSED  LAST RUN\n", "projections.instances ", "  castellan  ")
	views := decode[struct{ Result []struct{ ViewName string } }](t, cli.Succeed(t, "view", "list", "-o", "json")).Result
	if len(views) < 5 || len(views) != strings.Count(table, "\n")-1 {
		t.Errorf("%d views, and in the table:\n%s", len(views), table)
	}
	for _, v := range views {
		terminaltest.Contains(t, cli.Succeed(t, "view", "clear", v.ViewName), "View   "+v.ViewName+"\nBuilt  again\n")
	}
	if got := cli.Succeed(t, "view", "clear", "projections.instances", "-o", "json"); got != "{}\n" {
		t.Errorf("got %s", got)
	}
	cli.Fail(t, terminal.ExitFailure, []string{"QUERY-ej8fn"}, "view", "clear", "projections.x")
	cli.Fail(t, terminal.ExitFailure, []string{"QUERY-wk1jr"}, "view", "clear", "instances")
	cli.Fail(t, terminal.ExitFailure, []string{"QUERY-ej8fn"}, "view", "clear", "projections.instances", "--database", "x")
}

func TestFailedEvents(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Acme")
	if table := cli.Succeed(t, "failed-event", "list"); table != "VIEW  SEQUENCE  FAILURES  LAST FAILED  ERROR\n" {
		t.Errorf("got:\n%s", table)
	}
	if got := cli.Succeed(t, "failed-event", "list", "-o", "json"); got != "{\n  \"result\": []\n}\n" {
		t.Errorf("got %s", got)
	}
	terminaltest.Contains(t, cli.Succeed(t, "failed-event", "remove", "projections.deliveries_quota", "3", "--instance", id, "--yes"), "Sequence  3\n")
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "failed-event", "remove", "v", "3", "--instance", "404", "--yes")
}
