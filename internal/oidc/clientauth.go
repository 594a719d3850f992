package oidc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"castellan/internal/app"
	"castellan/internal/assertion"
	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/vault"
)

// assertionType is the type of a client assertion (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Limits of what a client sends to authenticate, in bytes.
const (
	maxClientID = 400 // a user name has 200 characters
	maxSecret   = 200
)

// challenge says how a client may authenticate that has tried to by the Authorization header (RFC 6749
// section 5.2, RFC 7617 section 2).
const challenge = `Basic realm="oauth", charset="UTF-8"`

// credentials is how a client says who it is: exactly one way (RFC 6749 section 2.3).
type credentials struct {
	method string
	// id is the client_id. That of an assertion is its subject.
	id string
	// secret is that of authBasic and authPost.
	secret string
	// text and claims are the assertion of authPrivateKeyJWT.
	text   string
	claims assertion.Assertion
}

// readCredentials returns what a request says about who sends it, for an endpoint of a provider. It looks
// nothing up. It returns invalid_request when there is more than one way, or one that cannot be read, and
// invalid_client for an assertion that nobody can have made for this issuer now.
func (p *Provider) readCredentials(r *Request, f form) (c credentials, err error) {
	c.method, c.id = authNone, f.get("client_id")
	ways := 0
	if values := r.Header.Values("Authorization"); len(values) > 0 {
		ways++
		if err := c.readBasic(values, f.get("client_id")); err != nil {
			return credentials{}, err
		}
	}
	if secret := f.get("client_secret"); secret != "" {
		ways++
		c.method, c.secret = authPost, secret
	}
	if f.get("client_assertion") != "" || f.get("client_assertion_type") != "" {
		ways++
		if err := c.readAssertion(r, f, p.Clock.Now()); err != nil {
			return credentials{}, err
		}
	}
	switch {
	case ways > 1:
		return credentials{}, newError(codeInvalidRequest, "there must not be more than one way in which the client authenticates")
	case len(c.id) > maxClientID || len(c.secret) > maxSecret:
		return credentials{}, newError(codeInvalidRequest, "client_id or client_secret is too long")
	}
	return c, nil
}

// readBasic reads an Authorization header (RFC 6749 section 2.3.1): id and secret are in the form of form
// parameters before they are joined. inForm is the client_id in the body, which is not needed then, and
// must be the same if it is there.
func (c *credentials) readBasic(values []string, inForm string) error {
	scheme, encoded, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Basic") {
		return errClient(authBasic, errors.New("the Authorization header is not of scheme Basic"))
	}
	invalid := newError(codeInvalidRequest, "the Authorization header cannot be read")
	text, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(encoded)) // one spelling
	if err != nil {
		return invalid.because(err)
	}
	id, secret, ok := strings.Cut(string(text), ":")
	if !ok {
		return invalid
	}
	if c.id, err = url.QueryUnescape(id); err == nil {
		c.secret, err = url.QueryUnescape(secret)
	}
	if err != nil || !isText(c.id) || !isText(c.secret) {
		return invalid.because(err)
	}
	if inForm != "" && inForm != c.id {
		return newError(codeInvalidRequest, "client_id is not that of the Authorization header")
	}
	c.method = authBasic
	return nil
}

// readAssertion reads a client assertion (RFC 7523 section 3): made for the issuer, or for one of two of its
// endpoints, the token endpoint and the one that is asked, as clients have always done it.
func (c *credentials) readAssertion(r *Request, f form, now time.Time) (err error) {
	if f.get("client_assertion_type") != assertionType {
		return newError(codeInvalidRequest, "client_assertion_type must be "+assertionType)
	}
	c.method, c.text = authPrivateKeyJWT, f.get("client_assertion")
	c.claims, err = assertion.Parse(c.text, r.Issuer, r.Issuer+pathToken, r.Issuer+r.URL.Path)
	if err == nil {
		err = c.claims.ValidAt(now)
	}
	if err != nil {
		// All of this a client can see in what it has sent.
		return &Error{Code: codeInvalidClient, Description: "client_assertion: " + clean(err.Error(), 200)}
	}
	if c.id != "" && c.id != c.claims.Subject {
		return newError(codeInvalidRequest, "client_id is not the subject of client_assertion")
	}
	c.id = c.claims.Subject
	return nil
}

// errClient is the answer to a client that is not who it says it is, the same for every reason: there is
// no such one, it may not act, or what it proves it with is not right. Who has tried the Authorization
// header is told so by status and challenge (RFC 6749 section 5.2).
func errClient(method string, why error) *Error {
	e := newError(codeInvalidClient, "the client cannot be authenticated").because(why)
	if method == authBasic {
		e.Status, e.challenge = http.StatusUnauthorized, challenge
	}
	return e
}

// client is who asks, once it has proved it.
type client struct {
	// id is its client_id: of a machine its user name, or its id when it calls itself by that.
	id string
	// ground is what it has proved it with. User of that of an application is to be filled in by who
	// gives out a token on it.
	ground session.Ground

	// Of an application.
	app     ident.AppID
	project ident.ProjectID
	kind    app.Kind
	grants  []app.GrantType // of an OIDC application

	// Of a machine.
	user ident.UserID
	org  ident.OrgID

	// jwt says that its access tokens are JWTs.
	jwt bool
}

