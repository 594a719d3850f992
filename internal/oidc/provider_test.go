package oidc

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/access"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fresh"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/origin"
	"castellan/internal/quota"
	"castellan/internal/signing"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
	"castellan/internal/webkey"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is a provider on one database, with instances A and B at a.example and b.example.
type fixture struct {
	testing.TB
	provider  *Provider
	handler   http.Handler
	log       *eventlog.Log
	instances *instance.Service
	web       *webkey.Service
	logs      *strings.Builder
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

var small = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newFixture(t testing.TB, db store.DB) *fixture {
	t.Helper()
	clock := ident.NewManualClock(start)
	keyring := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	log := eventlog.New(db, keyring, clock, instance.Noun, limit.Noun, quota.Noun, webkey.Noun)
	f := &fixture{TB: t, log: log, instances: &instance.Service{DB: db, Log: log}, logs: new(strings.Builder)}
	f.web = &webkey.Service{
		DB: db, Log: log, IDs: ident.NewSource(idgrant.New(db), clock), Hold: f.instances.Hold,
		RSA: func(context.Context, int) (*rsa.PrivateKey, error) { return small() },
	}
	epochs := fresh.NewEpochs(db, log)
	f.provider = &Provider{
		Directory: access.NewDirectory(access.Config{DB: db, Clock: clock, Epochs: epochs, ExternalDomain: "id.example"}),
		Keys:      signing.New(signing.Config{Epochs: epochs, Sealers: keyring, Web: f.web}),
		Logger:    slog.New(slog.NewTextHandler(f.logs, nil)),
	}
	f.handler, _ = f.provider.Handler()
	f.instance("A", "a.example")
	f.instance("B", "b.example")
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) instance(id ident.InstanceID, domain string) {
	f.Helper()
	f.must(f.log.Write(f.Context(), id, "op", func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
			instance.Added{Name: string(id), Defaults: 1}, instance.DomainAdded{Domain: domain}, instance.DomainPrimarySet{Domain: domain})
		return err
	}))
}

// get asks for a path of a host; header is pairs.
func (f *fixture) get(host, path string, header ...string) *http.Response {
	f.Helper()
	return f.do(http.MethodGet, host, path, "", header...)
}

func (f *fixture) do(method, host, path, body string, header ...string) *http.Response {
	f.Helper()
	r := httptest.NewRequestWithContext(f.Context(), method, "http://"+host+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return f.send(r)
}

func (f *fixture) send(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w.Result()
}

// text reads an answer, and checks its status.
func (f *fixture) text(r *http.Response, status int) string {
	f.Helper()
	b, err := io.ReadAll(r.Body)
	f.must(err)
	if r.StatusCode != status {
		f.Errorf("status %d, want %d: %s", r.StatusCode, status, b)
	}
	return string(b)
}

func (f *fixture) decode(r *http.Response, status int) map[string]any {
	f.Helper()
	var v map[string]any
	f.must(json.Unmarshal([]byte(f.text(r, status)), &v))
	if r.Header.Get("Content-Type") != "application/json" {
		f.Errorf("Content-Type %s", r.Header.Get("Content-Type"))
	}
	return v
}

func TestTheIssuerIsTheOneThatWasAsked(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for host, issuer := range map[string]string{
			"a.example": "http://a.example", "A.Example:8080": "http://a.example:8080", "b.example:443": "http://b.example:443",
			"a.example:": "http://a.example",
		} {
			for _, path := range []string{pathDiscovery, pathMetadata} {
				got := f.decode(f.get(host, path), http.StatusOK)
				for name, at := range map[string]string{
					"issuer": "", "jwks_uri": pathKeys, "token_endpoint": pathToken, "authorization_endpoint": pathAuthorize,
					"introspection_endpoint": pathIntrospection, "userinfo_endpoint": pathUserinfo, "revocation_endpoint": pathRevocation,
				} {
					if got[name] != issuer+at {
						f.Errorf("%s: %s is %v", host, name, got[name])
					}
				}
			}
		}
		f.provider.Origins = origin.NewResolver(nil, true)
		if got := f.decode(f.get("a.example", pathDiscovery), http.StatusOK)["issuer"]; got != "https://a.example" {
			f.Errorf("behind a proxy with TLS: %v", got)
		}
		f.provider.Origins = nil
		r := httptest.NewRequest(http.MethodGet, pathDiscovery, nil)
		r.TLS, r.Host = &tls.ConnectionState{}, "a.example:8443"
		if got := f.decode(f.send(r), http.StatusOK)["issuer"]; got != "https://a.example:8443" {
			f.Errorf("with TLS: %v", got)
		}
	})
}

