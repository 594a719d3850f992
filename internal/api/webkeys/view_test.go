package webkeys

import (
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/webkey"

	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

// TestEveryKeyIsShownAsItIsAskedFor compares what is asked for with what is shown of it.
func TestEveryKeyIsShownAsItIsAskedFor(t *testing.T) {
	var all []*webkeyv2.CreateWebKeyRequest
	for bits := range lengths {
		for hash := range hashes {
			all = append(all, &webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Rsa{Rsa: &webkeyv2.RSA{Bits: bits, Hasher: hash}}})
		}
	}
	for curve := range curves {
		all = append(all, &webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Ecdsa{Ecdsa: &webkeyv2.ECDSA{Curve: curve}}})
	}
	all = append(all, &webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Ed25519{}})
	seen := make(map[webkey.Config]bool)
	for _, req := range all {
		config := configOf(req)
		if seen[config] {
			t.Errorf("%v is asked for in two ways", config)
		}
		seen[config] = true
		shown := show(webkey.State{Config: config})
		if shown.GetRsa().GetBits() != req.GetRsa().GetBits() || shown.GetRsa().GetHasher() != req.GetRsa().GetHasher() ||
			shown.GetEcdsa().GetCurve() != req.GetEcdsa().GetCurve() || shown.GetKey() == nil {
			t.Errorf("%v is shown as %v", req, shown)
		}
	}
	if configOf(&webkeyv2.CreateWebKeyRequest{}) != webkey.First {
		t.Error("a request without a key asks for another one than the first")
	}
}

func TestStatesAndDates(t *testing.T) {
	made := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	for state, want := range map[string]webkeyv2.State{
		webkey.Initial: webkeyv2.State_STATE_INITIAL, webkey.Active: webkeyv2.State_STATE_ACTIVE, webkey.Inactive: webkeyv2.State_STATE_INACTIVE,
	} {
		head := eventlog.Restore("1", "7", "1", 2, made.UnixMicro(), made.Add(time.Hour).UnixMicro())
		got := show(webkey.State{Head: head, State: state, Config: webkey.First})
		if got.GetState() != want || got.GetId() != "7" || !got.GetCreationDate().AsTime().Equal(made) ||
			!got.GetChangeDate().AsTime().Equal(made.Add(time.Hour)) {
			t.Errorf("%s: %v", state, got)
		}
	}
	if timestamp(time.Time{}) != nil {
		t.Error("no time is shown as one")
	}
}
