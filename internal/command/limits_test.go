package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	a, b := newInstanceID(t, cli, "Alpha"), newInstanceID(t, cli, "Beta")
	terminaltest.Contains(t, cli.Succeed(t, "limits", "set", a, "--block"), "Instance  "+a+"\n", "Changed   20")
	terminaltest.Contains(t, cli.Succeed(t, "limits", "set", a, "--block=false", "--audit-retention", "24h", "-o", "json"), `"creationDate"`)
	terminaltest.Contains(t, cli.Succeed(t, "limits", "reset", a, "--yes"), "Removed   20")
	cli.Fail(t, terminal.ExitFailure, []string{"COMMAND-9JToT", "[not_found]"}, "limits", "reset", a, "--yes")

	text := `{"limits":[{"instanceId":"` + a + `","block":true},{"instanceId":"` + b + `","auditLogRetention":"60s"}]}`
	cli.In = strings.NewReader(text)
	table := cli.Succeed(t, "limits", "bulk", "-")
	terminaltest.Contains(t, table, "INSTANCE ", " CHANGED\n"+a+"  20", "\n"+b+"  20")
	cli.In = strings.NewReader(`{"limits":[{"instanceId":"` + a + `","block":false},{"instanceId":"404","block":true}]}`)
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]", "\n  limits[1].instance_id: "}, "limits", "bulk", "-")
	file := filepath.Join(t.TempDir(), "limits.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := decode[struct {
		TargetDetails []struct{ ResourceOwner string }
	}](t, cli.Succeed(t, "limits", "bulk", file, "-o", "json"))
	if len(got.TargetDetails) != 2 || got.TargetDetails[1].ResourceOwner != b {
		t.Errorf("got %+v", got)
	}
	cli.Succeed(t, "limits", "reset", b, "--yes")
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "limits", "set", "404", "--block")
}

// No text brings the reader of limits down, and what it takes has an instance and a limit each.
func FuzzLimits(f *testing.F) {
	for _, seed := range []string{
		bulk, "", "null", "{}", "[]", `{"limits":null}`, `{"limits":[null]}`, `{"limits":[{"block":null,"instanceId":"1"}]}`,
		`{"limits":[{"auditLogRetention":"1e9s"}]}`, `{"x":1}`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxBulk {
			t.Skip()
		}
		got, err := parseLimits(text)
		if err != nil && err.Error() != terminal.Printable(err.Error()) {
			t.Errorf("an error that is not printable: %q", err)
		}
		for _, l := range got.GetLimits() {
			if err == nil && (l.GetInstanceId() == "" || l.Block == nil && l.GetAuditLogRetention() == nil) {
				t.Errorf("took %v", l)
			}
		}
	})
}
