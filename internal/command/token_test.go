package command

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/client"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
	"castellan/internal/vault"
	"castellan/tests/kit"
)

// provider is an instance that gives out tokens, as far as a client sees it.
type provider struct {
	*httptest.Server
	// document and answer are what it answers; {} stands for its address.
	document, answer string
	status           int
	contentType      string
	// asked is the form of the last request for a token.
	asked map[string][]string
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{
		document:    `{"issuer":"{}","token_endpoint":"{}/oauth/v2/token"}`,
		answer:      `{"access_token":"at","token_type":"Bearer","expires_in":43199,"id_token":"it"}`,
		status:      http.StatusOK,
		contentType: "application/json; charset=utf-8",
	}
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, status int, text string) {
		w.Header().Set("Content-Type", p.contentType)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, strings.ReplaceAll(text, "{}", p.URL))
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, p.document) })
	mux.HandleFunc("POST /oauth/v2/token", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		p.asked = r.PostForm
		say(w, p.status, p.answer)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// machineKey writes the key of a machine user to a file, as its owner would.
func machineKey(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	text, err := vault.MachineKeyFile(key, "311", "312", time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "machine-key.json", string(text))
}

// write makes a file for one test.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The token stands alone on standard output; what was sent proves who asks.
func TestTokenByKey(t *testing.T) {
	t.Parallel()
	p, key := newProvider(t), newKey(t)
	file := machineKey(t, key)
	if got := castellan().Succeed(t, "token", "--key", file, "--instance", p.URL+"/"); got != "at\n" {
		t.Errorf("got %q", got)
	}
	if got := p.asked; fmt.Sprint(got["grant_type"]) != "[urn:ietf:params:oauth:grant-type:jwt-bearer]" ||
		fmt.Sprint(got["scope"]) != "[openid urn:zitadel:iam:org:project:id:zitadel:aud]" || len(got["assertion"]) != 1 || len(got) != 3 {
		t.Errorf("asked with %v", got)
	}
	said, err := assertion.Parse(p.asked["assertion"][0], p.URL)
	if err == nil {
		err = said.ValidAt(time.Now())
	}
	public, badKey := assertion.NewKey(key.Public())
	if err != nil || badKey != nil || public.Verify(p.asked["assertion"][0]) != nil || said.Subject != "312" || said.KeyID != "311" {
		t.Errorf("%+v, %v, %v", said, err, badKey)
	}
	var token client.Token
	out := castellan().Succeed(t, "token", "--key", file, "--instance", p.URL, "--scope", "openid", "--scope", "profile email", "-o", "json")
	if err := json.Unmarshal([]byte(out), &token); err != nil || token != (client.Token{AccessToken: "at", TokenType: "Bearer", ExpiresIn: 43199, IDToken: "it"}) {
		t.Errorf("%+v, %v", token, err)
	}
	if got := fmt.Sprint(p.asked["scope"]); got != "[openid profile email]" {
		t.Errorf("scope %s", got)
	}
}

func TestTokenBySecret(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	secret := write(t, "secret", "s3cr et\r\n")
	args := []string{"token", "--instance", p.URL, "--client-id", "robot", "--client-secret-file"}
	castellan().Succeed(t, append(args, secret)...)
	want := "map[client_id:[robot] client_secret:[s3cr et] grant_type:[client_credentials] scope:[openid urn:zitadel:iam:org:project:id:zitadel:aud]]"
	if got := fmt.Sprint(p.asked); got != want {
		t.Errorf("asked with %s", got)
	}
	cli := castellan()
	cli.In = strings.NewReader("typed\n")
	cli.Succeed(t, append(args, "-")...)
	if got := fmt.Sprint(p.asked["client_secret"]); got != "[typed]" {
		t.Errorf("secret %s", got)
	}
	castellan().Fail(t, terminal.ExitFailure, []string{"there is no secret in it"}, append(args, write(t, "empty", "\n"))...)
	castellan().Fail(t, terminal.ExitFailure, []string{"no such file"}, append(args, filepath.Join(t.TempDir(), "none"))...)
}

// What an instance answers is told, and nothing secret goes where it should not.
func TestTokenIsRefused(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	file := machineKey(t, key)
	for name, c := range map[string]struct {
		change func(p *provider)
		says   []string
		sent   bool
	}{
		"OAuth": {func(p *provider) {
			p.status, p.answer = http.StatusBadRequest, `{"error":"invalid_grant","error_description":"the \u001b[31mkey is not known"}`
		}, []string{"refused: the \ufffd[31mkey is not known [invalid_grant]"}, true},
		"OAuth without words": {func(p *provider) { p.status, p.answer = http.StatusBadRequest, `{"error":"invalid_grant"}` },
			[]string{"refused: invalid_grant [invalid_grant]"}, true},
		"another form":  {func(p *provider) { p.status, p.answer = 429, `{"code":8,"message":"blocked"}` }, []string{"refused: blocked [429 "}, true},
		"no JSON":       {func(p *provider) { p.contentType = "text/html" }, []string{"does not answer as an instance does: 200 OK"}, false},
		"no token":      {func(p *provider) { p.answer = `{"token_type":"Bearer"}` }, []string{"answered without a token"}, true},
		"broken":        {func(p *provider) { p.answer = `{"access_token":` }, []string{"does not answer as an instance does"}, true},
		"another name":  {func(p *provider) { p.document = `{"issuer":"https://other","token_endpoint":"{}/oauth/v2/token"}` }, []string{`calls itself "https://other"`}, false},
		"elsewhere":     {func(p *provider) { p.document = `{"issuer":"{}","token_endpoint":"https://other/token"}` }, []string{`elsewhere, at "https://other/token"`}, false},
		"nowhere":       {func(p *provider) { p.document = `{"issuer":"{}"}` }, []string{"elsewhere, at"}, false},
		"a long answer": {func(p *provider) { p.document = `"` + strings.Repeat("x", 1<<20) + `"` }, []string{"is longer than"}, false},
	} {
		p := newProvider(t)
		c.change(p)
		got := castellan().Run(t, "token", "--key", file, "--instance", p.URL)
		if got.Code != terminal.ExitFailure || got.Out != "" || (p.asked != nil) != c.sent {
			t.Errorf("%s: %+v, asked %v", name, got, p.asked)
		}
		terminaltest.Contains(t, got.Err, c.says...)
	}
	gone := newProvider(t)
	gone.Close()
	castellan().Fail(t, terminal.ExitFailure, []string{"cannot reach " + gone.URL}, "token", "--key", file, "--instance", gone.URL)
}

func TestTokenUsage(t *testing.T) {
	t.Parallel()
	file := machineKey(t, newKey(t))
	for _, c := range []struct {
		says string
		args []string
	}{
		{"--instance must be a URL", []string{"--instance", "acme", "--key", file}},
		{"--instance must be a URL", []string{"--instance", "ftp://acme", "--key", file}},
		{"--instance must be a URL", []string{"--instance", "https://u:p@acme", "--key", file}},
		{"--instance must be a URL", []string{"--instance", "https://acme/path", "--key", file}},
		{"--key must name the key of a machine user", []string{"--instance", "https://acme"}},
		{"--user is for system users", []string{"--instance", "https://acme", "--key", file, "--user", "ops"}},
		{"--lifetime is for system users", []string{"--instance", "https://acme", "--key", file, "--lifetime", "1m"}},
		{"--timeout must be more than 0", []string{"--instance", "https://acme", "--key", file, "--timeout", "0s"}},
		{"--scope needs --instance", []string{"--key", file, "--scope", "openid"}},
		{"--client-id needs --instance", []string{"--client-id", "robot", "--client-secret-file", file}},
		{"client-secret-file", []string{"--instance", "https://acme", "--client-id", "robot"}},
		{"client-id key", []string{"--instance", "https://acme", "--key", file, "--client-id", "robot", "--client-secret-file", file}},
	} {
		castellan().Fail(t, terminal.ExitUsage, []string{c.says}, append([]string{"token"}, c.args...)...)
	}
	pem := filepath.Join(t.TempDir(), "keys")
	castellan().Succeed(t, "system-user", "keygen", "ops", "--out", pem)
	for text, says := range map[string]string{
		"{}":                       `needs the type "serviceaccount"`,
		`{"type":"application"}`:   `needs the type "serviceaccount"`,
		"nonsense":                 "which is JSON",
		strings.Repeat(" ", 1<<17): "is longer than",
		`{"type":"serviceaccount","keyId":"1","userId":"2","key":"none"}`: "is not PEM",
	} {
		castellan().Fail(t, terminal.ExitFailure, []string{says}, "token", "--instance", "https://acme", "--key", write(t, "key.json", text))
	}
	castellan().Fail(t, terminal.ExitFailure, []string{"which is JSON"}, "token", "--instance", "https://acme", "--key", filepath.Join(pem, "ops.pem"))
	made := decode[client.Token](t, castellan().Succeed(t, "token", "--key", filepath.Join(pem, "ops.pem"), "--user", "ops", "--lifetime", "1m", "-o", "json"))
	terminaltest.Claims(t, made.AccessToken+"\n", filepath.Join(pem, "ops.pub.pem"), "ops", kit.Issuer)
	if made.ExpiresIn != 60 || made.TokenType != "Bearer" {
		t.Errorf("made %+v", made)
	}
}
