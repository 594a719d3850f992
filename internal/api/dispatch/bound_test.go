package dispatch

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"castellan/internal/api/transport"
	"castellan/internal/dpop"
	"castellan/internal/dpop/dpoptest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/origin"

	instancev2 "castellan/gen/zitadel/instance/v2"
)

// seen remembers proofs.
type seen struct {
	ids map[[sha256.Size]byte]bool
	err error
}

func (s *seen) Once(_ context.Context, _ ident.InstanceID, id [sha256.Size]byte, _ time.Time) (bool, error) {
	first := !s.ids[id]
	s.ids[id] = true
	return first, s.err
}

// TestABoundToken has the user of an instance call with a token that is bound to a key.
func TestABoundToken(t *testing.T) {
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	const url, path = "http://a.example/zitadel.instance.v2.InstanceService/GetInstance", "/zitadel.instance.v2.InstanceService/GetInstance"
	mine, other := dpoptest.New(t), dpoptest.New(t)
	f, dir, _ := newInstanceFixture()
	dir.bound = mine.Thumbprint
	remembered := &seen{ids: make(map[[sha256.Size]byte]bool)}
	f.d.Proofs = &dpop.Checker{Clock: ident.NewManualClock(now), Seen: remembered}
	text := goodToken.Reveal()
	m := method(t, instancev2.File_zitadel_instance_v2_instance_service_proto, 0, "GetInstance")
	var challenged string // by the last answer
	run := func(scheme string, proofs ...string) error {
		h := http.Header{"Authorization": {scheme + " " + text}, "Dpop": proofs}
		c := &transport.Call{
			Method: m, FullMethod: path, Protocol: transport.GRPC, Header: h, ResponseHeader: http.Header{},
			Host: "a.example", Peer: "192.0.2.1:4711", RequestID: "r1", HTTPMethod: http.MethodPost, Path: path,
		}
		_, err := f.d.Dispatch(t.Context(), c, func(ctx context.Context, check transport.Check) (proto.Message, error) {
			request := &instancev2.GetInstanceRequest{}
			return request, check(ctx, request)
		})
		challenged = c.ResponseHeader.Get("WWW-Authenticate")
		return err
	}
	good := mine.Proof("POST", url, text, now)
	if err := run("DPoP", good); err != nil {
		t.Fatal(err)
	}
	if err := run("dpop", mine.Proof("POST", url, text, now)); err != nil {
		t.Errorf("the scheme in lower case: %v", err)
	}
	second := mine.Proof("POST", url, text, now)
	for name, err := range map[string]error{
		"as a bearer":      run("Bearer", mine.Proof("POST", url, text, now)),
		"no proof":         run("DPoP"),
		"a proof again":    run("DPoP", good),
		"two proofs":       run("DPoP", second, mine.Proof("POST", url, text, now)),
		"of another":       run("DPoP", other.Proof("POST", url, text, now)),
		"another verb":     run("DPoP", mine.Proof("GET", url, text, now)),
		"another call":     run("DPoP", mine.Proof("POST", url+"s", text, now)),
		"another host":     run("DPoP", mine.Proof("POST", "http://b.example"+path, text, now)),
		"another token":    run("DPoP", mine.Proof("POST", url, text+"x", now)),
		"too old":          run("DPoP", mine.Proof("POST", url, text, now.Add(-time.Hour))),
		"no proof at all":  run("DPoP", "x"),
		"two headers":      run("DPoP x, DPoP", mine.Proof("POST", url, text, now)),
		"an unknown token": func() error { dir.bound = "another"; return run("DPoP", second) }(),
	} {
		if fault.KindOf(err) != fault.Unauthenticated || fault.Of(err).ID != "AUTH-7fs1e" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.HasPrefix(challenged, `DPoP error="invalid_token", algs="ES256 `) {
		t.Errorf("an unknown token is challenged with %s", challenged)
	}
	dir.bound = mine.Thumbprint
	if err := run("DPoP", second); err != nil || challenged != "" {
		t.Errorf("a proof that did not count when the token was of no use: %v", err)
	}
	if err := run("DPoP", second); err == nil || !strings.HasPrefix(challenged, `DPoP error="invalid_dpop_proof", `) {
		t.Errorf("a proof again is challenged with %s", challenged)
	}
	remembered.err = errors.New("gone")
	if err := run("DPoP", mine.Proof("POST", url, text, now)); fault.KindOf(err) != fault.Internal {
		t.Errorf("nothing can be remembered: %v", err)
	}
	remembered.err, f.d.Proofs = nil, nil
	if err := run("DPoP", mine.Proof("POST", url, text, now)); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("where no proofs are taken: %v", err)
	}
}

// TestABoundTokenGoesOn asks again during a stream, long after the proof.
func TestABoundTokenGoesOn(t *testing.T) {
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	mine, clock := dpoptest.New(t), ident.NewManualClock(now)
	f, dir := hosted()
	dir.bound = mine.Thumbprint
	f.d.Proofs = &dpop.Checker{Clock: clock, Seen: &seen{ids: make(map[[sha256.Size]byte]bool)}}
	text := goodToken.Reveal()
	c := &transport.Call{
		Method: streamOf(t), Header: http.Header{"Authorization": {"DPoP " + text}, "Dpop": {mine.Proof("POST", "http://a.example/s", text, now)}},
		ResponseHeader: http.Header{}, Host: "a.example", Peer: "192.0.2.1:4711", HTTPMethod: http.MethodPost, Path: "/s",
	}
	var v visit
	var err error
	if v.admission, err = f.d.admit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	if err := f.d.admitAgain(t.Context(), c, &v); err != nil || v.user == nil {
		t.Errorf("it goes on: %v", err)
	}
	dir.bound = "another"
	if err := f.d.admitAgain(t.Context(), c, &v); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("when the token is of no use: %v", err)
	}
}

// TestAProofIsForThePublicURL has a proxy that ends TLS pass a call on under another host.
func TestAProofIsForThePublicURL(t *testing.T) {
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	mine := dpoptest.New(t)
	f, dir, _ := newInstanceFixture()
	dir.bound = mine.Thumbprint
	trusted, err := origin.ParseTrusted([]string{"192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	f.d.Origins = origin.NewResolver(trusted, false)
	f.d.Proofs = &dpop.Checker{Clock: ident.NewManualClock(now), Seen: &seen{ids: make(map[[sha256.Size]byte]bool)}}
	text := goodToken.Reveal()
	run := func(peer, url string) error {
		c := &transport.Call{
			Method: method(t, instancev2.File_zitadel_instance_v2_instance_service_proto, 0, "GetInstance"),
			Header: http.Header{
				"Authorization": {"DPoP " + text}, "Dpop": {mine.Proof("POST", url, text, now)},
				"X-Forwarded-Host": {"a.example:8443"}, "X-Forwarded-Proto": {"https"},
			},
			ResponseHeader: http.Header{}, Host: "a.example:8080", Peer: peer, HTTPMethod: http.MethodPost, Path: "/p",
		}
		_, err := f.d.admit(t.Context(), c)
		return err
	}
	const proxy, stranger, public, inside = "192.0.2.1:1", "198.51.100.1:1", "https://a.example:8443/p", "http://a.example:8080/p"
	for name, err := range map[string]error{"through the proxy": run(proxy, public), "without it": run(stranger, inside)} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"the inner URL through the proxy": run(proxy, inside), "what a stranger says": run(stranger, public),
		"without the port": run(proxy, "https://a.example/p"), "another scheme": run(proxy, "http://a.example:8443/p"),
	} {
		if fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}
