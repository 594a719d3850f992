package origin

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/fault"
)

// proxy is the address of the trusted proxy of the tests.
const proxy = "10.1.2.3:4711"

// resolver trusts the proxy.
func resolver(t testing.TB, secure bool) *Resolver {
	t.Helper()
	trusted, err := ParseTrusted([]string{"10.1.0.0/16", "fd00::7"})
	if err != nil {
		t.Fatal(err)
	}
	return NewResolver(trusted, secure)
}

// header makes a header of name, value, name, value.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// hostile are headers that all say something else than the request's own host.
var hostile = header(
	"X-Zitadel-Instance-Host", "evil.example", "Forwarded", "host=evil.example;proto=https", "X-Zitadel-Forwarded", "host=evil.example",
	"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Zitadel-Public-Host", "evil.example", "X-Forwarded-For", "host=evil.example",
	"X-Forwarded-Port", "444", "X-Forwarded-Server", "evil.example", "X-Original-Host", "evil.example", "X-Host", "evil.example",
	"Origin", "https://evil.example", "Referer", "https://evil.example/", "Host", "evil.example",
)

// TestHeadersOfStrangers: without a trusted proxy a header changes nothing, however it is written.
func TestHeadersOfStrangers(t *testing.T) {
	malformed := header("Forwarded", `host="`, "X-Forwarded-Host", "a b", "X-Zitadel-Public-Host", strings.Repeat("x", 9000))
	for _, r := range []*Resolver{nil, {}, NewResolver(nil, false), resolver(t, false)} {
		for _, peer := range []string{"192.0.2.1:1", "10.2.0.1:1", "[fd00::8]:1", "[::ffff:10.2.0.1]:1", "", "@", "10.1.2.3", "10.1.2.3:x"} {
			for _, h := range []http.Header{nil, hostile, malformed} {
				got, err := r.Resolve(Request{Host: "acme.example:8080", Peer: peer, Header: h})
				if diff := cmp.Diff(Origin{Scheme: "http", InstanceHost: "acme.example:8080"}, got); diff != "" || err != nil {
					t.Errorf("from %q: %v (-want +got):\n%s", peer, err, diff)
				}
			}
		}
	}
}

func TestScheme(t *testing.T) {
	for _, c := range []struct {
		secure, tls bool
		peer        string
		header      http.Header
		want        string
	}{
		{false, false, "", nil, "http"},
		{false, true, "", nil, "https"},
		{true, false, "", nil, "https"},
		{true, false, proxy, header("X-Forwarded-Proto", "http"), "https"},
		{false, true, proxy, header("X-Forwarded-Proto", "http"), "http"},
		{false, false, proxy, header("X-Forwarded-Proto", "HTTPS"), "https"},
		{false, false, proxy, header("Forwarded", "proto=https", "X-Forwarded-Proto", "http"), "https"},
		{false, false, proxy, header("X-Zitadel-Forwarded", "proto=https", "X-Forwarded-Proto", "http"), "https"},
		{false, false, proxy, header("Forwarded", "host=a.example", "X-Forwarded-Proto", "https, https"), "https"},
		{false, false, "192.0.2.1:1", header("X-Forwarded-Proto", "https"), "http"},
	} {
		got, err := resolver(t, c.secure).Resolve(Request{Host: "a.example", Peer: c.peer, TLS: c.tls, Header: c.header})
		if got.Scheme != c.want || err != nil {
			t.Errorf("%+v: %q, %v", c, got.Scheme, err)
		}
	}
}

// parameters are some parameters of one proxy, which mean nothing.
func parameters(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("p%d=a", i)
	}
	return strings.Join(all, ";")
}

