package system_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
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
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/dispatch"
	"castellan/internal/api/system"
	"castellan/internal/api/transport"
	"castellan/internal/app"
	"castellan/internal/delivery"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/feature"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/once"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/project"
	"castellan/internal/provision"
	"castellan/internal/quota"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/systemuser"
	"castellan/internal/user"
	"castellan/internal/vault"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is the System API on one database, served over HTTP.
type fixture struct {
	*testing.T
	db    store.DB
	log   *eventlog.Log
	clock *ident.ManualClock
	url   string
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
		keyring := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keyring, f.clock,
			instance.Noun, org.Noun, user.Noun, pat.Noun, machinekey.Noun, member.Noun, project.Noun, app.Noun,
			delivery.Noun, quota.Noun, limit.Noun, feature.Noun)
		ids, instances := ident.NewSource(grant{}, f.clock), &instance.Service{DB: db, Log: f.log}
		calls := transport.New(transport.Config{
			Logger: slog.New(slog.DiscardHandler),
			Dispatcher: &dispatch.Dispatcher{
				Users: callers{}, Logger: slog.New(slog.DiscardHandler), Metrics: dispatch.NewMetrics(prometheus.NewRegistry()),
			},
		})
		systemv1.RegisterSystemServiceServer(calls, &system.Service{
			DB: db, Log: f.log,
			Provision: &provision.Service{
				DB: db, Log: f.log, Once: once.NewBook(keyring, f.clock), IDs: ids,
				Clock: f.clock, Random: rand.Reader, Passwords: passwords{}, Keys: keys{}, ExternalDomain: "id.example", Secure: true,
			},
			Deliveries: &delivery.Service{DB: db, Log: f.log},
			Instances:  instances, Clock: f.clock, Version: "test",
			Quotas:   &quota.Service{DB: db, Log: f.log, IDs: ids, Hold: instances.Hold},
			Limits:   &limit.Service{Log: f.log, Hold: instances.Hold},
			Features: &feature.Service{Log: f.log, Hold: instances.Hold},
			Lister:   instance.NewLister(db, f.log, keyring.Positions(), f.clock),
		})
		server := httptest.NewServer(calls.Handler())
		t.Cleanup(server.Close)
		f.url = server.URL
		fn(f)
	})
}

// callers knows an operator and a viewer, by tokens that are their names.
type callers struct{}

const operator, viewer, nobody = "operator", "viewer", "nobody"

func (callers) Authenticate(_ context.Context, authorization []string) (systemuser.Caller, error) {
	roles := map[string]string{"Bearer " + operator: "SYSTEM_OWNER", "Bearer " + viewer: "SYSTEM_OWNER_VIEWER"}
	if len(authorization) != 1 || roles[authorization[0]] == "" {
		return systemuser.Caller{}, fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
	}
	return systemuser.Caller{
		Name:        ident.Actor(strings.TrimPrefix(authorization[0], "Bearer ")),
		Memberships: []systemuser.Membership{{Type: systemuser.System, Roles: []string{roles[authorization[0]]}}},
	}, nil
}

// grant gives one slot to a source for ever.
type grant struct{}

func (grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(1, 0, 0)}, nil
}

// passwords hashes at no cost.
type passwords struct{}

func (passwords) Hash(_ context.Context, _, password string) (string, error) {
	return "$test$" + password, nil
}

// keys makes keys; no test here asks for one.
type keys struct{}

func (keys) Take(context.Context) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

// request is one call over REST.
type request struct {
	verb, path, body string
	as               string // empty: the operator
	onceKey          string // of the header Idempotency-Key
}

// answer is what came back.
type answer struct {
	Status  int
	Code    int      // of a google.rpc.Status
	Message string   // of the same
	ID      string   // of its ErrorDetail
	Fields  []string // of its BadRequest
	body    []byte
}

func (f *fixture) send(r request) answer {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), r.verb, f.url+"/system/v1"+r.path, strings.NewReader(r.body))
	f.must(err)
	if r.as == "" {
		r.as = operator
	}
	req.Header.Set("Authorization", "Bearer "+r.as)
	if r.onceKey != "" {
		req.Header.Set("Idempotency-Key", r.onceKey)
	}
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
		Message string
		Details []struct {
			ID              string
			FieldViolations []struct{ Field string }
		}
	}
	if err := json.Unmarshal(a.body, &status); err != nil {
		f.Fatalf("%s %s: status %d with %q", r.verb, r.path, a.Status, a.body)
	}
	a.Code, a.Message = status.Code, status.Message
	for _, d := range status.Details {
		a.ID += d.ID
		for _, v := range d.FieldViolations {
			a.Fields = append(a.Fields, v.Field)
		}
	}
	return a
}

