// Package tenant_test proves the APIs of an instance as its owner's automation sees them: what each call
// answers, at the instance's own host and with a token it has given out, and which events it leaves; on
// every engine and over every protocol.
package tenant_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/tests/kit"
)

func TestMain(m *testing.M) {
	names.serve()
	kit.Main(m, everyMethod)
}

// tenant is an instance right after its creation, and one protocol in which it is called.
type tenant struct {
	*testing.T
	Wire kit.Wire
	// Node is the server, for what operators do.
	Node *kit.Node
	// At calls by the host of the instance.
	At *kit.Client
	// ID is that of the instance, Org that of its organization, Owner that of the machine that owns it.
	ID, Org, Owner string
	// Token is the personal access token of Owner; calls without another are made with it.
	Token string
	// Made is how many events the instance began with.
	Made int
}

// eachWire runs fn on a fresh instance for each protocol, on each engine.
func eachWire(t *testing.T, fn func(x *tenant)) {
	t.Helper()
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		for _, w := range kit.Wires() {
			if w.Name == kit.Printed().Name { // a spelling of the System API alone
				continue
			}
			t.Run(w.Name, func(t *testing.T) {
				x := newTenant(t, n, w.Name+".example")
				x.Wire = w
				fn(x)
			})
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// onGRPC runs fn on a fresh instance on each engine, called over gRPC: for what no protocol changes.
func onGRPC(t *testing.T, fn func(x *tenant)) {
	t.Helper()
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		x := newTenant(t, n, "acme.example")
		x.Wire = kit.GRPC()
		fn(x)
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// newTenant makes an instance at a host.
func newTenant(t *testing.T, n *kit.Node, host string) *tenant {
	t.Helper()
	made := n.Create(t, kit.WithDomain(kit.Machine("Acme"), host))
	x := &tenant{
		T: t, Wire: kit.GRPC(), Node: n, At: n.At(t, host), ID: made.GetInstanceId(),
		Org: made.GetDetails().GetResourceOwner(), Token: made.GetPat(),
	}
	x.Owner = kit.Column[string](t, n.DB(), `SELECT user_id FROM users WHERE instance_id = $1`, x.ID)[0]
	x.Made = len(x.Events())
	return x
}

// Events are the types of all events of the instance.
func (x *tenant) Events() []string {
	x.Helper()
	return logtest.Types(x, x.Node.DB(), x.Node.Events(), ident.InstanceID(x.ID))
}

// as returns the tenant as another caller sees it.
func (x *tenant) as(token string) *tenant {
	other := *x
	other.Token = token
	return &other
}

// try makes a call of a method such as zitadel.admin.v1.AdminService/GetMyInstance; header are pairs of
// name and value.
func (x *tenant) try(method string, in, into proto.Message, header ...string) kit.Answer {
	x.Helper()
	c := kit.Call{Method: method, Request: in, Token: x.Token, Header: make(map[string][]string)}
	for i := 0; i < len(header); i += 2 {
		c.Header.Set(header[i], header[i+1])
	}
	return x.Wire.Send(x, x.At, c, into)
}

// read makes a call that must succeed, and leave no event. into gets the answer.
func (x *tenant) read(method string, in, into proto.Message, header ...string) {
	x.Helper()
	x.write(method, in, into, nil, header...)
}

// write makes a call that must succeed, and leave the given events. into gets the answer.
func (x *tenant) write(method string, in, into proto.Message, events []string, header ...string) {
	x.Helper()
	before := len(x.Events())
	if a := x.try(method, in, into, header...); a.Code != codes.OK {
		x.Fatalf("%s %v: %v", method, in, a)
	}
	if left := x.Events()[before:]; !slices.Equal(left, events) {
		x.Errorf("%s %v left %v, want %v", method, in, left, events)
	}
	covered.Add(method, x.Wire)
}

// refused makes a call that must be refused, and leave nothing.
func (x *tenant) refused(method string, in proto.Message, code codes.Code, id string, header ...string) kit.Answer {
	x.Helper()
	before := len(x.Events())
	a := x.try(method, in, nil, header...)
	if a.Code != code || a.ID != id || id != "" && !strings.HasSuffix(a.Message, "("+id+")") {
		x.Errorf("%s %v: %v, want %v %s", method, in, a, code, id)
	}
	if left := x.Events()[before:]; len(left) > 0 {
		x.Errorf("%s %v was refused and left %v", method, in, left)
	}
	return a
}

// equal fails the test unless two messages are.
func (x *tenant) equal(got, want proto.Message, options ...cmp.Option) {
	x.Helper()
	if diff := cmp.Diff(want, got, append(options, protocmp.Transform())...); diff != "" {
		x.Errorf("answer (-want +got):\n%s", diff)
	}
}
