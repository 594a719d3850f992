package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"castellan/internal/claims"
	"castellan/internal/defaults"
	"castellan/internal/dpop"
	"castellan/internal/ident"
	"castellan/internal/jsontext"
	"castellan/internal/policy"
	"castellan/internal/scratch"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/token"
)

// grant is one way to get tokens (RFC 6749 section 4). What must not be forgotten is done by
// [Provider.token] before and after; a grant only says whose token it is.
type grant struct {
	// client authenticates who asks. It is nil for a grant in which what is shown proves everything: then
	// nobody may authenticate beside.
	client func(r *Request, f form) (client, error)
	// serve makes the tokens. It returns an [Error], or any other.
	serve func(r *tokenRequest) (tokenAnswer, error)
}

// grants is the table of what the token endpoint does, by grant_type.
func (p *Provider) grants() map[string]grant {
	return map[string]grant{
		grantJWTBearer:         {serve: p.jwtProfile},
		grantClientCredentials: {client: p.machine, serve: p.clientCredentials},
		grantTokenExchange:     {client: p.exchanger, serve: p.exchange},
		grantRefreshToken:      {client: p.refresher, serve: p.refresh},
	}
}

// tokenRequest is what a grant is asked.
type tokenRequest struct {
	*Request
	form form
	// client has authenticated; it is zero where the grant asks for none.
	client client
	// asked are the scopes of the request, scopes those of them that mean something.
	asked, scopes claims.Scopes
	// proof is that of the key the tokens are to be bound to; its Thumbprint is empty for bearer tokens. It
	// is there once it is known who asks, see [Provider.bind].
	proof     dpop.Proof
	bound     bool // proof has been looked at
	proofUsed bool // and counts no more, see [Provider.spendProof]
	// lifetimes are those of the instance.
	lifetimes defaults.OIDC
	// now is when the request was looked at.
	now time.Time
}

// tokenAnswer is what a client gets (RFC 6749 section 5.1, RFC 8693 section 2.2.1).
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in,omitempty"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	IssuedType   string `json:"issued_token_type,omitempty"`
}

// json appends the answer as encoding/json writes it.
func (a *tokenAnswer) json(to []byte) []byte {
	w := jsontext.Writer{Text: to, Literal: true}.Begin().
		String("access_token", a.AccessToken).
		String("token_type", a.TokenType).
		IntUnlessZero("expires_in", a.ExpiresIn).
		StringUnlessEmpty("refresh_token", a.RefreshToken).
		StringUnlessEmpty("scope", a.Scope).
		StringUnlessEmpty("id_token", a.IDToken).
		StringUnlessEmpty("issued_token_type", a.IssuedType).
		End()
	return append(w.Text, '\n')
}

// token serves the token endpoint: for every grant the same checks in the same order. That the instance may
// be used has been checked before. It takes POST alone: what has secrets in a URL ends up in logs.
func (p *Provider) token(grants map[string]grant) func(http.ResponseWriter, *Request) error {
	return func(w http.ResponseWriter, r *Request) error {
		f, err := readForm(r)
		if err != nil {
			return err
		}
		name := f.get("grant_type")
		if name == "" {
			return newError(codeInvalidRequest, "grant_type is missing")
		}
		g, known := grants[name]
		if !known {
			return newError(codeGrantType, "the grant types are %s", strings.Join(sortedNames(grants), ", "))
		}
		request := &tokenRequest{Request: r, form: f, now: p.Clock.Now()}
		if err := request.ask(f.get("scope")); err != nil {
			return err
		}
		if request.client, err = p.whoAsks(g, r, f); err != nil {
			return err
		}
		if g.client != nil {
			err = p.bind(request)
		}
		if err != nil {
			return err
		}
		if request.lifetimes, err = p.lifetimesOf(r.Context(), r.Instance.ID); err != nil {
			return err
		}
		answer, err := g.serve(request)
		if errors.Is(err, claims.ErrInactive) { // since the user was looked at
			err = newError(codeInvalidGrant, "the user may not act").because(err)
		}
		if err == nil {
			err = p.spendProof(request)
		}
		if errors.Is(err, claims.ErrInactive) { // since it was known whose tokens they are
			err = newError(codeInvalidGrant, "the user may not act any more").because(err)
		}
		if err != nil {
			return err
		}
		buf := scratch.Borrow()
		defer scratch.Return(buf)
		buf.Write(answer.json(buf.AvailableBuffer())) // in place unless it had to grow; then the larger one is kept
		writeSecret(w, http.StatusOK, buf.Bytes())
		return nil
	}
}

