package origin

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	trusted, err := ParseTrusted([]string{"10.0.0.0/8", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	r := NewResolver(trusted, false)
	for name, tt := range map[string]struct {
		peer  string
		lines []string
		want  string // empty: none
	}{
		"alone":                      {"192.0.2.1:1234", nil, "192.0.2.1"},
		"IPv6":                       {"[2001:db8::1%eth0]:1", nil, "2001:db8::1"},
		"mapped":                     {"[::ffff:192.0.2.1]:1", nil, "192.0.2.1"},
		"no peer":                    {"@", nil, ""},
		"a stranger's header":        {"192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1"},
		"through a proxy":            {"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"through a proxy over IPv6":  {"[fd00::1]:1", []string{"2001:db8::2"}, "2001:db8::2"},
		"through two":                {"10.0.0.1:1", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"through two, in two lines":  {"10.0.0.1:1", []string{"198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		"made up before":             {"10.0.0.1:1", []string{"203.0.113.9,198.51.100.1"}, "198.51.100.1"},
		"made up, of a proxy":        {"10.0.0.1:1", []string{"10.0.0.9,198.51.100.1"}, "198.51.100.1"},
		"garbage before":             {"10.0.0.1:1", []string{"x,198.51.100.1"}, "198.51.100.1"},
		"garbage":                    {"10.0.0.1:1", []string{"198.51.100.1,x"}, ""},
		"with a port":                {"10.0.0.1:1", []string{"198.51.100.1:80"}, ""},
		"empty":                      {"10.0.0.1:1", []string{""}, ""},
		"the proxy itself":           {"10.0.0.1:1", nil, "10.0.0.1"},
		"proxies all the way":        {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"proxies, an endless number": {"10.0.0.1:1", []string{"198.51.100.1" + strings.Repeat(",10.0.0.2", 5000)}, "10.0.0.2"},
	} {
		got := r.Client(&http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.lines}})
		var want netip.Addr
		if tt.want != "" {
			want = netip.MustParseAddr(tt.want)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	var none *Resolver
	if got := none.Client(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}); got.String() != "10.0.0.1" {
		t.Errorf("of no resolver: %s", got)
	}
}
