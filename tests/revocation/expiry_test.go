package revocation

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"castellan/internal/ident"
	"castellan/tests/kit"

	adminv1 "castellan/gen/zitadel/admin/v1"
)

// shifted is the clock of the machine, put forward.
type shifted struct{ by atomic.Int64 }

// Now implements [ident.Clock].
func (s *shifted) Now() time.Time { return ident.SystemClock{}.Now().Add(time.Duration(s.by.Load())) }

// forward puts the clock forward.
func (s *shifted) forward(by time.Duration) { s.by.Add(int64(by)) }

// soon is how long a credential or a token lasts after the one before.
const soon = 5 * time.Minute

// TestExpiry lets all tokens expire that were given out, and then one credential after the other: from the moment at
// which it ends, exactly the paths fail that rest on it or on one before.
func TestExpiry(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		clock := new(shifted)
		order := []string{"robot's key", "agent's PAT", "clerk's PAT", "auditor's PAT", "signer's key", "native's key", "robot's PAT", "service's key"}
		ends := make(map[string]time.Time)
		for i, name := range order {
			ends[name] = clock.Now().Add(time.Duration(i+2) * soon)
		}
		w := newWorldAt(t, start(t, b, clock), "expiry", clock, ends)
		w.mintFor(soon)
		down := state{}
		for _, e := range tokens() {
			down[e.name] = way{element: e.name, name: "expired"}
		}
		w.check(state{}, "in the beginning", paths, true)
		w.openTails()
		clock.forward(soon)
		w.check(down, "later", paths, false)

		w.mintFor(time.Hour)
		down = state{}
		w.check(down, "made anew", paths, false)
		for _, name := range order {
			w.openTails()
			clock.forward(soon)
			down[name] = way{element: name, name: "expired"}
			w.check(down, "later", paths, false)
		}
	})
}

// tokens are the elements that grants give.
func tokens() []element {
	return slices.DeleteFunc(slices.Clone(elements), func(e element) bool { return len(e.names) == 0 })
}

// mintFor makes all tokens anew, to last for some time.
func (w *world) mintFor(lifetime time.Duration) {
	w.Helper()
	d := durationpb.New(lifetime)
	w.do("zitadel.admin.v1.AdminService/UpdateOIDCSettings", &adminv1.UpdateOIDCSettingsRequest{
		AccessTokenLifetime: d, IdTokenLifetime: d, RefreshTokenIdleExpiration: d, RefreshTokenExpiration: d,
	}, nil)
	for _, e := range tokens() {
		e.make(w)
	}
}
