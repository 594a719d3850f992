package client

import (
	"cmp"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/assertion"
	"castellan/internal/files"
	"castellan/internal/terminal"
)

// maxOAuth bounds an answer of a token endpoint, or a discovery document, in bytes.
const maxOAuth = 1 << 20

// DefaultScopes make a token good for the APIs of its instance (contract section 5.1).
var DefaultScopes = []string{"openid", "urn:zitadel:iam:org:project:id:zitadel:aud"}

// Grant is what the flags of a command say about an instance and what gives a token there: the key of a
// machine user, or a client and its secret.
type Grant struct {
	// Instance is the URL of the instance; empty when no flag names one.
	Instance string
	// ClientID and secretFile are client credentials, instead of a key.
	ClientID   string
	secretFile string
	scopes     []string
}

// AddGrant gives cmd the flags of a grant. The key is that of another flag, which the command has already.
func AddGrant(cmd *cobra.Command) *Grant {
	g := &Grant{}
	flags := cmd.Flags()
	flags.StringVar(&g.Instance, "instance", "", "`URL` of an instance, for a token of one of its machine users")
	flags.StringVar(&g.ClientID, "client-id", "", "`name` of a machine user that has a secret")
	flags.StringVar(&g.secretFile, "client-secret-file", "", "`file` with that secret, - for standard input")
	flags.StringSliceVar(&g.scopes, "scope", DefaultScopes, "a `scope` of the token; can be repeated")
	cmd.MarkFlagsMutuallyExclusive("key", "client-id")
	if flags.Lookup("token") != nil {
		cmd.MarkFlagsMutuallyExclusive("token", "client-id")
	}
	flags.Lookup("key").Usage = "`file` with the private key of a system user (PEM) [" + KeyEnv +
		"], default that of castellan dev, or with --instance of a machine user (JSON)"
	terminal.Must(cmd.MarkFlagFilename("key", "pem", "json"))
	cmd.MarkFlagsRequiredTogether("client-id", "client-secret-file")
	terminal.Must(cmd.MarkFlagFilename("client-secret-file"))
	return g
}

// Token is the answer of a token endpoint (RFC 6749 section 5.1).
type Token struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
	IDToken     string `json:"id_token,omitempty"`
}

// form is what a token endpoint is asked.
type form func(issuer string) (url.Values, error)

// Token asks the instance for a token. keyFile is the file of a machine key; it is not read when there are
// client credentials. It returns a [terminal.Usage] error when something is missing, and one that says
// what the instance answered when it refuses.
func (g *Grant) Token(ctx context.Context, s Surroundings, keyFile string, timeout time.Duration) (Token, error) {
	base, err := g.origin()
	if err != nil {
		return Token{}, err
	}
	ask, err := g.form(s, keyFile)
	if err != nil {
		return Token{}, err
	}
	e := &endpoint{http: &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, issuer: base}
	defer s.Wait("waiting for " + e.issuer)()
	return e.token(ctx, ask)
}

// origin is the URL of the instance as its issuer has it. It returns a [terminal.Usage] error for what is none.
func (g *Grant) origin() (string, error) {
	base, err := url.Parse(g.Instance)
	if err != nil || base.Host == "" || base.User != nil || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" ||
		base.Fragment != "" || base.Scheme != "http" && base.Scheme != "https" {
		return "", terminal.Usagef("--instance must be a URL such as https://acme.example.com")
	}
	return origin(base), nil
}

// Client returns a client of the API of the instance. What a says about tokens and keys is of a user of the
// instance: a personal access token, else one is asked for with the grant whenever a call is made. It
// returns [terminal.Usage] errors.
func (g *Grant) Client(ctx context.Context, s Surroundings, a *Access) (*Client, error) {
	base, err := g.origin()
	if err != nil {
		return nil, err
	}
	if a.timeout <= 0 {
		return nil, errTimeout
	}
	asks, token := a.identity.Key != "" || g.ClientID != "", a.token
	if token == "" && !asks {
		token = s.Environ[TokenEnv]
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	if token == "" && !asks {
		return nil, terminal.Usagef("--token or %s, --key or --client-id must say who calls", TokenEnv)
	}
	c := newOneShot(base, a.timeout, s)
	c.token = func() (string, error) {
		if token != "" {
			return token, nil
		}
		made, err := g.Token(ctx, s, a.identity.Key, a.timeout)
		return made.AccessToken, err
	}
	return c, nil
}

// form makes what is asked of the credentials.
func (g *Grant) form(s Surroundings, keyFile string) (form, error) {
	scopes := strings.Join(g.scopes, " ")
	switch {
	case g.ClientID != "":
		secret, err := g.secret(s.In)
		return func(string) (url.Values, error) {
			return url.Values{
				"grant_type": {"client_credentials"}, "client_id": {g.ClientID}, "client_secret": {secret}, "scope": {scopes},
			}, nil
		}, err
	case keyFile == "":
		return nil, terminal.Usagef("--key must name the key of a machine user, or --client-id one that has a secret")
	}
	text, err := files.Read(keyFile, maxKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := ParseMachineKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	return func(issuer string) (url.Values, error) {
		signed, err := assertion.Sign(key.signer, key.KeyID, key.UserID, issuer, callLifetime, s.Clock.Now())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyFile, err)
		}
		return url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {signed}, "scope": {scopes},
		}, nil
	}, nil
}