// TestTheIssuerBehindAProxy: it is the one the proxy says its client has asked, if the proxy is trusted and
// the instance may be shown so.
func TestTheIssuerBehindAProxy(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		trusted, err := origin.ParseTrusted([]string{"10.0.0.0/8"})
		f.must(err)
		f.provider.Origins = origin.NewResolver(trusted, false)
		_, err = f.instances.AddTrustedDomain(f.Context(), "A", "op", "shown.example")
		f.must(err)
		for _, c := range []struct {
			peer, header, value string
			status              int
			want                string // the issuer, or what is said
		}{
			{"192.0.2.1:1", "Forwarded", "host=b.example;proto=https", http.StatusOK, "http://a.example"},
			{"192.0.2.1:1", "X-Zitadel-Public-Host", "shown.example", http.StatusOK, "http://a.example"},
			{"192.0.2.1:1", "X-Forwarded-Host", "a b", http.StatusOK, "http://a.example"},
			{"10.0.0.1:1", "Forwarded", "host=B.example:8443;proto=https", http.StatusOK, "https://b.example:8443"},
			{"10.0.0.1:1", "X-Zitadel-Public-Host", "shown.example:444", http.StatusOK, "http://shown.example:444"},
			{"10.0.0.1:1", "X-Zitadel-Public-Host", "evil.example", http.StatusNotFound, "ID=QUERY-IuGh1"},
			{"10.0.0.1:1", "X-Zitadel-Public-Host", "b.example", http.StatusNotFound, "ID=QUERY-IuGh1"},
			{"10.0.0.1:1", "X-Forwarded-Host", "shown.example", http.StatusNotFound, "ID=QUERY-1kIjX"},
			{"10.0.0.1:1", "X-Forwarded-Host", "a b", http.StatusBadRequest, "X-Forwarded-Host: must be a host"},
		} {
			r := httptest.NewRequest(http.MethodGet, pathDiscovery, nil)
			r.Host, r.RemoteAddr = "a.example", c.peer
			r.Header.Set(c.header, c.value)
			if c.status != http.StatusOK {
				if got := f.text(f.send(r), c.status); !strings.Contains(got, c.want) {
					f.Errorf("%+v: %s", c, got)
				}
				continue
			}
			if got := f.decode(f.send(r), http.StatusOK)["issuer"]; got != c.want {
				f.Errorf("%+v: %v", c, got)
			}
		}
	})
}

func TestWhatIsNotServed(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		check := func(host string, status int, want string) {
			f.Helper()
			for _, path := range []string{pathDiscovery, pathMetadata, pathKeys, pathAuthorize} {
				r := f.get(host, path)
				if got := f.text(r, status); strings.TrimSpace(got) != want || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
					f.Errorf("%s: %q, %s", path, got, r.Header.Get("Content-Type"))
				}
			}
		}
		check("c.example:8080", http.StatusNotFound, "unable to set instance using origin http://c.example:8080 (ExternalDomain is id.example): "+
			"ID=QUERY-1kIjX Message=Instance not found")
		f.block(true)
		check("a.example", http.StatusTooManyRequests, "Your ZITADEL instance is blocked.")
		f.block(false)
		_, err := f.instances.Stop(f.Context(), "A", "op")
		f.must(err)
		check("a.example", http.StatusServiceUnavailable, "this instance has been stopped by its operator")
		_, err = f.instances.Start(f.Context(), "A", "op")
		f.must(err)
		f.text(f.get("a.example", pathKeys), http.StatusOK)
		_, err = f.instances.Remove(f.Context(), "A", "op")
		f.must(err)
		check("a.example", http.StatusNotFound, "unable to set instance using origin http://a.example (ExternalDomain is id.example): "+
			"ID=QUERY-1kIjX Message=Instance not found")
		f.text(f.get("b.example", pathKeys), http.StatusOK)
	})
}

// block says whether the limits of A block it.
func (f *fixture) block(block bool) {
	f.Helper()
	_, err := (&limit.Service{Log: f.log, Hold: f.instances.Hold}).Set(f.Context(), "A", "op", limit.Set{Block: &block})
	f.must(err)
}

func TestMethodsAndScripts(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		r := f.do(http.MethodPost, "a.example", pathDiscovery, "")
		f.text(r, http.StatusMethodNotAllowed)
		if r.Header.Get("Allow") != "GET" {
			f.Errorf("Allow %q", r.Header.Get("Allow"))
		}
		f.text(f.do(http.MethodHead, "a.example", pathDiscovery, ""), http.StatusOK)
		f.text(f.get("a.example", "/oauth/v2/"), http.StatusNotFound)
		r = f.do(http.MethodOptions, "a.example", pathAuthorize, "", "Origin", "https://app.example",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,dpop")
		if h := r.Header; h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Allow-Headers") != "authorization,dpop" {
			f.Errorf("preflight: %v", h)
		}
		r = f.get("a.example", pathKeys, "Origin", "https://app.example")
		if h := r.Header; h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Vary") != "Origin" {
			f.Errorf("cross origin: %v", h)
		}
	})
}

