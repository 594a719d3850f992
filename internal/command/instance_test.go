package command

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"castellan/internal/client"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// instances is what a script reads of castellan instance list.
type instances struct {
	Details struct{ TotalResult string }
	Result  []struct{ ID, Name, State string }
}

func TestInstanceList(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	b := newInstanceID(t, cli, "Beta", "--domain", "beta.example")
	a := newInstanceID(t, cli, "Alpha")
	newInstanceID(t, cli, "Gamma")

	table := cli.Succeed(t, "instance", "list", "--sort", "name")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 4 || strings.Join(strings.Fields(lines[0]), " ") != "ID NAME STATE DOMAIN CREATED" {
		t.Fatalf("got:\n%s", table)
	}
	for i, want := range []string{a + " Alpha running alpha-", b + " Beta running beta.example 20"} {
		if line := strings.Join(strings.Fields(lines[i+1]), " "); !strings.HasPrefix(line, want) {
			t.Errorf("line %q, want %q", line, want)
		}
	}
	for args, want := range map[string]string{
		"--sort name --desc":             "Gamma Beta Alpha",
		"--sort created --asc":           "Beta Alpha Gamma",
		"":                               "Beta Alpha Gamma",
		"--all":                          "Beta Alpha Gamma",
		"--sort name --offset 1":         "Beta Gamma",
		"--sort name --limit 1":          "Alpha",
		"--id " + a + " --id " + b:       "Beta Alpha",
		"--domain beta.example":          "Beta",
		"--id " + a + " --domain x.test": "",
	} {
		got := decode[instances](t, cli.Succeed(t, append([]string{"instance", "list", "-o", "json"}, strings.Fields(args)...)...))
		var names []string
		for _, i := range got.Result {
			names = append(names, i.Name)
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%s: got %q, want %s", args, names, want)
		}
	}
	cli.Fail(t, terminal.ExitUsage, []string{"none of the others can be"}, "instance", "list", "--all", "--limit", "3")
	cli.Fail(t, terminal.ExitFailure, []string{"[invalid_argument]"}, "instance", "list", "--domain", strings.Repeat("x", 101))
}

func TestInstanceUpdate(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Alpha")
	terminaltest.Contains(t, cli.Succeed(t, "instance", "update", id, "--name", "Beta"), "Instance  "+id+"\n", "Changed   20")
	if got := cell(t, cli.Succeed(t, "instance", "get", id), "Name"); got != "Beta" {
		t.Errorf("the name is %s", got)
	}
	got := decode[struct {
		Details struct{ ResourceOwner string }
	}](t, cli.Succeed(t, "instance", "update", id, "--name", "G", "-o", "json"))
	if got.Details.ResourceOwner != id {
		t.Errorf("got %+v", got)
	}
	cli.Fail(t, terminal.ExitUsage, []string{`"name" not set`}, "instance", "update", id)
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", "update", "404", "--name", "x")
	cli.Fail(t, terminal.ExitFailure, []string{"\n  instance_name: "}, "instance", "update", id, "--name", "")
}

// A removal shows what would be gone, and asks for its name.
func TestInstanceRemove(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	id := newInstanceID(t, cli, "Acme & Söhne", "--domain", "acme.example")
	there := func() { t.Helper(); cli.Succeed(t, "instance", "get", id) }

	cli.Fail(t, terminal.ExitUsage, []string{"standard input is no terminal; --yes goes ahead"}, "instance", "remove", id)
	there()
	cli.Interactive = true
	for _, typed := range []string{"", "yes\n", "acme & söhne\n", id + "\n"} {
		cli.In = strings.NewReader(typed)
		cli.Fail(t, terminal.ExitFailure, []string{
			"Instance  " + id + "\n", "Name      Acme & Söhne\n", "Domain    acme.example (primary)\n",
			"will be gone for good", "Type Acme & Söhne to go ahead: ", "castellan: not confirmed, so nothing was done\n",
		}, "instance", "remove", id)
		there()
	}
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", "remove", "404")
	cli.In = strings.NewReader("Acme & Söhne\n")
	terminaltest.Contains(t, cli.Succeed(t, "instance", "remove", id), "Instance  "+id+"\n", "Removed   20")
	cli.Fail(t, terminal.ExitFailure, []string{"[not_found]"}, "instance", "get", id)

	cli.Interactive = false
	other := newInstanceID(t, cli, "Other")
	got := decode[struct {
		Details struct{ ResourceOwner string }
	}](t, cli.Succeed(t, "instance", "remove", other, "--yes", "-o", "json"))
	if got.Details.ResourceOwner != other {
		t.Errorf("got %+v", got)
	}
}