// TestHeadersOfAProxy: which of its headers counts, and what it says.
func TestHeadersOfAProxy(t *testing.T) {
	all := []string{
		"X-Zitadel-Instance-Host", "one.example", "Forwarded", "for=192.0.2.9;host=two.example:2", "X-Zitadel-Forwarded", "host=three.example",
		"X-Forwarded-Host", "four.example",
	}
	for want, pairs := range map[string][]string{
		"one.example":       all,
		"two.example:2":     all[2:],
		"three.example":     all[4:],
		"four.example":      all[6:],
		"five.example":      {"X-Zitadel-Instance-Host", " ", "Forwarded", "", "X-Zitadel-Forwarded", "for=x", "X-Forwarded-Host", "five.example"},
		"own.example:80":    {"X-Forwarded-For", "host=evil.example", "X-Forwarded-Host", ""},
		"six.example":       {"X-Zitadel-Instance-Host", "\tsix.example "},
		"seven.example:443": {"Forwarded", ` For="[2001:db8::1]:4711" ;Host="seven.example:443";  by=_x , host="SEVEN.example:443";`},
		"eight.example:1":   {"Forwarded", "host=eight.example:1", "Forwarded", "for=a, host=eight.example:1"},
		"nine.example":      {"X-Forwarded-Host", "nine.example, NINE.example", "X-Forwarded-Host", "nine.example"},
		"ten.example":       {"Forwarded", `host="ten\.example", , by="a	b ~"`},
		"eleven.example":    {"Forwarded", "host=eleven.example" + strings.Repeat(", for=a", maxElements-1)},
		"twelve.example":    {"Forwarded", "host=twelve.example;" + parameters(maxPairs-1)},
		"[2001:db8::1]:8":   {"X-Zitadel-Instance-Host", "[2001:db8::1]:8"},
		"a_b.example":       {"X-Forwarded-Host", "a_b.example"},
	} {
		for _, peer := range []string{proxy, "[fd00::7]:1", "[::ffff:10.1.9.9]:1"} {
			got, err := resolver(t, false).Resolve(Request{Host: "own.example:80", Peer: peer, Header: header(pairs...)})
			if got.InstanceHost != want || got.PublicHost != "" || err != nil {
				t.Errorf("%q: %+v, %v, want %s", pairs, got, err, want)
			}
		}
	}
	got, err := resolver(t, false).Resolve(Request{Host: "own.example:80", Peer: proxy, Header: header("X-Zitadel-Public-Host", "shown.example:8443")})
	if got.InstanceHost != "own.example:80" || got.PublicHost != "shown.example:8443" || got.String() != "http://shown.example:8443" || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMalformedHeaders: a proxy that cannot be understood is told so, whether the header would have counted or not.
func TestMalformedHeaders(t *testing.T) {
	long := strings.Repeat("a", 254) + ".example"
	bad := map[string][]string{
		"X-Zitadel-Instance-Host": {
			"a b", "a.example,b.example", "a.example/", "http://a.example", "user@a.example", "a.example:", "a.example:0", "a.example:08", "a.example:65536",
			"a.example:1:2", ":80", "[::1", "::1", "[::1]80", "[1.2.3.4]", "[::1%25eth0]:80", "a.example:x", "a\u00fc.example", "a.example\x00", "a\\b", "a?b", "a#b", "a%41", long,
		},
		"X-Zitadel-Public-Host": {"a b", "https://a.example", long, "a.example, a.example"},
		"X-Forwarded-Host":      {"a.example, b.example", "a.example,", ",", "a b", long},
		"X-Forwarded-Proto":     {"https, http", "ftp", "https,", "javascript:", "https http"},
		"Forwarded": {
			"host", "host=", `host="`, `host="a`, `host="a\`, "=a", "host=a;host=a", "host=a;HOST=b", "host=a,host=b", "host=a, for=x;host=a.b", "host=a b", "host=a/b",
			`host="a b"`, `host=""`, `host="a"b`, "proto=ftp", "proto=https,proto=http", "host=\u00fc", "host=\"\u00fc\"", "by=\"\u00fc\"", "by=\"\x01\"", "by=\"\x7f\"", "a;b", "host=a\x00",
			strings.Repeat("for=a,", maxElements) + "for=a", parameters(maxPairs + 1), strings.Repeat("a", 5000), "for=[::1]",
		},
		"X-Zitadel-Forwarded": {"host=a b"},
	}
	for name, values := range bad {
		for _, value := range values {
			h := header("X-Zitadel-Instance-Host", "good.example")
			if name == "X-Zitadel-Instance-Host" {
				h.Del(name)
			}
			h.Add(name, value)
			got, err := resolver(t, false).Resolve(Request{Host: "own.example", Peer: proxy, Header: h})
			f := fault.Of(err)
			if f.Kind != fault.InvalidArgument || got != (Origin{}) || !strings.HasPrefix(f.Message, name+": must") || len(f.Violations) != 1 {
				t.Errorf("%s: %.100q: %+v, %v", name, value, got, err)
			}
		}
	}
	for name, values := range map[string][]string{
		"X-Zitadel-Instance-Host": {"a.example", "b.example"}, "Forwarded": {"host=a", "host=b"}, "X-Forwarded-Host": {"a", "b"},
		"X-Forwarded-Proto": {"http", "https"}, "X-Zitadel-Public-Host": {"a", "b"},
	} {
		if _, err := resolver(t, false).Resolve(Request{Peer: proxy, Header: http.Header{name: values}}); fault.KindOf(err) != fault.InvalidArgument {
			t.Errorf("%s twice: %v", name, err)
		}
	}
}

func TestOf(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://acme.example:8080/x", nil)
	r.RemoteAddr, r.TLS, r.Header = proxy, &tls.ConnectionState{}, header("X-Forwarded-Host", "shown.example")
	got, err := resolver(t, false).Of(r)
	if got != (Origin{Scheme: "https", InstanceHost: "shown.example"}) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestString(t *testing.T) {
	for host, want := range map[string]string{
		"acme.example": "http://acme.example", "ACME.example:80": "http://ACME.example:80", "acme.example:": "http://acme.example",
		"b\u00fccher.example": "http://xn--bcher-kva.example", "b\u00fccher.example:8": "http://xn--bcher-kva.example:8",
	} {
		got, err := resolver(t, false).Resolve(Request{Host: host})
		if got.String() != want || err != nil {
			t.Errorf("%q: %q, %v", host, got, err)
		}
	}
}

func TestParseTrusted(t *testing.T) {
	got, err := ParseTrusted([]string{"10.1.2.3/8", "192.0.2.1", "fd00::/8", "::1", "::ffff:192.0.2.2"})
	if want := "[10.0.0.0/8 192.0.2.1/32 fd00::/8 ::1/128 192.0.2.2/32]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	for _, bad := range []string{"", "here", "10.0.0.0/33", "10.0.0.0/8,::1", "fe80::1%eth0", "::ffff:10.0.0.0/104"} {
		if _, err := ParseTrusted([]string{bad}); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

// FuzzHeaders: whatever a trusted proxy sends is refused or makes hosts that can stand in a URL.
func FuzzHeaders(f *testing.F) {
	for _, seed := range [][]string{
		{"a.example", `for=x;host="a.example:1";proto=https, host=a.example:1`, "a.example", "https", "b.example:2"},
		{"", `host="\`, "a,b", "ftp", "[::1]:80"},
		{"[", ";;,,=", "\x00", "\u00fc", ":"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	r := resolver(f, false)
	f.Fuzz(func(t *testing.T, instance, fwd, host, proto, public string) {
		got, err := r.Resolve(Request{Host: "own.example", Peer: proxy, Header: header(
			"X-Zitadel-Instance-Host", instance, "Forwarded", fwd, "X-Forwarded-Host", host, "X-Forwarded-Proto", proto, "X-Zitadel-Public-Host", public)})
		if err != nil {
			if fault.KindOf(err) != fault.InvalidArgument {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, h := range []string{got.InstanceHost, got.Host()} {
			if _, err := parseHost(h); err != nil {
				t.Fatalf("%q is no host", h)
			}
		}
		if got.Scheme != "http" && got.Scheme != "https" {
			t.Fatalf("the scheme is %q", got.Scheme)
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	for name, q := range map[string]Request{
		"stranger": {Host: "acme.example:8080", Peer: "192.0.2.1:1", Header: hostile},
		"proxy":    {Host: "acme.example:8080", Peer: proxy, Header: header("Forwarded", "for=192.0.2.9;host=acme.example;proto=https", "X-Forwarded-Host", "acme.example")},
	} {
		b.Run(name, func(b *testing.B) {
			r := resolver(b, false)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Resolve(q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
