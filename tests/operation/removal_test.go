package operation_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// fill gives an instance many memberships, in one write.
func fill(t *testing.T, n *kit.Node, instance string, count int) {
	t.Helper()
	id := ident.InstanceID(instance)
	err := n.Events().Write(t.Context(), id, "test", func(ctx context.Context, w *eventlog.Writer) error {
		for i := range count {
			add := member.Add{User: ident.UserID(fmt.Sprint(i)), Roles: []string{"IAM_OWNER_VIEWER"}}
			if _, err := eventlog.Begin(ctx, w, member.Noun, add.Origin(id), add.Decide()...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKilledAfterARemoval: what a removal has acknowledged is so after a crash, and what the instance
// has left is deleted by the next run, without a call.
func TestKilledAfterARemoval(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		id := n.Create(t, kit.WithDomain(kit.Machine("Large"), "large.example")).GetInstanceId()
		other := n.Create(t, kit.Machine("Other")).GetInstanceId()
		fill(t, n, id, 4*eventlog.ReclaimBatch)
		fill(t, n, other, 10)
		n.Stop(t)

		p := b.Exec(t)
		a := kit.REST().Call(t, p.Client, "RemoveInstance", &systemv1.RemoveInstanceRequest{InstanceId: id}, nil)
		p.Kill()
		if a.Code != codes.OK {
			t.Fatal(a)
		}

		n = b.Start(t, nil)
		committed, stop := n.DB().Committed()
		defer stop()
		if _, a := n.Get(t, id); a.Code != codes.NotFound {
			t.Errorf("after the crash: %v", a)
		}
		for len(kit.Column[string](t, n.DB(), `SELECT instance_id FROM removals`)) > 0 {
			select {
			case <-committed:
			case <-t.Context().Done():
				t.Fatalf("not reclaimed; logged:\n%s", n.Logs.Bytes())
			}
		}
		for table, want := range map[string]int64{"members": 12, "users": 1, "instance_keys": 2, "instance_domains": 1} {
			if got := kit.Column[int64](t, n.DB(), `SELECT count(*) FROM `+table)[0]; got != want {
				t.Errorf("%d rows in %s, want those of the other instance and the system: %d", got, table, want)
			}
		}
		logtest.CheckFold(t, n.DB(), n.Events())
		n.Create(t, kit.WithDomain(kit.Machine("Another"), "large.example"))
	})
}
