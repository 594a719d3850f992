package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// local may call the servers of the tests, and nothing else on this machine.
func local(t testing.TB) *Client {
	t.Helper()
	return client(t, Config{Allowed: prefixes(t, "127.0.0.1/32")})
}

func client(t testing.TB, cfg Config) *Client {
	t.Helper()
	c := New(cfg)
	t.Cleanup(c.Close)
	return c
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// redirect answers with a status and a place.
func redirect(status int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// fails checks that a request fails with a text that tells nothing of the URL.
func fails(t *testing.T, c *Client, to, want string) {
	t.Helper()
	_ = failure(t, c, to, want) // checked there
}

// failure is fails, and returns the error.
func failure(t *testing.T, c *Client, to, want string) error {
	t.Helper()
	status, err := c.Post(t.Context(), to, nil, nil)
	var e *Error
	if !errors.As(err, &e) || status != 0 || err.Error() != want {
		t.Errorf("%s: %d, %v, want %q", to, status, err, want)
	}
	return err
}

func TestPost(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "message" || r.Method != http.MethodPost || r.URL.String() != "/hook?token=x" {
			t.Errorf("%s %s with %q, %v", r.Method, r.URL, body, err)
		}
		if r.Header.Get("Content-Type") != "text/plain" || r.Header.Get("User-Agent") != UserAgent || r.ContentLength != 7 {
			t.Errorf("header %v", r.Header)
		}
		w.WriteHeader(http.StatusTeapot)
	})
	header := http.Header{"Content-Type": {"text/plain"}}
	status, err := local(t).Post(t.Context(), s.URL+"/hook?token=x", header, []byte("message"))
	if err != nil || status != http.StatusTeapot || len(header) != 1 {
		t.Errorf("%d, %v, header %v", status, err, header)
	}
}

// Connections are used again, also after a long answer as far as it is read.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var peers []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		peers = append(peers, r.RemoteAddr)
		_, _ = w.Write(make([]byte, maxBody/2))
	})
	c := local(t)
	for range 2 {
		if _, err := c.Post(t.Context(), s.URL, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(peers) != 2 || peers[0] != peers[1] {
		t.Errorf("connections from %v", peers)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	cut := make(chan struct{})
	endless := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(cut)
		for {
			if _, err := w.Write(make([]byte, maxBody)); err != nil {
				return
			}
		}
	})
	if status, err := local(t).Post(t.Context(), endless.URL, nil, nil); err != nil || status != http.StatusOK {
		t.Errorf("an endless body: %d, %v", status, err)
	}
	<-cut // the peer notices
	large := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", maxHeader))
	})
	fails(t, local(t), large.URL, "the request failed before there was a complete answer")
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices when the client leaves
		<-r.Context().Done()
	})
	c := client(t, Config{Allowed: prefixes(t, "127.0.0.0/8"), Timeout: 50 * time.Millisecond})
	if err := failure(t, c, silent.URL, "no answer within 50ms"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind it is %v", err)
	}
	// Once there is a status, the message has arrived.
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	if status, err := c.Post(t.Context(), slow.URL, nil, nil); err != nil || status != http.StatusAccepted {
		t.Errorf("a body that never ends: %d, %v", status, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Post(ctx, silent.URL, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has left: %v", err)
	}
}

// Nothing on this machine is called unless that is allowed, however it is written.
func TestRefusedAddresses(t *testing.T) {
	t.Parallel()
	var called atomic.Bool
	s := serve(t, func(http.ResponseWriter, *http.Request) { called.Store(true) })
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, Config{})
	for host, kind := range map[string]string{
		"127.0.0.1": "loopback", "localhost": "loopback", "[::1]": "loopback", "[::ffff:127.0.0.1]": "loopback",
		"[::ffff:7f00:1]": "loopback", "0.0.0.0": "unspecified", "[::]": "unspecified", "169.254.169.254": "link-local",
		"[fe80::1%25lo]": "link-local", "[64:ff9b::7f00:1]": "loopback",
	} {
		err := failure(t, c, "http://"+host+":"+port+"/?secret", "the address is not allowed ("+kind+")")
		var address *AddressError
		if !errors.As(err, &address) || address.Range != kind {
			t.Errorf("%s: behind it is %v", host, address)
		}
	}
	if called.Load() {
		t.Error("the server was called")
	}
}

