package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"castellan/bench/rows"
	"castellan/internal/store"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

const id = "300000000000000001"

// newHandler returns a handler of a database with one instance.
func newHandler(t *testing.T) *handler {
	t.Helper()
	db, err := open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "bare.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	err = db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		err := tx.Exec(ctx, `INSERT INTO instances (instance_id, name, defaults_version, default_language, default_org_id,
 iam_project_id, console_app_id, console_client_id, sequence, created_at, changed_at)
 VALUES ($1, 'n', 1, 'en', '', '', '', '', 1, 2, 3)`, id)
		if err != nil {
			return err
		}
		return tx.Exec(ctx, `INSERT INTO instance_domains (domain, instance_id, is_generated, is_primary, sequence,
 created_at, changed_at) VALUES ('n-abc123.localhost', $1, TRUE, TRUE, 1, 2, 3)`, id)
	})
	if err != nil {
		t.Fatal(err)
	}
	shape, err := rows.Capture(t.Context(), db, id)
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{db: db, created: []byte(`{"instanceId":"7"}`)}
	if h.writer, err = rows.NewWriter(shape, db.Dialect()); err != nil {
		t.Fatal(err)
	}
	wire, err := proto.Marshal(&systemv1.GetInstanceResponse{Instance: &instancev1.InstanceDetail{Id: id}})
	if err != nil {
		t.Fatal(err)
	}
	h.answers = map[string]rows.Answer{id: {REST: []byte(`{"instance":{}}`), GRPC: wire}}
	return h
}

func TestRESTReturnsTheGivenBytes(t *testing.T) {
	h := newHandler(t)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", pathReady, 200, ""},
		{"GET", pathGet + id, 200, `{"instance":{}}`},
		{"GET", pathGet + "1", 500, "unknown instance\n"},
		{"GET", "/other", 404, "404 page not found\n"},
		{"POST", pathCreate, 200, `{"instanceId":"7"}`},
		{"POST", pathDomain + "n-abc123.localhost" + suffixExists, 200, `{"exists":true}`},
		{"POST", pathDomain + "n.localhost" + suffixExists, 200, `{}`},
		{"POST", pathGet + id + suffixAdd, 200, `{"details":{}}`},
		{"POST", pathDomain + "new.example" + suffixExists, 200, `{"exists":true}`},
		{"POST", pathGet + "1" + suffixAdd, 500, "store: no such row\n"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(`{"domain":"new.example"}`)))
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s %s: %d %q", c.method, c.path, w.Code, w.Body)
		}
	}
}

func TestCreateCommitsOneInstanceEachTime(t *testing.T) {
	h := newHandler(t)
	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, pathCreate, strings.NewReader("{}")))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	n, err := store.One(t.Context(), h.db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`SELECT count(*) FROM instances i JOIN instance_domains d ON d.instance_id = i.instance_id`)
	if err != nil || n != 4 {
		t.Errorf("%d instances, error %v; want 4", n, err)
	}
}

// TestGRPCSpeaksToAnOrdinaryClient is about the frames and trailers, which are written by hand.
func TestGRPCSpeaksToAnOrdinaryClient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, l, h) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	calls := systemv1.NewSystemServiceClient(conn)
	for range 2 {
		answer, err := calls.GetInstance(t.Context(), &systemv1.GetInstanceRequest{InstanceId: id})
		if err != nil || answer.GetInstance().GetId() != id {
			t.Errorf("%v, %v", answer, err)
		}
	}
	if answer, err := calls.GetInstance(t.Context(), &systemv1.GetInstanceRequest{InstanceId: "1"}); err == nil {
		t.Errorf("an unknown instance is %v", answer)
	}
}

func FuzzRequestID(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 3, fieldID, 1, '7'})
	f.Add([]byte{0, 0, 0, 0, 3, fieldID, 200, '7'})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, body []byte) {
		id, err := requestID(body)
		if err == nil && len(id) != len(body)-frameHead-2 {
			t.Errorf("%q of %x", id, body)
		}
	})
}