// call sends a request that must succeed, and reads its answer into out.
func (f *fixture) call(out proto.Message, verb, path, body string) {
	f.Helper()
	f.decode(out, f.send(request{verb: verb, path: path, body: body}))
}

func (f *fixture) decode(out proto.Message, a answer) {
	f.Helper()
	if a.Status != http.StatusOK {
		f.Fatalf("status %d: %s", a.Status, a.body)
	}
	f.must(protojson.Unmarshal(a.body, out))
}

// refused sends a request and checks the fault it is answered with. It must change nothing.
func (f *fixture) refused(r request, status int, id string, fields ...string) {
	f.Helper()
	before := f.count()
	a := f.send(r)
	if a.Status != status || a.ID != id || !slices.Equal(a.Fields, fields) {
		f.Errorf("%s %s %s: %d, id %q, fields %q, %s; want %d, %q, %q", r.verb, r.path, r.body, a.Status, a.ID, a.Fields, a.body, status, id, fields)
	}
	if after := f.count(); after != before {
		f.Errorf("%s %s left %d events", r.verb, r.path, after-before)
	}
}

// hidden checks that a call about an instance that does not exist is not found, and that only
// who may make the call learns so.
func (f *fixture) hidden(verb, path, body string, reads bool) {
	f.Helper()
	r := request{verb: verb, path: path, body: body}
	a := f.send(r)
	id := "404"
	if rest, ok := strings.CutPrefix(path, "/instances/"); ok {
		id, _, _ = strings.Cut(rest, "/")
	}
	text := "unable to set instance using id " + id + ": ID=QUERY-1kIjX Message=Instance not found"
	if a.Status != http.StatusNotFound || a.Code != 5 || a.Message != text || a.ID != "" {
		f.Errorf("%s %s: %d %s", verb, path, a.Status, a.body)
	}
	r.as = nobody
	f.refused(r, http.StatusUnauthorized, "AUTH-7fs1e")
	if r.as = viewer; reads {
		if a := f.send(r); a.Status != http.StatusNotFound {
			f.Errorf("%s %s as a viewer: %d %s", verb, path, a.Status, a.body)
		}
		return
	}
	f.refused(r, http.StatusForbidden, "AUTH-5mWD2")
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// count is the number of events of all instances.
func (f *fixture) count() int {
	f.Helper()
	n, err := store.One(f.Context(), f.db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`SELECT count(*) FROM events`)
	f.must(err)
	return n
}

// create makes an instance that a machine owns, and returns its id.
func (f *fixture) create(name, domain string) string {
	f.Helper()
	body, err := json.Marshal(map[string]any{
		"instanceName": name, "customDomain": domain, "machine": map[string]string{"userName": "robot", "name": "Robot"},
	})
	f.must(err)
	var out systemv1.CreateInstanceResponse
	f.call(&out, http.MethodPost, "/instances/_create", string(body))
	return out.GetInstanceId()
}

// left checks which events the calls since before have left on an instance, and that they fold
// into the rows that are there.
func (f *fixture) left(id string, before int, want ...string) {
	f.Helper()
	types := logtest.Types(f, f.db, f.log, ident.InstanceID(id))
	if got := types[before:]; !slices.Equal(got, want) {
		f.Errorf("events %v, want %v", got, want)
	}
	logtest.CheckFold(f, f.db, f.log)
}

// events is how many events an instance has.
func (f *fixture) events(id string) int {
	f.Helper()
	return len(logtest.Types(f, f.db, f.log, ident.InstanceID(id)))
}

// equal checks a message.
func (f *fixture) equal(got, want proto.Message) {
	f.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		f.Errorf("%T (-want +got):\n%s", got, diff)
	}
}

// get reads an instance.
func (f *fixture) get(id string) instance.State {
	f.Helper()
	s, err := instance.Get(f.Context(), f.db, ident.InstanceID(id))
	f.must(err)
	return s
}

// details are those of a write on an instance: with one date, which is now.
func (f *fixture) details(id string, creation bool) *zitadelv1.ObjectDetails {
	f.Helper()
	s := f.get(id)
	d := &zitadelv1.ObjectDetails{Sequence: s.Sequence, ResourceOwner: id}
	if now := timestamppb.New(f.clock.Now()); creation {
		d.CreationDate = now
	} else {
		d.ChangeDate = now
	}
	return d
}