// ask reads the scopes that are asked for.
func (r *tokenRequest) ask(scope string) (err error) {
	if r.asked, err = claims.ParseScopes(scope); err != nil {
		return newError(codeInvalidScope, "%s", clean(strings.TrimPrefix(err.Error(), "claims: "), 200))
	}
	r.scopes = r.asked.Known()
	return nil
}

func sortedNames(grants map[string]grant) []string {
	names := make([]string, 0, len(grants))
	for name := range grants {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// maxLifetimes is of how many instances it is kept how long their tokens live.
const maxLifetimes = 10_000

// lifetimesOf returns how long tokens of an instance live.
func (p *Provider) lifetimesOf(ctx context.Context, at ident.InstanceID) (defaults.OIDC, error) {
	return p.lifetimes.Get(ctx, at, at, func(ctx context.Context, q store.Querier) (defaults.OIDC, error) {
		return policy.Resolver{}.OIDC(ctx, q, at)
	})
}

// whoAsks authenticates the client of a request, where the grant wants one.
func (p *Provider) whoAsks(g grant, r *Request, f form) (client, error) {
	if g.client != nil {
		return g.client(r, f)
	}
	c, err := p.readCredentials(r, f)
	if err != nil {
		return client{}, err
	}
	if c.method != authNone {
		return client{}, newError(codeInvalidRequest, "with this grant the client does not authenticate: what it shows is enough")
	}
	return client{}, nil
}

// bind reads the proof of a request that it has a key (RFC 9449 section 5), if it has one. It is done once it
// is known who asks, for it is work: by [Provider.token], or by a grant in which nobody authenticates
// beside.
func (p *Provider) bind(r *tokenRequest) (err error) {
	headers := r.Header[headerDPoP]
	if !r.bound && len(headers) > 0 {
		r.proof, err = p.Proofs.Read(headers, dpop.Request{Method: r.Method, URL: r.Issuer + r.URL.Path})
	}
	r.bound = true
	return invalidProof(err)
}

// errUnbound cannot be: a grant forgot to bind its tokens.
var errUnbound = errors.New("oidc: a grant has not looked at the proof of its request")

// spendProof uses up the proof of a request, if it has one and that is not done yet. A grant that changes
// something does so before: what is remembered is written, and strangers must not make the server write.
// For all others the token endpoint does it before it answers.
func (p *Provider) spendProof(r *tokenRequest) error {
	switch {
	case !r.bound:
		return errUnbound
	case r.proof.Thumbprint == "" || r.proofUsed:
		return nil
	}
	r.proofUsed = true
	return invalidProof(p.Proofs.Spend(r.Context(), r.Instance.ID, r.proof))
}

// invalidProof returns dpop.ErrProof as an [Error], and other errors as they are.
func invalidProof(err error) error {
	if errors.Is(err, dpop.ErrProof) {
		return newError(codeInvalidProof, "%s", clean(strings.TrimPrefix(err.Error(), "dpop: "), 200)).because(err)
	}
	return err
}

// facts are those of tokens for a user who has authenticated now, by a ground.
func (r *tokenRequest) facts(user ident.UserID, org ident.OrgID, clientID string, ground session.Ground) session.Facts {
	return session.Facts{
		User: user, Org: org, Client: clientID, Scopes: r.scopes, AuthTime: r.now,
		Thumbprint: r.proof.Thumbprint, Grounds: []session.Ground{ground},
	}
}

// issued is how tokens are to be made.
type issued struct {
	facts session.Facts
	// application is the client_id of the application the tokens are for; empty for none.
	application string
	// jwt asks for an access token that is a JWT.
	jwt bool
	// granted is what a session has given out; nil for an access token without a refresh token.
	granted *session.Granted
	// until is when access token and ID token end at the latest; zero is no limit.
	until time.Time
}

// within returns a lifetime that begins now and ends no later than until; zero is no limit.
func (r *tokenRequest) within(lifetime time.Duration, until time.Time) time.Duration {
	if until.IsZero() {
		return lifetime
	}
	return min(lifetime, until.Sub(r.now))
}

// issue makes the tokens of an answer: an access token, an ID token when openid is among the scopes, and the
// refresh token of a session.
func (p *Provider) issue(r *tokenRequest, i issued) (tokenAnswer, error) {
	wish := token.Wish{Facts: i.facts, Lifetime: r.lifetimes.AccessTokenLifetime, Until: i.until, JWT: i.jwt}
	subject := claims.Subject{User: i.facts.User, Scopes: i.facts.Scopes, Client: i.application, Use: claims.AccessToken}
	var err error
	if i.jwt {
		if wish.More, err = p.about(r, subject); err != nil {
			return tokenAnswer{}, err
		}
	}
	answer := tokenAnswer{TokenType: "Bearer"}
	if i.facts.Thumbprint != "" {
		answer.TokenType = "DPoP"
	}
	if g := i.granted; g != nil {
		wish.Session, wish.Number, wish.At, answer.RefreshToken = g.Session, g.Number, g.At, g.Refresh
	}
	access, err := p.Tokens.Issue(r.Context(), r.Instance.ID, r.Issuer, wish)
	if errors.Is(err, token.ErrTooLong) {
		return tokenAnswer{}, newError(codeInvalidScope, "scopes and audience do not fit into a token").because(err)
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	answer.AccessToken = access.Text
	answer.ExpiresIn = int64(access.Token.Expires.Sub(p.Clock.Now()) / time.Second)
	if granted := claims.Scopes(i.facts.Scopes); !slices.Equal(granted, r.asked) {
		answer.Scope = granted.String()
	}
	if claims.Scopes(i.facts.Scopes).Has(claims.OpenID) {
		subject.Use = claims.IDToken
		more, err := p.about(r, subject)
		if err != nil {
			return tokenAnswer{}, err
		}
		answer.IDToken, err = p.Tokens.IDToken(r.Context(), r.Instance.ID, r.Issuer, access, r.within(r.lifetimes.IDTokenLifetime, i.until), more)
		if err != nil {
			return tokenAnswer{}, err
		}
	}
	return answer, nil
}

// about returns what a token says about its user beside what every token says. Most say nothing, and then
// nothing is read: a token for no application says what its scopes ask for, and these do not ask.
func (p *Provider) about(r *tokenRequest, s claims.Subject) (map[string]any, error) {
	w := s.Scopes.Wish()
	asks := w.Metadata || w.ResourceOwner || w.ProjectsRoles || len(w.Roles) > 0 || w.Org != "" || w.OrgDomain != ""
	if s.Client == "" && !asks {
		return nil, nil
	}
	return p.Claims.About(r.Context(), r.Instance.ID, s)
}

// ofOrg takes from scopes those that want the user to be of another organization than it is.
func (p *Provider) ofOrg(ctx context.Context, at ident.InstanceID, scopes claims.Scopes, org ident.OrgID) (claims.Scopes, error) {
	wish := scopes.Wish()
	if wish.Org == "" && wish.OrgDomain == "" {
		return scopes, nil
	}
	domain, err := p.primaryDomain(ctx, at, org)
	if err != nil {
		return nil, fmt.Errorf("find the domain of organization %s: %w", org, err)
	}
	return scopes.OfOrg(org, domain), nil
}
