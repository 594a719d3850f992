package origin

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxHops is how many addresses of X-Forwarded-For are looked at, from the last.
const maxHops = 16

// Client returns the address a request came from, as far as that can be known: that of the peer, or, when
// the peer is a trusted proxy, the last address in X-Forwarded-For that is none. It is the zero Addr when
// the peer has none, or when a trusted proxy says what is no address. One that is nil trusts nobody.
func (r *Resolver) Client(q *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(q.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := peer.Addr().Unmap().WithZone("")
	if r == nil || !r.trusts(q.RemoteAddr) {
		return client
	}
	// Each proxy appends the address it was asked from; what comes before is what clients make up.
	lines := q.Header.Values("X-Forwarded-For")
	hops := strings.Split(strings.Join(lines, ","), ",")
	if len(lines) == 0 {
		return client
	}
	for i := len(hops) - 1; i >= 0 && i >= len(hops)-maxHops; i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return netip.Addr{}
		}
		if client = addr.Unmap().WithZone(""); !r.trustsAddr(client) {
			return client
		}
	}
	return client
}
