package system_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	"castellan/internal/server"
	"castellan/tests/kit"

	instancev2 "castellan/gen/zitadel/instance/v2"
)

// evil is a host that is nobody's.
const evil = "evil.example"

// forwarding are headers that name a host, by how they do it.
var forwarding = map[string]func(host string) http.Header{
	"X-Zitadel-Instance-Host": func(host string) http.Header { return http.Header{"X-Zitadel-Instance-Host": {host}} },
	"Forwarded": func(host string) http.Header {
		return http.Header{"Forwarded": {"for=192.0.2.60;proto=https;host=" + host}}
	},
	"Forwarded, quoted": func(host string) http.Header { return http.Header{"Forwarded": {`host="` + host + `"`}} },
	"Forwarded, by two": func(host string) http.Header { return http.Header{"Forwarded": {"host=" + host + ", host=" + host}} },
	"Forwarded, in two": func(host string) http.Header { return http.Header{"Forwarded": {"host=" + host, "host=" + host}} },
	"X-Zitadel-Forwarded": func(host string) http.Header {
		return http.Header{"X-Zitadel-Forwarded": {"host=" + host}}
	},
	"X-Forwarded-Host":         func(host string) http.Header { return http.Header{"X-Forwarded-Host": {host}} },
	"X-Forwarded-Host, by two": func(host string) http.Header { return http.Header{"X-Forwarded-Host": {host + ", " + host}} },
	"all": func(host string) http.Header {
		return http.Header{"X-Zitadel-Instance-Host": {host}, "Forwarded": {"host=" + host}, "X-Forwarded-Host": {host}}
	},
}

// others are headers that name a host and never count.
var others = map[string]func(host string) http.Header{
	"X-Forwarded-For":    func(host string) http.Header { return http.Header{"X-Forwarded-For": {"host=" + host}} },
	"X-Forwarded-Server": func(host string) http.Header { return http.Header{"X-Forwarded-Server": {host}} },
	"X-Host":             func(host string) http.Header { return http.Header{"X-Host": {host}} },
	"X-Original-Host":    func(host string) http.Header { return http.Header{"X-Original-Host": {host}} },
	"X-Rewrite-Url":      func(host string) http.Header { return http.Header{"X-Rewrite-Url": {"http://" + host + "/"}} },
	"Referer":            func(host string) http.Header { return http.Header{"Referer": {"http://" + host + "/"}} },
}

// contradictory are headers that no proxy may send.
var contradictory = map[string]http.Header{
	"two instance hosts": {"X-Zitadel-Instance-Host": {"a.example", "b.example"}},
	"a list of them":     {"X-Zitadel-Instance-Host": {"a.example,b.example"}},
	"two forwarded":      {"Forwarded": {"host=a.example", "host=b.example"}},
	"two in one":         {"Forwarded": {"host=a.example;host=b.example"}},
	"two of two":         {"Forwarded": {"host=a.example, host=b.example"}},
	"two hosts":          {"X-Forwarded-Host": {"a.example, b.example"}},
	"two protos":         {"X-Forwarded-Proto": {"https,http"}},
	"two public hosts":   {"X-Zitadel-Public-Host": {"a.example", "b.example"}},
	"a URL":              {"X-Forwarded-Host": {"http://b.example"}},
	"a path":             {"X-Forwarded-Host": {"b.example/x"}},
	"a user":             {"X-Forwarded-Host": {"a.example@b.example"}},
	"a port too high":    {"X-Forwarded-Host": {"b.example:70000"}},
	"an open quote":      {"Forwarded": {`host="b.example`}},
	"no value":           {"Forwarded": {"host="}},
	"another scheme":     {"X-Forwarded-Proto": {"javascript"}},
	"a long one":         {"Forwarded": {"host=" + strings.Repeat("b", 5000)}},
}

// seen is how a request is answered over HTTP.
type seen struct {
	status int
	header http.Header
	body   string
}

