package system_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	"castellan/internal/eventlog/logtest"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// TestDomainTaken: a domain leads to one instance, however it is spelled and whoever has it.
func TestDomainTaken(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		made := n.Create(t, kit.WithDomain(kit.Machine("Acme"), "bücher.example"))
		read, _ := n.Get(t, made.GetInstanceId())
		taken := []string{"bücher.example", "BÜCHER.Example", "xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE", " bücher.example "}
		for _, d := range read.GetInstance().GetDomains() {
			taken = append(taken, d.GetDomain()) // the generated one, too
		}
		before := kit.Counts(t, n.DB())
		for _, domain := range taken {
			for _, w := range kit.Wires() {
				a := w.Call(t, n.Client, "CreateInstance", kit.WithDomain(kit.Machine("Other"), domain), nil)
				checkTaken(t, w, a)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

func checkTaken(t *testing.T, w kit.Wire, a kit.Answer) {
	t.Helper()
	const message = "Errors.Instance.Domain.AlreadyExists (V3-DKcYh)"
	if a.Code != codes.AlreadyExists || a.ID != "V3-DKcYh" || a.Message != message || !slices.Equal(a.Fields, []string{"custom_domain"}) ||
		w.Name == "rest" && a.HTTP != http.StatusConflict {
		t.Errorf("over %s: %v", w.Name, a)
	}
}

// TestRaceForADomain: of two creations at the same time exactly one gets the domain, on whichever
// nodes they are, and the other leaves nothing.
func TestRaceForADomain(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		nodes := startAll(t, b)
		const rounds = 20
		for round := range rounds {
			spelled := []string{fmt.Sprintf("round-%d.example", round), fmt.Sprintf("ROUND-%d.example", round)}
			answers := make([]kit.Answer, len(spelled))
			atOnce(len(spelled), func(i int) {
				call := kit.Call{
					Method: "CreateInstance", Request: kit.WithDomain(kit.Machine("Acme"), spelled[i]), Token: kit.Operator().Token(t),
				}
				var err error
				if answers[i], err = kit.REST().Do(t.Context(), nodes[i%len(nodes)].Client, call, nil); err != nil {
					t.Error(err)
				}
			})
			if answers[0].Code != codes.OK {
				slices.Reverse(answers)
			}
			if answers[0].Code != codes.OK {
				t.Fatalf("round %d: nobody won: %v", round, answers)
			}
			checkTaken(t, kit.REST(), answers[1])
		}
		if got := kit.CheckWhole(t, nodes[0].DB()); len(got) != rounds {
			t.Errorf("%d instances, want %d", len(got), rounds)
		}
		logtest.CheckFold(t, nodes[0].DB(), nodes[0].Events())
	})
}

// allIDs are all ids of the database that the program made.
const allIDs = `SELECT instance_id FROM instances UNION ALL SELECT org_id FROM orgs UNION ALL SELECT user_id FROM users
 UNION ALL SELECT token_id FROM personal_access_tokens UNION ALL SELECT project_id FROM projects
 UNION ALL SELECT app_id FROM apps UNION ALL SELECT client_id FROM apps`

// TestManyAtTheSameTime: nodes that nobody gave a number never make the same id, and what one
// makes the other sees at once.
func TestManyAtTheSameTime(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		nodes := startAll(t, b)
		const clients, each = 8, 6
		var mu sync.Mutex
		var made []string
		atOnce(clients, func(i int) {
			for range each {
				answer, read := new(systemv1.CreateInstanceResponse), new(systemv1.GetInstanceResponse)
				call := kit.Call{Method: "CreateInstance", Request: kit.Machine("Acme"), Token: kit.Operator().Token(t)}
				a, err := kit.GRPC().Do(t.Context(), nodes[i%len(nodes)].Client, call, answer)
				if err != nil || a.Code != codes.OK {
					t.Errorf("client %d: %v %v", i, a, err)
					return
				}
				call.Method, call.Request = "GetInstance", &systemv1.GetInstanceRequest{InstanceId: answer.GetInstanceId()}
				a, err = kit.GRPC().Do(t.Context(), nodes[(i+1)%len(nodes)].Client, call, read)
				if err != nil || a.Code != codes.OK || read.GetInstance().GetId() != answer.GetInstanceId() {
					t.Errorf("client %d does not see %s elsewhere: %v %v", i, answer.GetInstanceId(), a, err)
				}
				mu.Lock()
				made = append(made, answer.GetInstanceId())
				mu.Unlock()
			}
		})
		slices.Sort(made)
		for _, n := range nodes {
			if got := kit.CheckWhole(t, n.DB()); !slices.Equal(got, made) {
				t.Errorf("there are %q, answered were %q", got, made)
			}
		}
		ids := kit.Column[string](t, nodes[0].DB(), allIDs)
		slices.Sort(ids)
		if want := clients * each * (5 + 4 + 4); len(ids) != want || len(slices.Compact(ids)) != want {
			t.Errorf("%d ids, of which %d differ, want %d", len(ids), len(slices.Compact(ids)), want)
		}
		logtest.CheckFold(t, nodes[0].DB(), nodes[0].Events())
	})
}