func TestNobodySignsInYet(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := f.do(method, "a.example", pathAuthorize+"?redirect_uri=https://evil.example", "response_type=code")
			got := f.decode(r, http.StatusBadRequest)
			if got["error"] != "unsupported_response_type" || r.Header.Get("Location") != "" || r.Header.Get("Cache-Control") != "no-store" {
				f.Errorf("%s: %v, %v", method, got, r.Header)
			}
		}
	})
}

func TestKeysMayBeKept(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		r := f.get("a.example", pathKeys)
		body := f.text(r, http.StatusOK)
		etag := r.Header.Get("Etag")
		if r.Header.Get("Cache-Control") != "max-age=300, must-revalidate" || len(etag) < 10 {
			f.Errorf("%v", r.Header)
		}
		for _, tag := range []string{etag, `"x", ` + etag, "W/" + etag, "*"} {
			again := f.get("a.example", pathKeys, "If-None-Match", tag)
			if got := f.text(again, http.StatusNotModified); got != "" || again.Header.Get("Etag") != etag {
				f.Errorf("If-None-Match %s: %q, %v", tag, got, again.Header)
			}
		}
		if got := f.text(f.get("a.example", pathKeys, "If-None-Match", `"x"`), http.StatusOK); got != body {
			f.Errorf("another tag: %s", got)
		}
		other := f.get("b.example", pathKeys, "If-None-Match", etag)
		if f.text(other, http.StatusOK) == body {
			f.Error("two instances have the same keys")
		}
		_, err := f.web.Create(f.Context(), "A", "op", webkey.Config{Algorithm: webkey.EdDSA})
		f.must(err)
		if f.text(f.get("a.example", pathKeys, "If-None-Match", etag), http.StatusOK) == body {
			f.Error("a new key is not published")
		}
	})
}

// TestFailures: what is our fault says nothing, and is logged.
func TestFailures(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		broken := errors.New("secret detail")
		for name, c := range map[string]struct {
			serve  func(http.ResponseWriter, *Request) error
			status int
			code   string
		}{
			"error":     {func(http.ResponseWriter, *Request) error { return broken }, 500, "server_error"},
			"panic":     {func(http.ResponseWriter, *Request) error { panic(broken) }, 500, "server_error"},
			"database":  {func(http.ResponseWriter, *Request) error { return errors.Join(store.ErrUnavailable, broken) }, 503, "temporarily_unavailable"},
			"conflict":  {func(http.ResponseWriter, *Request) error { return &store.ConflictError{Cause: broken} }, 503, "temporarily_unavailable"},
			"not found": {func(http.ResponseWriter, *Request) error { return webkey.NotFound.WithCause(broken) }, 400, "invalid_request"},
			"too large": {func(_ http.ResponseWriter, r *Request) error { return r.ParseForm() }, 413, "invalid_request"},
		} {
			f.logs.Reset()
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(f.Context(), http.MethodPost, "http://a.example/x", strings.NewReader(strings.Repeat("a", 100)))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			f.provider.handler(endpoint{path: "/x", methods: []string{http.MethodPost}, body: 99, serve: c.serve}).ServeHTTP(w, r)
			text := w.Body.String()
			if got := f.decode(w.Result(), c.status); got["error"] != c.code || strings.Contains(text, "secret") {
				f.Errorf("%s: %v", name, got)
			}
			if logged := strings.Contains(f.logs.String(), "secret detail"); logged != (c.status >= 500) {
				f.Errorf("%s: logged %t: %s", name, logged, f.logs)
			}
		}
	})
}

func TestDiscoverySaysWhatWorks(t *testing.T) {
	got := make(map[string]any)
	if err := json.Unmarshal(bytes.Join(document, []byte("http://a.example")), &got); err != nil {
		t.Fatal(err)
	}
	list := func(values ...any) []any { return values }
	for name, want := range map[string]any{
		"response_types_supported":              list("none"),
		"subject_types_supported":               list("public"),
		"id_token_signing_alg_values_supported": list("EdDSA", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"),
		"grant_types_supported": list("client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer",
			"urn:ietf:params:oauth:grant-type:token-exchange"),
		"scopes_supported":                list("openid", "profile", "email", "phone", "address", "offline_access"),
		"request_uri_parameter_supported": false,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if grants := sortedNames(new(Provider).grants()); !slices.Equal(grants, slices.Sorted(slices.Values(newMetadata().GrantTypes))) {
		t.Errorf("the grants are %v", grants)
	}
	for _, absent := range []string{"end_session_endpoint", "device_authorization_endpoint", "response_modes_supported", "code_challenge_methods_supported"} {
		if got[absent] != nil {
			t.Errorf("%s: %v", absent, got[absent])
		}
	}
}