// ask sends a request over HTTP/1.1.
func ask(t *testing.T, at *kit.Client, method, path string, header http.Header, body string) seen {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := at.HTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return seen{res.StatusCode, res.Header, string(text)}
}

// names reports whether an answer carries a host anywhere.
func (s seen) names(host string) bool {
	return strings.Contains(s.body, host) || strings.Contains(fmt.Sprint(s.header), host)
}

// discovery is the path of what every issuer tells about itself.
const discovery = "/.well-known/openid-configuration"

// issuerOf asks a host for its issuer.
func issuerOf(t *testing.T, at *kit.Client, header http.Header) string {
	t.Helper()
	got := ask(t, at, http.MethodGet, discovery, header, "")
	var v struct{ Issuer string }
	if err := json.Unmarshal([]byte(got.body), &v); err != nil {
		t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	return v.Issuer
}

// endpoints are paths of every kind that a host serves, and what is sent there.
var endpoints = []struct{ method, path, body string }{
	{http.MethodGet, discovery, ""},
	{http.MethodGet, "/.well-known/oauth-authorization-server", ""},
	{http.MethodGet, "/oauth/v2/keys", ""},
	{http.MethodGet, "/oauth/v2/authorize?response_type=code&client_id=x&redirect_uri=https://a.example/", ""},
	{http.MethodPost, "/oauth/v2/token", "grant_type=client_credentials&client_id=x&client_secret=y"},
	{http.MethodPost, "/oauth/v2/introspect", "token=x"},
	{http.MethodPost, "/oauth/v2/revoke", "token=x"},
	{http.MethodGet, "/oidc/v1/userinfo", ""},
	{http.MethodGet, "/oidc/v1/end_session", ""},
	{http.MethodPost, "/oauth/v2/device_authorization", "client_id=x"},
	{http.MethodPost, "/v2/users", "{}"},
	{http.MethodGet, "/auth/v1/users/me", ""},
	{http.MethodGet, "/admin/v1/instances/me", ""},
	{http.MethodGet, "/debug/ready", ""},
	{http.MethodGet, "/openapi", ""},
	{http.MethodGet, "/nothing/at/all", ""},
}

// TestHeadersOfStrangersChangeNothing: no header that names a host, well-formed or not, has any effect on any
// endpoint, in any protocol.
func TestHeadersOfStrangersChangeNothing(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, func(c *server.Config) { c.TrustedProxies = []string{"192.0.2.0/24"} })
		a, other := newTenant(t, n, "a.example"), newTenant(t, n, "b.example")
		hostile := map[string]http.Header{}
		for _, makers := range []map[string]func(string) http.Header{forwarding, others} {
			for name, header := range makers {
				hostile[name+" of another"] = header("b.example")
				hostile[name+" of nobody"] = header(evil)
			}
		}
		for name, header := range contradictory {
			hostile[name] = header
		}
		hostile["a public host"] = http.Header{"X-Zitadel-Public-Host": {"b.example"}}
		hostile["a proto"] = http.Header{"X-Forwarded-Proto": {"https"}}

		for _, e := range endpoints {
			plain := ask(t, a.at, e.method, e.path, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, e.body)
			for name, header := range hostile {
				header = header.Clone()
				header.Set("Content-Type", "application/x-www-form-urlencoded")
				got := ask(t, a.at, e.method, e.path, header, e.body)
				if got.status != plain.status || got.body != plain.body && e.path != "/debug/ready" {
					t.Errorf("%s %s with %s: %d %s, without %d %s", e.method, e.path, name, got.status, got.body, plain.status, plain.body)
				}
				if got.names("b.example") || got.names(evil) {
					t.Errorf("%s %s with %s: %v %s", e.method, e.path, name, got.header, got.body)
				}
			}
		}
		for name, header := range hostile {
			if got := issuerOf(t, a.at, header); got != "http://a.example" {
				t.Errorf("with %s the issuer is %s", name, got)
			}
			for _, w := range rpcWires() {
				got := new(instancev2.GetInstanceResponse)
				call := kit.Call{Method: instanceV2 + "/GetInstance", Request: getV2(""), Token: a.token, Header: header}
				if x := w.Send(t, a.at, call, got); x.Code != codes.OK || got.GetInstance().GetId() != a.id {
					t.Errorf("with %s over %s: %v, %v", name, w.Name, x, got)
				}
				call.Token = other.token
				if x := w.Send(t, a.at, call, nil); x.Code != codes.Unauthenticated {
					t.Errorf("with %s over %s the token of another: %v", name, w.Name, x)
				}
			}
		}
	})
}

