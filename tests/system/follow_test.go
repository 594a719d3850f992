package system_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"castellan/internal/call"
	"castellan/tests/kit"

	filterv2 "castellan/gen/zitadel/filter/v2"
	filterv2beta "castellan/gen/zitadel/filter/v2beta"
	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// paging is a list of instances that is read page after page, by a name of the API that serves it.
type paging struct {
	method  string
	wires   []kit.Wire
	request func(limit uint32) proto.Message
	ids     func(t *testing.T, w kit.Wire, n *kit.Node, c kit.Call) (kit.Answer, []string)
}

// instanceIDs reads the ids out of an answer.
func instanceIDs[I interface{ GetId() string }](all []I) (ids []string) {
	for _, one := range all {
		ids = append(ids, one.GetId())
	}
	return ids
}

var pagings = []paging{
	{
		"ListInstances", kit.Wires(),
		func(limit uint32) proto.Message {
			return &systemv1.ListInstancesRequest{Query: &zitadelv1.ListQuery{Limit: limit, Asc: true}}
		},
		func(t *testing.T, w kit.Wire, n *kit.Node, c kit.Call) (kit.Answer, []string) {
			var out systemv1.ListInstancesResponse
			a := w.Send(t, n.Client, c, &out)
			return a, instanceIDs(out.GetResult())
		},
	},
	{
		"zitadel.instance.v2.InstanceService/ListInstances", []kit.Wire{kit.GRPC()},
		func(limit uint32) proto.Message {
			return &instancev2.ListInstancesRequest{Pagination: &filterv2.PaginationRequest{Limit: limit, Asc: true}}
		},
		func(t *testing.T, w kit.Wire, n *kit.Node, c kit.Call) (kit.Answer, []string) {
			var out instancev2.ListInstancesResponse
			a := w.Send(t, n.Client, c, &out)
			return a, instanceIDs(out.GetInstances())
		},
	},
	{
		"zitadel.instance.v2beta.InstanceService/ListInstances", []kit.Wire{kit.GRPC()},
		func(limit uint32) proto.Message {
			return &instancev2beta.ListInstancesRequest{Pagination: &filterv2beta.PaginationRequest{Limit: limit, Asc: true}}
		},
		func(t *testing.T, w kit.Wire, n *kit.Node, c kit.Call) (kit.Answer, []string) {
			var out instancev2beta.ListInstancesResponse
			a := w.Send(t, n.Client, c, &out)
			return a, instanceIDs(out.GetInstances())
		},
	},
}

// TestFollowPositions reads a list by the positions that answers carry, over every protocol and by
// every name. A position that was not given out to this caller is refused.
func TestFollowPositions(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		var want []string
		for i := range 5 {
			want = append(want, n.Client.Create(t, kit.Machine(fmt.Sprint("Acme ", i))).GetInstanceId())
		}
		slices.Sort(want)
		for _, p := range pagings {
			for _, w := range p.wires {
				send := func(who kit.User, page string, limit uint32) (kit.Answer, []string, string) {
					c := kit.Call{Method: p.method, Request: p.request(limit), Token: who.Token(t), Header: http.Header{}}
					if page != "" {
						c.Header.Set(call.PageHeader, page)
					}
					a, ids := p.ids(t, w, n, c)
					return a, ids, a.Header.Get(call.NextPageHeader)
				}
				first, seen, next := send(kit.Operator(), "", 2)
				if first.Code != codes.OK || len(seen) != 2 || next == "" {
					t.Fatalf("%s over %s: %v, %v, next page %q", p.method, w.Name, first, seen, next)
				}
				page := next
				for page != "" {
					var ids []string
					_, ids, page = send(kit.Operator(), page, 2)
					seen = append(seen, ids...)
				}
				if !slices.Equal(seen, want) {
					t.Errorf("%s over %s: %v, want %v", p.method, w.Name, seen, want)
				}
				for name, c := range map[string]struct {
					who  kit.User
					page string
				}{
					"of another caller": {kit.Viewer(), next}, "forged": {kit.Operator(), next[:len(next)-4] + "AAAA"}, "made up": {kit.Operator(), "2"},
				} {
					if a, ids, _ := send(c.who, c.page, 2); a.Code != codes.InvalidArgument || a.ID != "VAULT-pos01" || len(ids) != 0 {
						t.Errorf("%s over %s with a position %s: %v, %v", p.method, w.Name, name, a, ids)
					}
				}
			}
		}
	})
}
