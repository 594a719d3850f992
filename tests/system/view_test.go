package system_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/store"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// TestViews damages a table, finds its view and has it rebuilt, over every protocol.
func TestViews(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		id := n.Client.Create(t, kit.Machine("Acme")).GetInstanceId()
		for _, w := range kit.Wires() {
			err := n.DB().Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
				return tx.Exec(ctx, `UPDATE instances SET name = 'forged'`)
			})
			if err != nil {
				t.Fatal(err)
			}
			var views systemv1.ListViewsResponse
			if a := w.Call(t, n.Client, "ListViews", &systemv1.ListViewsRequest{}, &views); a.Code != codes.OK || len(views.GetResult()) == 0 {
				t.Fatalf("ListViews over %s: %v, %v", w.Name, a, &views)
			}
			view := views.GetResult()[0]
			if view.GetViewName() != "projections.instances" || view.GetProcessedSequence() == 0 {
				t.Errorf("over %s the first view is %v", w.Name, view)
			}
			clear := &systemv1.ClearViewRequest{Database: view.GetDatabase(), ViewName: view.GetViewName()}
			if a := w.Call(t, n.Client, "ClearView", clear, &systemv1.ClearViewResponse{}); a.Code != codes.OK {
				t.Errorf("ClearView over %s: %v", w.Name, a)
			}
			if got, _ := n.Client.Get(t, id); got.GetInstance().GetName() != "Acme" {
				t.Errorf("after ClearView over %s: %v", w.Name, got)
			}
			for _, c := range []struct {
				name, id string
				code     codes.Code
			}{{"instances", "QUERY-wk1jr", codes.InvalidArgument}, {"projections.none", "QUERY-ej8fn", codes.NotFound}} {
				clear.ViewName = c.name
				if a := w.Call(t, n.Client, "ClearView", clear, &systemv1.ClearViewResponse{}); a.Code != c.code || a.ID != c.id {
					t.Errorf("ClearView of %s over %s: %v", c.name, w.Name, a)
				}
			}
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}
