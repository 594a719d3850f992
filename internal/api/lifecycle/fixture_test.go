package lifecycle

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"castellan/internal/api/dispatch"
	"castellan/internal/api/transport"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/systemuser"
	"castellan/internal/vault"

	castellansystemv1 "castellan/gen/castellan/system/v1"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const operator, viewer = "operator", "viewer"

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// thing is the state of what stands for limits, quotas and features.
type thing struct{ eventlog.Head }

type (
	limitsSet   struct{}
	quotaSet    struct{}
	featureSet  struct{}
	unknownOne  struct{}
	userRenamed struct{}
)

func (limitsSet) EventType() string   { return "limits.set" }
func (quotaSet) EventType() string    { return "quota.set" }
func (featureSet) EventType() string  { return "feature.instance.login_default_org.set" }
func (unknownOne) EventType() string  { return "instance.something.of.tomorrow" }
func (userRenamed) EventType() string { return "user.username.changed" }

// standIn declares a noun with one event.
func standIn(typ string, payload eventlog.Payload) *eventlog.Noun[thing] {
	return eventlog.NewNoun(eventlog.Noun[thing]{
		Type: typ, Payloads: []eventlog.Payload{payload},
		Apply: func(s thing, e eventlog.Event) thing { s.Head = s.After(e); return s },
	})
}

var (
	limits   = standIn("limits", limitsSet{})
	quotas   = standIn("quota", quotaSet{})
	features = standIn("feature", featureSet{})
	users    = standIn("user", userRenamed{})
	tomorrow = standIn("instance", unknownOne{}) // in a log of its own
)

// fixture is the service on one database, served over HTTP.
type fixture struct {
	*testing.T
	db      store.DB
	keys    *vault.Keyring
	log     *eventlog.Log
	clock   *ident.ManualClock
	users   *systemuser.Registry
	service *Service
	beat    chan time.Time
	url     string
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start), beat: make(chan time.Time)}
		f.keys = vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, f.keys, f.clock, instance.Noun, limits, quotas, features, users, systemuser.Noun)
		var err error
		f.users, err = systemuser.NewRegistry(configured(t), "https://id.example", f.clock)
		f.must(err)
		f.users.Ask(db)
		f.service = &Service{
			DB: db, Instances: &instance.Service{DB: db, Log: f.log}, Log: f.log, Clock: f.clock,
			Operators:  &systemuser.Service{DB: db, Log: f.log, Users: f.users, Clock: f.clock},
			Tail:       eventlog.NewTail(f.log, ticks),
			Positions:  f.keys.Positions(),
			Beat:       func() (<-chan time.Time, func()) { return f.beat, func() {} },
			MaxWatches: 3,
		}
		f.must(f.service.Operators.Prepare(t.Context()))
		calls := transport.New(transport.Config{
			Logger: slog.New(slog.DiscardHandler),
			Dispatcher: &dispatch.Dispatcher{
				Users: callers{f}, Logger: slog.New(slog.DiscardHandler), Metrics: dispatch.NewMetrics(prometheus.NewRegistry()),
			},
		})
		castellansystemv1.RegisterInstanceLifecycleServiceServer(calls, f.service)
		server := httptest.NewServer(calls.Handler())
		t.Cleanup(server.Close)
		f.url = server.URL
		fn(f)
	})
}

// ticks makes a follower look often: tests that run in parallel share a server, and with it the
// order of transactions.
func ticks() (<-chan time.Time, func()) {
	t := time.NewTicker(5 * time.Millisecond)
	return t.C, t.Stop
}

// configured are the users of the configuration.
func configured(t testing.TB) []systemuser.Config {
	return []systemuser.Config{
		{Name: operator, KeyData: publicKey(t)},
		{Name: viewer, KeyData: publicKey(t), Memberships: []systemuser.MembershipConfig{
			{MemberType: "System", Roles: []string{"SYSTEM_OWNER_VIEWER"}},
		}},
	}
}

// publicKey returns a fresh public key as PEM.
func publicKey(t testing.TB) string {
	t.Helper()
	_, public, err := systemuser.GenerateKey(systemuser.KindEd25519)
	if err != nil {
		t.Fatal(err)
	}
	return string(public)
}

// callers knows users by tokens that are their names.
type callers struct{ f *fixture }

