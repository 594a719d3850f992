package revocation

import (
	"crypto"
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/dpop/dpoptest"
	"castellan/internal/ident"
	"castellan/internal/server"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

func TestMain(m *testing.M) { kit.Main(m) }

// world is an instance in which everything is that the model speaks of, seen from one node or two.
type world struct {
	*testing.T
	nodes []*kit.Node
	clock ident.Clock
	// instance is the id of the instance, owner the token of its owner.
	instance, owner string
	// host is the domain at which paths are gone, hand the one at which elements are disabled, by node 1.
	host string
	hand *kit.Client
	// at calls the nodes by host.
	at []*kit.Client

	// By element: its id; the text of a credential or token, and what came with it; a private key with its id.
	id, text, beside map[string]string
	key              map[string]key
	// ends is when a credential ends that does not last; see [world.until].
	ends map[string]time.Time

	holder *dpoptest.Holder  // has the key that tokens are bound to
	signed map[string]string // assertions, which are good for long
	tails  []*kit.Stream     // of events, by node
	from   string            // the address the issuer is asked from
	// How many marks there are in the log, how many system users were made, how many checks, and how many tries of paths.
	marks, made, checks, tries int
}

// key is the private key of a user or an application.
type key struct {
	id     string
	signer crypto.Signer
}

// start runs the nodes that one database can have: two, or one. Tests are a proxy they trust.
func start(t *testing.T, b *kit.Backend, clock ident.Clock) []*kit.Node {
	t.Helper()
	change := func(c *server.Config) {
		c.TrustedProxies = []string{"127.0.0.0/8"}
		c.Clock = clock
	}
	nodes := []*kit.Node{b.Start(t, change)}
	if b.MultiNode() {
		nodes = append(nodes, b.Start(t, change))
	}
	return nodes
}

// newWorld makes a world, with all elements in it.
func newWorld(t *testing.T, nodes []*kit.Node, name string) *world {
	t.Helper()
	return newWorldAt(t, nodes, name, ident.SystemClock{}, nil)
}

// newWorldAt makes a world by a clock, in which the elements of ends do not last.
func newWorldAt(t *testing.T, nodes []*kit.Node, name string, clock ident.Clock, ends map[string]time.Time) *world {
	t.Helper()
	w := &world{
		T: t, nodes: nodes, clock: clock, host: name + ".example", hand: nodes[0].At(t, "hand."+name+".example"),
		id: make(map[string]string), text: make(map[string]string), beside: make(map[string]string),
		key: make(map[string]key), ends: maps.Clone(ends), holder: dpoptest.New(t), signed: make(map[string]string), tails: make([]*kit.Stream, len(nodes)),
	}
	w.from = address(0, 0)
	for _, n := range nodes {
		w.at = append(w.at, n.At(t, w.host))
	}
	for _, e := range elements {
		e.make(w)
	}
	return w
}

// public is the domain under which a proxy shows the instance.
func (w *world) public() string { return "public." + w.host }

// until is when a credential ends.
func (w *world) until(name string) *timestamppb.Timestamp {
	if end, short := w.ends[name]; short {
		return timestamppb.New(end)
	}
	return timestamppb.New(w.clock.Now().Add(365 * 24 * time.Hour))
}

// visits is how often paths are tried from one address: the failures they are expected to have are no reason yet to
// ask it to wait (package throttle).
const visits = 50

// address is one of those that somebody asks from.
func address(who, i int) string {
	return netip.AddrFrom4([4]byte{10, byte(who), byte(i >> 8), byte(i)}).String()
}

// do makes a call that must succeed, as the owner of the instance.
func (w *world) do(method string, in, into proto.Message) {
	w.Helper()
	if a := kit.GRPC().Send(w, w.hand, kit.Call{Method: method, Request: in, Token: w.owner}, into); a.Code != codes.OK {
		w.Fatalf("%s, %v: %v", method, in, a)
	}
}

// operate makes a call that must succeed, as an operator.
func (w *world) operate(method string, in, into proto.Message) {
	w.Helper()
	a := kit.GRPC().Send(w, w.nodes[0].Client, kit.Call{Method: method, Request: in, Token: w.systemToken(kit.Operator())}, into)
	if a.Code != codes.OK {
		w.Fatalf("%s, %v: %v", method, in, a)
	}
}

// systemToken is a token of a system user that is good by the clock of the world.
func (w *world) systemToken(u kit.User) string {
	w.Helper()
	now := w.clock.Now()
	return kit.JWT{Header: map[string]any{"alg": "ES256"}, Claims: u.Claims(), Key: u.Key}.With(map[string]any{
		"iat": now.Add(-time.Second).Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}).Sign(w)
}

// mark writes an event of the instance and returns the name that is in it.
func (w *world) mark() string {
	w.Helper()
	w.marks++
	name := fmt.Sprintf("Acme %d", w.marks)
	w.operate("UpdateInstance", &systemv1.UpdateInstanceRequest{InstanceId: w.instance, InstanceName: name}, nil)
	return name
}