// Every entry of a list of several pages is shown once, whether the server says where the next page
// begins, as for instances, or not, as for domains.
func TestListAll(t *testing.T) {
	t.Parallel()
	const total = 2*client.PageSize + 3
	f := newFake(t)
	entries := func(q *zitadelv1.ListQuery, from uint64, add func(id string)) *zitadelv1.ListDetails {
		if !q.GetAsc() || q.GetLimit() == 0 {
			t.Errorf("asked for %v", q)
		}
		for i := from; i < min(from+uint64(q.GetLimit()), total); i++ {
			add(fmt.Sprint(i))
		}
		return &zitadelv1.ListDetails{TotalResult: total}
	}
	handle(f, systemv1.SystemService_ListInstances_FullMethodName,
		func(r *connect.Request[systemv1.ListInstancesRequest]) (*connect.Response[systemv1.ListInstancesResponse], error) {
			from, page := r.Msg.GetQuery().GetOffset(), r.Header().Get("Castellan-Page")
			if page != "" {
				from, _ = strconv.ParseUint(strings.TrimPrefix(page, "after "), 10, 64)
			}
			res := &systemv1.ListInstancesResponse{}
			res.Details = entries(r.Msg.GetQuery(), from, func(id string) {
				res.Result = append(res.Result, &instancev1.Instance{Id: id, Name: "n"})
			})
			answer := connect.NewResponse(res)
			if next := from + uint64(r.Msg.GetQuery().GetLimit()); next < total {
				answer.Header().Set("Castellan-Next-Page", fmt.Sprint("after ", next))
			}
			return answer, nil
		})
	answer(f, systemv1.SystemService_ListDomains_FullMethodName, func(r *systemv1.ListDomainsRequest) (*systemv1.ListDomainsResponse, error) {
		res := &systemv1.ListDomainsResponse{}
		res.Details = entries(r.GetQuery(), r.GetQuery().GetOffset(), func(id string) {
			res.Result = append(res.Result, &instancev1.Domain{Domain: id})
		})
		return res, nil
	})
	for _, command := range []string{"instance list", "instance domains 7"} {
		args := append(strings.Fields(command), "--all")
		var ids []string
		for line := range strings.Lines(f.cli.Succeed(t, args...)) {
			ids = append(ids, strings.Fields(line)[0])
		}
		all := decode[struct {
			Details struct{ TotalResult string }
			Result  []struct{ ID, Domain string }
		}](t, f.cli.Succeed(t, append(args, "-o", "json")...))
		if len(ids) != total+1 || len(all.Result) != total || all.Details.TotalResult != fmt.Sprint(total) {
			t.Fatalf("%s: %d lines, %d entries, details %+v", command, len(ids), len(all.Result), all.Details)
		}
		for i, entry := range all.Result {
			if ids[i+1] != fmt.Sprint(i) || entry.ID+entry.Domain != fmt.Sprint(i) {
				t.Fatalf("%s: entry %d is %s, and %+v", command, i, ids[i+1], entry)
			}
		}
	}
	for args, note := range map[string]string{
		"": fmt.Sprintf("There are %d; --all shows all of them.\n", total), "--limit=5": "", "--offset=2000": "", "--all": "",
	} {
		if got := f.cli.Run(t, append([]string{"instance", "list"}, strings.Fields(args)...)...); got.Code != 0 || got.Err != note {
			t.Errorf("%q: %d %q", args, got.Code, got.Err)
		}
	}
}

// A page that fails ends the list, and says so by the exit code: what was printed is not all.
func TestListAllFails(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	answer(f, systemv1.SystemService_ListInstances_FullMethodName, func(r *systemv1.ListInstancesRequest) (*systemv1.ListInstancesResponse, error) {
		if r.GetQuery().GetOffset() > 0 {
			return nil, connect.NewError(connect.CodePermissionDenied, nil)
		}
		return &systemv1.ListInstancesResponse{
			Details: &zitadelv1.ListDetails{TotalResult: 2 * client.PageSize}, Result: make([]*instancev1.Instance, client.PageSize),
		}, nil
	})
	for _, form := range []string{"table", "json"} {
		got := f.cli.Run(t, "instance", "list", "--all", "-o", form)
		if got.Code != terminal.ExitFailure || !strings.Contains(got.Err, "[permission_denied]") || json.Valid([]byte(got.Out)) {
			t.Errorf("%s: code %d, %s", form, got.Code, got.Err)
		}
	}
}