// secret reads the secret of the client, without the line feed that ends its file.
func (g *Grant) secret(in io.Reader) (string, error) {
	var text []byte
	var err error
	if g.secretFile == "-" {
		text, err = files.ReadAll(in, "standard input", maxKeyFile)
	} else {
		text, err = files.Read(g.secretFile, maxKeyFile)
	}
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s: there is no secret in it", g.secretFile)
	}
	return secret, nil
}

// MachineKey is the key of a machine user, as its owner received it (contract section 1.4).
type MachineKey struct {
	KeyID, UserID string
	signer        crypto.Signer
}

// ParseMachineKey reads the file of a machine key. Its errors do not quote the file.
func ParseMachineKey(text []byte) (MachineKey, error) {
	var file struct {
		Type   string `json:"type"`
		KeyID  string `json:"keyId"`
		Key    string `json:"key"`
		UserID string `json:"userId"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return MachineKey{}, errors.New("is not the key of a machine user, which is JSON")
	}
	if file.Type != "serviceaccount" || file.KeyID == "" || file.UserID == "" {
		return MachineKey{}, errors.New(`is not the key of a machine user: it needs the type "serviceaccount", a keyId and a userId`)
	}
	signer, err := assertion.ParsePrivateKey([]byte(file.Key))
	if err != nil {
		return MachineKey{}, err
	}
	return MachineKey{KeyID: file.KeyID, UserID: file.UserID, signer: signer}, nil
}

// endpoint is the token endpoint of an instance.
type endpoint struct {
	http   *http.Client
	issuer string
}

// token finds the endpoint (OpenID Connect Discovery 1.0 section 4) and asks it. What is secret goes to
// nobody but the issuer.
func (e *endpoint) token(ctx context.Context, ask form) (Token, error) {
	var found struct {
		Issuer        string `json:"issuer"`
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := e.call(ctx, http.MethodGet, e.issuer+"/.well-known/openid-configuration", nil, &found); err != nil {
		return Token{}, err
	}
	if found.Issuer != e.issuer {
		return Token{}, fmt.Errorf("%s calls itself %.200q: name it as it does", e.issuer, found.Issuer)
	}
	at, err := url.Parse(found.TokenEndpoint)
	if err != nil || at.Host == "" || origin(at) != e.issuer {
		return Token{}, fmt.Errorf("%s has its token endpoint elsewhere, at %.200q", e.issuer, found.TokenEndpoint)
	}
	values, err := ask(e.issuer)
	if err != nil {
		return Token{}, err
	}
	var token Token
	if err := e.call(ctx, http.MethodPost, found.TokenEndpoint, values, &token); err != nil {
		return Token{}, err
	}
	if token.AccessToken == "" {
		return Token{}, fmt.Errorf("%s answered without a token", e.issuer)
	}
	return token, nil
}

// errRefused is within the errors of an endpoint that knows what it says.
var errRefused = errors.New("refused")

// call sends a form, or nothing, and reads the JSON of the answer.
func (e *endpoint) call(ctx context.Context, method, at string, values url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	if values != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "application/json")
	res, err := e.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", e.issuer, bare(err))
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is of no use
	text, err := files.ReadAll(res.Body, "the answer of "+e.issuer, maxOAuth)
	if err != nil {
		return err
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	isJSON := kind == "application/json"
	if res.StatusCode == http.StatusOK && isJSON && json.Unmarshal(text, into) == nil {
		return nil
	}
	var refused struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Message     string `json:"message"`
	}
	if isJSON && json.Unmarshal(text, &refused) == nil && cmp.Or(refused.Error, refused.Message) != "" {
		return fmt.Errorf("%s %w: %s [%s]", e.issuer, errRefused,
			terminal.Printable(cmp.Or(refused.Description, refused.Message, refused.Error)), terminal.Printable(cmp.Or(refused.Error, res.Status)))
	}
	return fmt.Errorf("%s does not answer as an instance does: %s", at, terminal.Printable(res.Status))
}

// bare is the error without the URL and the method, which have been said.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