// resolver answers for every name with the addresses that next returns, as a name server would.
func resolver(t *testing.T, next func() []netip.Addr) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		for buffer := make([]byte, 512); ; {
			n, peer, err := server.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			var m dnsmessage.Message
			if err := m.Unpack(buffer[:n]); err != nil {
				t.Error(err)
				return
			}
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				for _, addr := range next() {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
						Body:   &dnsmessage.AResource{A: addr.As4()},
					})
				}
			}
			packed, err := m.Pack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = server.WriteTo(packed, peer)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// A name that means a public address first and another one later is refused when it does; one
// with several addresses is called at those that are allowed.
func TestNames(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	port := s.Listener.Addr().(*net.TCPAddr).Port
	to := fmt.Sprintf("http://rebind.example.:%d/", port)

	c := local(t) // 127.0.0.1 stands for a public address, 127.0.0.2 for one that is not
	var second atomic.Bool
	c.dialer.Resolver = resolver(t, func() []netip.Addr {
		if second.Swap(true) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	})
	if status, err := c.Post(t.Context(), to, nil, nil); err != nil || status != http.StatusOK {
		t.Fatalf("%d, %v", status, err)
	}
	c.Close() // the next request has to connect, and so to resolve
	fails(t, c, to, "the address is not allowed (loopback)")

	c.dialer.Resolver = resolver(t, func() []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}
	})
	if status, err := c.Post(t.Context(), to, nil, nil); err != nil || status != http.StatusOK {
		t.Errorf("one address of three: %d, %v", status, err)
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
	c.dialer.Resolver = resolver(t, func() []netip.Addr { return nil })
	c.Close()
	fails(t, c, to, "the host is not known")
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var messages atomic.Int32
	end := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || string(body) != "message" || r.Header.Get("Referer") != "" {
			t.Errorf("%s with %q, header %v", r.Method, body, r.Header)
		}
		messages.Add(1)
	})
	chain := func(length, status int, to string) string {
		for range length {
			to = serve(t, redirect(status, to)).URL
		}
		return to
	}
	c := local(t)
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		if got, err := c.Post(t.Context(), chain(3, status, end.URL)+"/?secret", nil, []byte("message")); err != nil || got != http.StatusOK {
			t.Errorf("three of %d: %d, %v", status, got, err)
		}
		fails(t, c, chain(4, status, end.URL), "redirected more than 3 times")
	}
	if messages.Load() != 2 {
		t.Errorf("%d messages arrived", messages.Load())
	}
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther} {
		fails(t, c, chain(1, status, end.URL), "redirected in a way that loses the message; only 307 and 308 keep it")
	}
	for to, why := range map[string]string{
		"http://user:secret@127.0.0.1/": "must not have a user or password",
		"ftp://127.0.0.1/":              "must begin with http:// or https://",
		"http:///path":                  "must have a host",
		"//127.0.0.1:70000/":            "must be 1 to 65535",
	} {
		status, err := c.Post(t.Context(), chain(1, 307, to), nil, nil)
		if err == nil || errors.Is(err, ErrURL) || status != 0 || !strings.HasPrefix(err.Error(), "redirected to a URL that cannot be called: ") || !strings.HasSuffix(err.Error(), why) {
			t.Errorf("to %s: %d, %v", to, status, err)
		}
	}
	fails(t, c, chain(1, 307, "http://[::1/"), "the request failed before there was a complete answer")
	// A refused address is refused here too.
	var address *AddressError
	for _, to := range []string{"http://127.0.0.2/", "http://169.254.169.254/latest/", "http://[::1]/"} {
		if _, err := c.Post(t.Context(), chain(1, 308, to), nil, nil); !errors.As(err, &address) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if status, err := c.Post(t.Context(), chain(1, 307, ""), nil, nil); err != nil || status != 307 {
		t.Errorf("to nowhere: %d, %v", status, err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(redirect(307, "http://127.0.0.1:1/"))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	c := local(t)
	fails(t, c, s.URL, "the certificate of the host cannot be verified")
	fails(t, c, strings.Replace(serve(t, nil).URL, "http:", "https:", 1), "the host does not speak TLS as expected")
	c.http.Transport.(*http.Transport).TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig
	fails(t, c, s.URL, "redirected from https to http")
}

func TestBrokenPeers(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	fails(t, local(t), "http://"+closed.Addr().String(), "the connection was refused")
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	go func() {
		for {
			conn, err := other.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("SSH-2.0-secret\r\n"))
			conn.Close()
		}
	}()
	fails(t, local(t), "http://"+other.Addr().String(), "the request failed before there was a complete answer")
}

// The environment's proxy is not asked: it would connect to what is refused here.
func TestNoProxy(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	t.Setenv("HTTP_PROXY", s.URL)
	t.Setenv("HTTPS_PROXY", s.URL)
	if c := local(t); c.http.Transport.(*http.Transport).Proxy != nil {
		t.Error("there is a proxy")
	}
	fails(t, local(t), "http://127.0.0.2:1/", "the address is not allowed (loopback)")
}

func TestParseURL(t *testing.T) {
	long := "https://acme.example/" + strings.Repeat("x", MaxURL-21)
	for _, text := range []string{
		"http://acme.example", "https://acme.example:8443/hook?a=b#c", "HTTPS://ACME.example", "http://[2606:4700::1]:80/", "http://1.1.1.1",
		"http://bücher.example/ü", "http://acme.example:/", long,
	} {
		if u, err := ParseURL(text); err != nil || u == nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"", "acme.example", "/hook", "//acme.example/", "ftp://acme.example", "file:///etc/passwd", "http:acme.example", "http://", "http:///x",
		"http://:80/", "http://u@acme.example", "http://u:p@acme.example", "http://@acme.example", "http://acme.example:0", "http://acme.example:65536",
		"http://acme.example:x", "http://acme.example\n", "http://acme.example\\@x", "http://a b/", "http://[::1", "javascript:alert(1)", "http://\xff/",
		"gopher://x/", "unix:///x", long + "x", "http://acme.example/\x00",
	} {
		if u, err := ParseURL(text); !errors.Is(err, ErrURL) || u != nil || len(err.Error()) > 150 {
			t.Errorf("%q: %v, %v", text, u, err)
		}
		if _, err := local(t).Post(t.Context(), text, nil, nil); !errors.Is(err, ErrURL) {
			t.Errorf("post to %q: %v", text, err)
		}
	}
}

// No text makes the client call what ParseURL promises not to.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"http://acme.example/", "https://u:p@h/", "http://[::1%25lo]:1/", "http://2130706433/", "http://0x7f.1/", "//h", "http:h", "http://h:99999",
		"HTTP://h?#", "http://h\t", "http://%31%32%37.0.0.1/", "http://１２７.0.0.1/", "http://a@b@c/", "http://a/\\b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURL(text)
		if err != nil {
			if u != nil || !errors.Is(err, ErrURL) || len(err.Error()) > 150 {
				t.Errorf("%q: %v, %v", text, u, err)
			}
			return
		}
		if len(text) > MaxURL || u.User != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("%q became %#v", text, u)
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host || again.Scheme != u.Scheme || again.User != nil {
			t.Errorf("%q is written as %q, which is %v, %v", text, u, again, err)
		}
	})
}