// TestHeadersOfATrustedProxy: they lead to the instance they name, whatever the host; what they show an instance
// as must be one of its own names.
func TestHeadersOfATrustedProxy(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, func(c *server.Config) { c.TrustedProxies = []string{"127.0.0.0/8", "::1"} })
		a, other := newTenant(t, n, "a.example"), newTenant(t, n, "b.example")
		inner := n.At(t, "node-1.internal")
		for _, w := range rpcWires() {
			get := func(at *kit.Client, token string, header http.Header) (kit.Answer, string) {
				t.Helper()
				got := new(instancev2.GetInstanceResponse)
				x := w.Send(t, at, kit.Call{Method: instanceV2 + "/GetInstance", Request: getV2(""), Token: token, Header: header}, got)
				return x, got.GetInstance().GetId()
			}
			for name, header := range forwarding {
				for _, at := range []*kit.Client{a.at, inner} {
					if x, id := get(at, other.token, header("b.example:8443")); x.Code != codes.OK || id != other.id {
						t.Errorf("%s over %s: %v, %s", name, w.Name, x, id)
					}
					if x, _ := get(at, a.token, header("b.example")); x.Code != codes.Unauthenticated {
						t.Errorf("%s over %s, the token of another: %v", name, w.Name, x)
					}
					if x, _ := get(at, a.token, header(evil)); x.Code != codes.Unauthenticated {
						t.Errorf("%s over %s to nowhere: %v", name, w.Name, x)
					}
					if x, _ := get(at, kit.Operator().Token(t), header(evil)); x.Code != codes.NotFound || !strings.Contains(x.Message, evil) {
						t.Errorf("%s over %s to nowhere, by an operator: %v", name, w.Name, x)
					}
				}
			}
			for name, header := range others {
				if x, id := get(a.at, a.token, header("b.example")); x.Code != codes.OK || id != a.id {
					t.Errorf("%s over %s: %v, %s", name, w.Name, x, id)
				}
			}
			for name, header := range contradictory {
				if x, _ := get(a.at, a.token, header); x.Code != codes.InvalidArgument {
					t.Errorf("%s over %s: %v", name, w.Name, x)
				}
			}
			public := func(host string) http.Header { return http.Header{"X-Zitadel-Public-Host": {host}} }
			if x, _ := get(a.at, a.token, public("b.example")); x.Code != codes.NotFound || !strings.Contains(x.Message, "ID=QUERY-IuGh1 ") {
				t.Errorf("shown as another over %s: %v", w.Name, x)
			}
			if x, id := get(a.at, a.token, public("A.example:8443")); x.Code != codes.OK || id != a.id {
				t.Errorf("shown as itself over %s: %v", w.Name, x)
			}
		}
		trusted := ask(t, a.at, http.MethodPost, "/"+instanceV2+"/AddTrustedDomain",
			http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + a.token}}, `{"trustedDomain":"shown.example"}`)
		if trusted.status != http.StatusOK {
			t.Fatalf("%d %s", trusted.status, trusted.body)
		}
		checkIssuers(t, a.at, inner)
	})
}

