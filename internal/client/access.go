package client

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/terminal"
)

// Variables of commands that call the API.
const (
	ServerEnv = "CASTELLAN_SERVER" // URL of the server
	KeyEnv    = "CASTELLAN_KEY"    // file with the private key of a system user
	UserEnv   = "CASTELLAN_USER"   // name of that user
	TokenEnv  = "CASTELLAN_TOKEN"  // a token to send instead
)

// callLifetime is the life of a token made for one call: enough for clocks that differ a little.
const callLifetime = time.Minute

// Surroundings are where a client comes from what flags do not say.
type Surroundings struct {
	*terminal.Terminal
	// Issuer returns the URL of the system that the environment describes; given says whether it
	// says anything about it.
	Issuer func() (issuer string, given bool, err error)
	// DevKey is where castellan dev leaves a key when it is run in the working directory, and
	// DevUser whose it is.
	DevKey, DevUser string
}

// Access is what the flags of a client command say about the server and who calls it.
type Access struct {
	server, token string
	timeout       time.Duration
	identity      *Identity
}

// AddAccess gives cmd the flags of a client command.
func AddAccess(cmd *cobra.Command) *Access {
	a := &Access{identity: AddIdentity(cmd)}
	flags := cmd.Flags()
	flags.StringVar(&a.server, "server", "", "`URL` of the server ["+ServerEnv+"], default http://localhost:8080")
	flags.StringVar(&a.token, "token", "", "a `token` to send instead of one made with the key ["+TokenEnv+"]")
	flags.DurationVar(&a.timeout, "timeout", 30*time.Second, "how long to wait for the answer")
	cmd.MarkFlagsMutuallyExclusive("token", "key")
	return a
}

var errTimeout = terminal.Usagef("--timeout must be more than 0")

// Client returns the client that a and s describe. It returns [terminal.Usage] errors.
func (a *Access) Client(s Surroundings) (*Client, error) {
	if a.timeout <= 0 {
		return nil, errTimeout
	}
	base := cmp.Or(a.server, s.Environ[ServerEnv])
	if base == "" {
		issuer, _, err := s.Issuer()
		if err != nil {
			return nil, err
		}
		base = issuer
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "http" && u.Scheme != "https" {
		return nil, terminal.Usagef("--server or %s must be a URL such as http://localhost:8080", ServerEnv)
	}
	token := a.token
	if token == "" && a.identity.Key == "" {
		token = s.Environ[TokenEnv]
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	c := newOneShot(base, a.timeout, s)
	c.token = func() (string, error) { return token, nil }
	if token != "" {
		return c, nil
	}
	id, err := a.identity.Complete(s, origin(u))
	if err != nil {
		return nil, err
	}
	c.token = id.Tokens(s.Clock)
	return c, nil
}

// checkToken refuses what is no bearer token, which is printable ASCII without spaces (RFC 6750 section 2.1):
// with anything else the call could not even be sent.
func checkToken(token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return terminal.Usagef("--token or %s has a line break, a space or another character that no token has", TokenEnv)
	}
	return nil
}

// newOneShot returns a client without a token: one call needs one connection, which nobody will want
// afterwards.
func newOneShot(base string, timeout time.Duration, s Surroundings) *Client {
	oneShot := http.DefaultTransport.(*http.Transport).Clone()
	oneShot.DisableKeepAlives = true
	c := New(base, oneShot, timeout, nil)
	c.wait = s.Wait
	return c
}

// origin returns scheme, host and port of u as an issuer has them: without the port of the scheme.
func origin(u *url.URL) string {
	host := u.Host
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + strings.ToLower(host)
}