func (c callers) Authenticate(ctx context.Context, authorization []string) (systemuser.Caller, error) {
	token, err := systemuser.BearerToken(authorization)
	if err != nil {
		return systemuser.Caller{}, err
	}
	p, err := c.f.as(ctx, ident.Actor(token))
	if err != nil {
		return systemuser.Caller{}, err
	}
	return c.f.users.Still(ctx, nil, p)
}

// as is the proof of a caller that uses the key that counts now; of one whom nobody knows it is the
// name alone.
func (f *fixture) as(ctx context.Context, name ident.Actor) (systemuser.Proof, error) {
	list, err := f.service.Operators.List(ctx)
	for _, l := range list {
		if l.Name == name && !l.Overridden {
			return systemuser.Proof{Name: name, Sequence: l.Sequence, Key: l.Keys[0].Fingerprint}, nil
		}
	}
	return systemuser.Proof{Name: name}, err
}

// operator is the proof of the operator.
func (f *fixture) operator() systemuser.Proof {
	f.Helper()
	p, err := f.as(f.Context(), operator)
	f.must(err)
	return p
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// make makes an instance with two domains.
func (f *fixture) make(id ident.InstanceID) {
	f.Helper()
	f.must(f.log.Write(f.Context(), id, operator, func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		generated := string(id) + ".id.example"
		_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
			instance.Added{Name: string(id)}, instance.DomainAdded{Domain: generated, Generated: true},
			instance.DomainPrimarySet{Domain: generated})
		return err
	}))
}

// begin writes an event of something that belongs to an instance.
func begin(f *fixture, id ident.InstanceID, n *eventlog.Noun[thing], p eventlog.Payload) {
	f.Helper()
	f.must(f.log.Write(f.Context(), id, operator, func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, n, eventlog.Origin{ID: string(id), Owner: string(id)}, p)
		return err
	}))
}

// answer is what came back over REST.
type answer struct {
	Status int
	Code   int
	ID     string
	Fields []string
	body   []byte
}

// send sends one call over REST as a user.
func (f *fixture) send(as, verb, path, body string) answer {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), verb, f.url+"/castellan/v1"+path, strings.NewReader(body))
	f.must(err)
	req.Header.Set("Authorization", "Bearer "+as)
	resp, err := http.DefaultClient.Do(req)
	f.must(err)
	defer resp.Body.Close()
	a := answer{Status: resp.StatusCode}
	a.body, err = io.ReadAll(resp.Body)
	f.must(err)
	if a.Status == http.StatusOK {
		return a
	}
	var status struct {
		Code    int
		Details []struct {
			ID              string
			FieldViolations []struct{ Field string }
		}
	}
	if err := json.Unmarshal(a.body, &status); err != nil {
		f.Fatalf("%s %s: status %d with %q", verb, path, a.Status, a.body)
	}
	a.Code = status.Code
	for _, d := range status.Details {
		a.ID += d.ID
		for _, v := range d.FieldViolations {
			a.Fields = append(a.Fields, v.Field)
		}
	}
	return a
}

// call sends a call of the operator that must succeed, and reads its answer into out.
func (f *fixture) call(out proto.Message, verb, path, body string) {
	f.Helper()
	a := f.send(operator, verb, path, body)
	if a.Status != http.StatusOK {
		f.Fatalf("%s %s: status %d: %s", verb, path, a.Status, a.body)
	}
	f.must(protojson.Unmarshal(a.body, out))
}

// refused sends a call and checks the fault it is answered with. It must write nothing.
func (f *fixture) refused(as, verb, path, body string, status int, id string, fields ...string) {
	f.Helper()
	before := f.count()
	a := f.send(as, verb, path, body)
	if a.Status != status || a.ID != id || !slices.Equal(a.Fields, fields) {
		f.Errorf("%s %s %s as %s: %d, id %q, fields %q, %s; want %d, %q, %q",
			verb, path, body, as, a.Status, a.ID, a.Fields, a.body, status, id, fields)
	}
	if after := f.count(); after != before {
		f.Errorf("%s %s left %d events", verb, path, after-before)
	}
}

// count is the number of all events.
func (f *fixture) count() int {
	f.Helper()
	n, err := store.One(f.Context(), f.db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`SELECT count(*) FROM events`)
	f.must(err)
	return n
}

// types are those of the events of an instance.
func (f *fixture) types(id ident.InstanceID) []string {
	f.Helper()
	return logtest.Types(f, f.db, f.log, id)
}

// equal checks a message.
func (f *fixture) equal(got, want proto.Message) {
	f.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		f.Errorf("%T (-want +got):\n%s", got, diff)
	}
}