// checkIssuers checks which issuer is told to whom, when a.example is an instance that is shown as
// shown.example, and b.example another one.
func checkIssuers(t *testing.T, at, inner *kit.Client) {
	t.Helper()
	for _, c := range []struct {
		at     *kit.Client
		header http.Header
		want   string // the issuer, or what is said
		status int
	}{
		{at, http.Header{}, "http://a.example", http.StatusOK},
		{at, http.Header{"Forwarded": {"host=b.example:8443;proto=https"}}, "https://b.example:8443", http.StatusOK},
		{inner, http.Header{"X-Forwarded-Host": {"a.example"}, "X-Forwarded-Proto": {"https"}}, "https://a.example", http.StatusOK},
		{inner, http.Header{"X-Zitadel-Instance-Host": {"a.example"}, "X-Zitadel-Public-Host": {"shown.example:444"}}, "http://shown.example:444", http.StatusOK},
		{inner, http.Header{}, "ID=QUERY-1kIjX", http.StatusNotFound},
		{at, http.Header{"X-Forwarded-Host": {"shown.example"}}, "ID=QUERY-1kIjX", http.StatusNotFound},
		{at, http.Header{"X-Zitadel-Public-Host": {evil}}, "ID=QUERY-IuGh1", http.StatusNotFound},
		{at, http.Header{"X-Zitadel-Public-Host": {"b.example"}}, "ID=QUERY-IuGh1", http.StatusNotFound},
	} {
		got := ask(t, c.at, http.MethodGet, discovery, c.header, "")
		if got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%v: %d %s", c.header, got.status, got.body)
		}
		if c.status == http.StatusOK && issuerOf(t, c.at, c.header) != c.want {
			t.Errorf("%v: the issuer is %s, want %s", c.header, issuerOf(t, c.at, c.header), c.want)
		}
	}
	for name, header := range contradictory {
		for _, e := range endpoints[:4] {
			if got := ask(t, at, e.method, e.path, header, ""); got.status != http.StatusBadRequest || got.names(evil) {
				t.Errorf("%s at %s: %d %s", name, e.path, got.status, got.body)
			}
		}
	}
}

// TestMalformedHosts: a Host that is none leads nowhere, and nothing but the refusal comes of it.
func TestMalformedHosts(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		a := newTenant(t, n, "a.example")
		body, err := protojson.Marshal(getV2(""))
		if err != nil {
			t.Fatal(err)
		}
		for name, hosts := range map[string]string{
			"two":               "Host: a.example\r\nHost: b.example\r\n",
			"the same twice":    "Host: a.example\r\nHost: a.example\r\n",
			"a list":            "Host: a.example, b.example\r\n",
			"none":              "",
			"empty":             "Host:\r\n",
			"a path":            "Host: a.example/b.example\r\n",
			"a user":            "Host: b.example@a.example\r\n",
			"a trailing dot":    "Host: a.example.\r\n",
			"a port of letters": "Host: a.example:http\r\n",
			"two ports":         "Host: a.example:80:80\r\n",
			"a port too high":   "Host: a.example:65536\r\n",
			"an escape":         "Host: a%2eexample\r\n",
			"a NUL":             "Host: a.example\x00\r\n",
			"a blank within":    "Host: a .example\r\n",
			"a quote":           "Host: a.example\"\r\n",
			"an address":        "Host: 127.0.0.1\r\n",
			"another":           "Host: " + evil + "\r\n",
			"a long one":        "Host: " + strings.Repeat("a", 3000) + ".example\r\n",
		} {
			for path, want := range map[string]int{discovery: http.StatusNotFound, "/" + instanceV2 + "/GetInstance": http.StatusUnauthorized} {
				method, content := "GET", ""
				if want == http.StatusUnauthorized {
					method, content = "POST", string(body)
				}
				raw := fmt.Sprintf("%s %s HTTP/1.1\r\n%sAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
					method, path, hosts, a.token, len(content), content)
				if got := rawStatus(t, n, raw); got != want && got != http.StatusBadRequest {
					t.Errorf("%s at %s: %d", name, path, got)
				}
			}
		}
	})
}

// rawStatus sends bytes and returns the status of the answer.
func rawStatus(t *testing.T, n *kit.Node, raw string) int {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}