func TestGet(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("User-Agent") != UserAgent || r.ContentLength != 0 {
			t.Errorf("%s %s, header %v", r.Method, r.URL, r.Header)
		}
		switch r.URL.Path {
		case "/moved":
			w.Header().Set("Location", "/file")
			w.WriteHeader(http.StatusFound)
		case "/file":
			_, _ = io.WriteString(w, "0123456789")
		case "/short":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "012")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	for _, c := range []struct {
		path   string
		limit  int
		status int
		body   string
	}{
		{"/file", 100, http.StatusOK, "0123456789"},
		{"/file", 4, http.StatusOK, "0123"},
		{"/moved", 100, http.StatusOK, "0123456789"},
		{"/none", 100, http.StatusNotFound, ""},
	} {
		status, body, err := local(t).Get(t.Context(), s.URL+c.path, c.limit)
		if status != c.status || string(body) != c.body || err != nil {
			t.Errorf("%s: %d %q, %v", c.path, status, body, err)
		}
	}
	status, body, err := local(t).Get(t.Context(), s.URL+"/short", 100)
	if e := new(Error); !errors.As(err, &e) || status != 0 || body != nil ||
		e.Error() != "the request failed before there was a complete answer" {
		t.Errorf("a body that ends too early: %d %q, %v", status, body, err)
	}
	var address *AddressError
	if _, _, err := client(t, Config{}).Get(t.Context(), s.URL+"/file", 100); !errors.As(err, &address) {
		t.Errorf("an address that must not be called: %v", err)
	}
	if _, _, err := local(t).Get(t.Context(), "ftp://example.com", 100); !errors.Is(err, ErrURL) {
		t.Errorf("a URL that cannot be called: %v", err)
	}
}
