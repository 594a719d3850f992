package access

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"castellan/internal/instance"
)

// hosts are values of a Host header, and the domains they name; none when there is no domain.
var hosts = map[string]string{
	"acme.example":                       "acme.example",
	"acme.example:8080":                  "acme.example",
	"acme.example:":                      "acme.example",
	"ACME.Example:443":                   "acme.example",
	"bücher.example":                     "xn--bcher-kva.example",
	"BÜCHER.example:1":                   "xn--bcher-kva.example",
	"xn--bcher-kva.example":              "xn--bcher-kva.example",
	"ａｃｍｅ．example":                       "acme.example", // full width, as browsers map it
	"localhost":                          "localhost",
	"":                                   "",
	":8080":                              "",
	"acme.example.":                      "",
	"acme.example.:8080":                 "",
	".acme.example":                      "",
	"acme..example":                      "",
	" acme.example":                      "",
	"acme.example ":                      "",
	"acme.example :80":                   "",
	"\u00a0acme.example":                 "",
	"acme.example\t":                     "",
	"acme.example:http":                  "",
	"acme.example:80x":                   "",
	"acme.example:-1":                    "",
	"acme.example:+80":                   "",
	"acme.example:65536":                 "",
	"acme.example:000080":                "",
	"acme.example:80:80":                 "",
	"acme.example:８０":                    "",
	"acme.example/path":                  "",
	"acme.example?x":                     "",
	"acme.example#x":                     "",
	"user@acme.example":                  "",
	"http://acme.example":                "",
	"acme.example,other.example":         "",
	"acme.example, other.example":        "",
	"acme.example;x":                     "",
	"acme%2eexample":                     "",
	"acme.example%00":                    "",
	"acme.example\x00":                   "",
	"acme.example\r\nX: y":               "",
	"acme_corp.example":                  "",
	"*.example":                          "",
	"127.0.0.1":                          "",
	"127.0.0.1:8080":                     "",
	"１２７.0.0.1":                          "",
	"::1":                                "",
	"[::1]":                              "",
	"[::1]:8080":                         "",
	"[acme.example]":                     "",
	"[acme.example]:80":                  "",
	"\xff.example":                       "",
	"-acme.example":                      "",
	strings.Repeat("a", 64) + ".example": "",
	strings.Repeat("a.", 127) + "a":      "",
	strings.Repeat("é", 600):             "",
	"acme.example:" + strings.Repeat("0", 5000): "",
}

func TestHosts(t *testing.T) {
	for host, want := range hosts {
		got, ok := domainOf(host)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%.100q: %q, %v; want %q", host, got, ok, want)
		}
	}
}

func FuzzHost(f *testing.F) {
	for host := range hosts {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		domain, ok := domainOf(host)
		if !ok {
			return
		}
		if len(domain) == 0 || len(domain) > 253 || strings.ContainsAny(domain, ":/@[] \x00") || strings.HasSuffix(domain, ".") {
			t.Fatalf("%q names %q", host, domain)
		}
		if stored, err := instance.NormalizeDomain("", domain); err != nil || stored != domain {
			t.Errorf("%q names %q, which is stored as %q (%v)", host, domain, stored, err)
		}
		for _, same := range []string{domain, domain + ":443", strings.ToUpper(domain)} {
			if again, ok := domainOf(same); !ok || again != domain {
				t.Errorf("%q names %q, and %q names %q", host, domain, same, again)
			}
		}
	})
}

// TestHostsAsTheyCome sends hostile headers to a server of the kind that hands them over, and looks
// at which domain the request is for. Only Host and :authority count (decision D10); a request
// with two of them reaches nobody.
func TestHostsAsTheyCome(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		domain, ok := domainOf(r.Host)
		fmt.Fprintf(w, "%s %v", domain, ok)
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	addr := server.Listener.Addr().String()

	const forwarded = "X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\nX-Zitadel-Instance-Host: evil.example\r\n" +
		"X-Original-Host: evil.example\r\nX-Zitadel-Forwarded: host=evil.example\r\n"
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: acme.example\r\n" + forwarded:            "200 acme.example true",
		"GET / HTTP/1.1\r\nHost:   ACME.example:80  \r\n":                 "200 acme.example true",
		"GET / HTTP/1.1\r\nHost: acme.example.\r\n":                       "200  false",
		"GET / HTTP/1.1\r\nHost: [::1]:80\r\n":                            "200  false",
		"GET / HTTP/1.1\r\nHost:\r\n" + forwarded:                         "200  false",
		"GET / HTTP/1.0\r\n" + forwarded:                                  "200  false",
		"GET / HTTP/1.1\r\n" + forwarded:                                  "400",
		"GET / HTTP/1.1\r\nHost: acme.example\r\nHost: evil.example\r\n":  "400",
		"GET / HTTP/1.1\r\nHost: acme.example\r\nhost: acme.example\r\n":  "400",
		"GET / HTTP/1.1\r\nHost: acme.example\r\n Host: evil.example\r\n": "400",
		// The target of the request wins over the header, as it must (RFC 9112 section 3.2.2).
		"GET http://acme.example/ HTTP/1.1\r\nHost: evil.example\r\n": "200 acme.example true",
	} {
		if got := raw(t, addr, request+"Connection: close\r\n\r\n"); got != want && !(want == "400" && strings.HasPrefix(got, want)) {
			t.Errorf("%q: %q, want %q", request, got, want)
		}
	}

	for name, tt := range map[string]struct {
		fields []string
		want   string
	}{
		"authority":       {[]string{":authority", "acme.example"}, "200 acme.example true"},
		"upper case":      {[]string{":authority", "ACME.example:80"}, "200 acme.example true"},
		"authority first": {[]string{":authority", "acme.example", "host", "evil.example"}, "200 acme.example true"},
		"host alone":      {[]string{"host", "acme.example"}, "200 acme.example true"},
		"forwarded":       {[]string{":authority", "acme.example", "x-forwarded-host", "evil.example"}, "200 acme.example true"},
		"none":            {[]string{"x-forwarded-host", "evil.example"}, "200  false"},
		"a space":         {[]string{":authority", "acme.example "}, "200  false"},
		"user":            {[]string{":authority", "acme.example@evil.example"}, "refused"},
		"two authorities": {[]string{":authority", "acme.example", ":authority", "evil.example"}, "refused"},
	} {
		if got := overHTTP2(t, addr, tt.fields); got != tt.want {
			t.Errorf("HTTP/2, %s: %q, want %q", name, got, tt.want)
		}
	}
}

// raw sends a request as it is and returns the status and the body.
func raw(t *testing.T, addr, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

// overHTTP2 sends a request with the given fields, and no check of them, and returns the status and
// the body, or that the server refused it.
func overHTTP2(t *testing.T, addr string, fields []string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	fields = append([]string{":method", "GET", ":path", "/", ":scheme", "http"}, fields...)
	for i := 0; i < len(fields); i += 2 {
		if err := encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	err = framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	status := ""
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			status = frame.PseudoValue("status")
		case *http2.DataFrame:
			return status + " " + string(frame.Data())
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "refused"
		}
	}
}
