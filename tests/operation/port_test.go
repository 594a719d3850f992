package operation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"castellan/internal/server"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// certificate writes a self-signed certificate and its key, and returns their paths.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: kit.Domain}, DNSNames: []string{kit.Domain},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, &x509.Certificate{SerialNumber: big.NewInt(1)}, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: encoded},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// createAndGet does both seed calls over every protocol with the clients given.
func createAndGet(t *testing.T, c *kit.Client) {
	t.Helper()
	for _, w := range kit.Wires() {
		made, read := new(systemv1.CreateInstanceResponse), new(systemv1.GetInstanceResponse)
		if a := w.Call(t, c, "CreateInstance", kit.Machine("Acme"), made); a.Code != codes.OK || made.GetPat() == "" {
			t.Errorf("over %s: %v", w.Name, a)
		}
		a := w.Call(t, c, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: made.GetInstanceId()}, read)
		if a.Code != codes.OK || read.GetInstance().GetName() != "Acme" {
			t.Errorf("over %s: %v", w.Name, a)
		}
	}
}

// TestTLS: with a certificate the port speaks TLS 1.2 or later and nothing else, HTTP/1.1 and
// HTTP/2, in all protocols.
func TestTLS(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, func(c *server.Config) { c.TLSCertFile, c.TLSKeyFile = certificate(t, b.Dir) })
		if !strings.HasPrefix(n.URL, "https://") {
			t.Fatalf("at %s", n.URL)
		}
		createAndGet(t, n.Client)
		trust := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
		for version, p := range map[int]func(*http.Protocols){
			1: func(p *http.Protocols) { p.SetHTTP1(true) }, 2: func(p *http.Protocols) { p.SetHTTP2(true) },
		} {
			var protocols http.Protocols
			p(&protocols)
			c := &http.Client{Transport: &http.Transport{TLSClientConfig: trust(), Protocols: &protocols}}
			checkVersion(t, c, n.URL, version)
		}
		old := trust()
		old.MaxVersion = tls.VersionTLS11
		if conn, err := tls.Dial("tcp", n.Addr(), old); err == nil {
			conn.Close()
			t.Error("TLS 1.1 is accepted")
		}
		plain := &http.Client{Transport: &http.Transport{}}
		if status, _, text := kit.Raw(t, plain, "GET", "http://"+n.Addr()+"/system/v1/healthz", "", nil); status != http.StatusBadRequest {
			t.Errorf("without TLS: %d %s", status, text)
		}
	})
}

// TestHTTPVersions: without TLS the port speaks HTTP/1.1, and HTTP/2 by prior knowledge.
func TestHTTPVersions(t *testing.T) {
	t.Parallel()
	n := kit.NewBackend(t, "sqlite").Start(t, nil)
	checkVersion(t, n.HTTP, n.URL, 1)
	h2c := kit.H2C()
	checkVersion(t, h2c, n.URL, 2)
	n.HTTP = h2c // every protocol over HTTP/2
	createAndGet(t, n.Client)
}

// checkVersion checks that both a probe and a call are answered in a version of HTTP.
func checkVersion(t *testing.T, c *http.Client, url string, version int) {
	t.Helper()
	for _, path := range []string{"/debug/healthz", "/system/v1/healthz"} {
		res, err := c.Get(url + path)
		if err != nil {
			t.Errorf("HTTP/%d: %v", version, err)
			continue
		}
		res.Body.Close()
		if res.ProtoMajor != version || res.StatusCode != http.StatusOK {
			t.Errorf("%s: HTTP/%d %d, want HTTP/%d", path, res.ProtoMajor, res.StatusCode, version)
		}
	}
	c.CloseIdleConnections()
}

// TestBrowsers is CORS as in contract section 3.2, on REST and on the paths of RPCs: any origin,
// with credentials, and everything a gRPC-Web client sends and reads.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	n := kit.NewBackend(t, "sqlite").Start(t, nil)
	const origin = "https://console.example"
	asked := []string{"authorization", "connect-protocol-version", "content-type", "idempotency-key", "x-grpc-web", "x-user-agent", "x-zitadel-orgid"}
	for _, path := range []string{
		"/system/v1/instances/_create", "/instances/_create", "/instances/1", "/zitadel.system.v1.SystemService/CreateInstance",
	} {
		method := map[bool]string{true: "GET", false: "POST"}[path == "/instances/1"]
		status, h, text := kit.Raw(t, n.HTTP, "OPTIONS", n.URL+path, "", http.Header{
			"Origin": {origin}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {strings.Join(asked, ",")},
		})
		if status/100 != 2 || text != "" {
			t.Errorf("preflight of %s: %d %s", path, status, text)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Access-Control-Max-Age": "600",
			"Access-Control-Allow-Methods": method,
		} {
			if got := h.Get(name); got != want {
				t.Errorf("preflight of %s: %s: %q, want %q", path, name, got, want)
			}
		}
		allowed := strings.FieldsFunc(strings.ToLower(h.Get("Access-Control-Allow-Headers")), func(r rune) bool { return r == ',' || r == ' ' })
		for _, name := range asked {
			if !slices.Contains(allowed, name) {
				t.Errorf("preflight of %s allows %q, not %s", path, allowed, name)
			}
		}
		if !slices.Contains(h.Values("Vary"), "Origin") && !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
			t.Errorf("preflight of %s: Vary %q", path, h.Values("Vary"))
		}
	}
	for _, o := range []string{origin, ""} {
		h := http.Header{"Authorization": {"Bearer " + kit.Operator().Token(t)}}
		if o != "" {
			h.Set("Origin", o)
		}
		_, got, _ := kit.Raw(t, n.HTTP, "GET", n.URL+"/instances/404", "", h)
		exposed := strings.ToLower(got.Get("Access-Control-Expose-Headers"))
		if got.Get("Access-Control-Allow-Origin") != o || (o != "") != strings.Contains(exposed, "grpc-status") {
			t.Errorf("Origin %q: %v", o, got)
		}
	}
}

// TestManyConnections: the limits of a connection do not become those of the server.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	n := kit.NewBackend(t, "sqlite").Start(t, nil)
	for _, garbage := range []string{
		"GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", strings.Repeat("A", 100_000),
		"GET /instances/1 HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 70_000) + "\r\n\r\n",
		"POST /instances/_create HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", n.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(kit.Patience)); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprint(conn, garbage)     // it may be refused before its end
		_ = conn.(*net.TCPConn).CloseWrite() // so that the server need not wait for more
		answer := make([]byte, 12)
		got, _ := conn.Read(answer)
		if strings.HasPrefix(string(answer[:got]), "HTTP/1.1 200") {
			t.Errorf("%.30q is answered %q", garbage, answer[:got])
		}
		conn.Close()
	}
	createAndGet(t, n.Client)
}