// authenticate finds out which client asks: an application, or, for machines, a machine user. what reads it
// by what the request says. It returns an [Error], that of admit among them, and the errors of store.DB.
func (p *Provider) authenticate(r *Request, c credentials,
	read func(ctx context.Context, at ident.InstanceID, c credentials) (candidate, error),
) (client, error) {
	if c.id == "" {
		return client{}, newError(codeInvalidClient, "the client has not authenticated")
	}
	name := c.id
	if c.method == authNone {
		// Anybody can be a public client. So it is another one at each address: strangers at theirs do not stop it.
		name += "\x00" + p.Origins.Client(r.Request).String()
	}
	visit, err := p.admit(r, name)
	if err != nil {
		return client{}, err
	}
	h, err := read(r.Context(), r.Instance.ID, c)
	if err != nil {
		return client{}, err
	}
	if why := p.prove(&h, c); why != nil {
		if err := p.failed(r.Context(), &h, visit); err != nil {
			return client{}, err
		}
		return client{}, errClient(c.method, why)
	}
	visit.Proved()
	if c.method == authPrivateKeyJWT {
		err = p.spend(r, h.client.ground, c.claims)
	}
	if errors.Is(err, errSpent) {
		return client{}, newError(codeInvalidClient, "%s", err.Error())
	}
	if err != nil {
		return client{}, err
	}
	return h.client, nil
}

// machine authenticates a machine user.
func (p *Provider) machine(r *Request, f form) (client, error) {
	c, err := p.readCredentials(r, f)
	if err != nil {
		return client{}, err
	}
	return p.authenticate(r, c, p.machineByName)
}

// application authenticates an application. One without credentials, which is a public client, is taken
// where public is true.
func (p *Provider) application(r *Request, f form, public bool) (client, error) {
	c, err := p.readCredentials(r, f)
	if err != nil {
		return client{}, err
	}
	found, err := p.authenticate(r, c, p.applicationByID)
	if err == nil && c.method == authNone && !public {
		return client{}, errClient(c.method, errors.New("a public client, where none is taken"))
	}
	return found, err
}

// candidate is who may be the client that asks, and what it has to prove.
type candidate struct {
	client client
	// found is false for nobody: then all is done as for somebody, in vain.
	found bool
	// idle says why it may not act; empty when it may.
	idle string
	// method is how an application authenticates; empty for a machine, which may do so as it can.
	method app.AuthMethod
	secret []byte // hash; nil when there is none
	// key is the public key the assertion names, in PEM, and expires when that ends, in microseconds.
	key     []byte
	expires int64
	// public is key ready for use; nil when it has to be made so, see [Provider.publicKey].
	public *assertion.Key
	// spared is what it was found by in memory, without asking the database; zero when that was asked.
	spared candidateKey
}

// nothing is the hash of no secret: what SHA-256 gives for no text that anybody knows.
var nothing = make([]byte, 32)

// prove returns nil when a client has proved to be the candidate, whose ground then says how, or why it has
// not. What it takes does not depend on whether there is such a candidate.
func (p *Provider) prove(h *candidate, c credentials) error {
	var err error
	switch c.method {
	case authBasic, authPost:
		err = h.proveSecret(c)
	case authPrivateKeyJWT:
		err = p.proveKey(h, c)
	default:
		h.client.ground.Kind = session.App
		if h.method != app.None {
			err = errors.New("it has not authenticated")
		}
	}
	switch {
	case err != nil:
		return err
	case !h.found:
		return errors.New("there is no such client")
	case h.idle != "":
		return errors.New(h.idle)
	}
	return nil
}

// proveSecret compares a secret.
func (h *candidate) proveSecret(c credentials) error {
	stored := h.secret
	if len(stored) == 0 {
		stored = nothing
	}
	matches := vault.SecretMatches(stored, c.secret)
	h.client.ground.Kind, h.client.ground.ID = session.MachineSecret, vault.SecretPrint(h.secret)
	if h.client.user == "" {
		h.client.ground.Kind = session.AppSecret
		matches = matches && h.method.NeedsSecret()
	}
	if !matches || len(h.secret) == 0 {
		return errors.New("the secret is not right, or there is none")
	}
	return nil
}

// proveKey verifies an assertion with the key it names.
func (p *Provider) proveKey(h *candidate, c credentials) error {
	h.client.ground.Kind, h.client.ground.ID = session.MachineKey, c.claims.KeyID
	if h.client.user == "" {
		h.client.ground.Kind = session.AppKey
	}
	key, now := p.publicKey(h), p.Clock.Now()
	err := key.Verify(c.text)
	switch {
	case err != nil:
		return err
	case len(h.key) == 0:
		return errors.New("there is no such key")
	case h.expires <= now.UnixMicro():
		return errors.New("the key has expired")
	case h.client.user == "" && h.method != app.PrivateKeyJWT:
		return fmt.Errorf("the application authenticates by %s", h.method)
	}
	return key.ValidAt(now)
}
