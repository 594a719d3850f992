package oidc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rs/cors"

	"castellan/internal/access"
	"castellan/internal/claims"
	"castellan/internal/defaults"
	"castellan/internal/dpop"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/fresh"
	"castellan/internal/ident"
	"castellan/internal/lapse"
	"castellan/internal/origin"
	"castellan/internal/session"
	"castellan/internal/signing"
	"castellan/internal/spent"
	"castellan/internal/store"
	"castellan/internal/throttle"
	"castellan/internal/token"
	"castellan/internal/user"
)

// Directory knows instances by their hosts.
type Directory interface {
	// ByOrigin returns a fault of kind NotFound for a request whose host leads to no instance.
	ByOrigin(ctx context.Context, o origin.Origin) (access.Instance, error)
}

// Provider is the issuers of all instances. Its fields are set before [Provider.Handler] is called, and not
// changed afterwards.
type Provider struct {
	Directory Directory
	// Keys sign for instances.
	Keys *signing.Keys
	// Origins tells under which scheme and host a request came in.
	Origins *origin.Resolver
	// DB is asked who clients are.
	DB store.DB
	// Epochs validate what is kept in memory of the settings of instances.
	Epochs *fresh.Epochs
	Clock  ident.Clock
	// Tokens are the access tokens of all instances.
	Tokens *token.Service
	// Claims is what is told about users.
	Claims *claims.Claims
	// Proofs checks that senders of access tokens have the keys these are bound to.
	Proofs *dpop.Checker
	// Sessions are what refresh tokens belong to, and where tokens are revoked.
	Sessions *session.Service
	// Users records that somebody acts for a user.
	Users *user.Service
	// Spent remembers assertions, which count once.
	Spent *spent.Book
	// Throttle bounds how often clients may ask, and strangers fail.
	Throttle *throttle.Throttle
	// Logger takes a line for each request at level debug, and for each failure of ours.
	Logger *slog.Logger

	// Made by Handler.
	parsed     parsedKeys
	lifetimes  *fresh.Cache[ident.InstanceID, defaults.OIDC]
	candidates *fresh.Cache[candidateKey, *candidate]
}

// endpoints is the table of what is served. No two have the same path.
func (p *Provider) endpoints() []endpoint {
	get := []string{http.MethodGet}
	both := []string{http.MethodGet, http.MethodPost}
	return []endpoint{
		{path: pathDiscovery, methods: get, serve: p.discovery},
		{path: pathMetadata, methods: get, serve: p.discovery},
		{path: pathKeys, methods: get, serve: p.jwks},
		{path: pathUserinfo, methods: both, body: formLimit, serve: p.userinfo},
		{path: pathIntrospection, methods: []string{http.MethodPost}, body: formLimit, serve: p.introspect},
		{path: pathRevocation, methods: []string{http.MethodPost}, body: formLimit, serve: p.revoke},
		{path: pathAuthorize, methods: both, body: formLimit, serve: p.authorize},
		{path: pathToken, methods: []string{http.MethodPost}, body: formLimit, serve: p.token(p.grants())},
	}
}

// endpoint is one thing that an issuer does for its clients.
type endpoint struct {
	path    string
	methods []string // others are answered with 405
	// body is how many bytes a request may have; 0 for none at all.
	body int64
	// serve answers, or returns an error before it has written anything, see [failed].
	serve func(w http.ResponseWriter, r *Request) error
}

// formLimit is how many bytes a form may have. Two assertions and a long list of scopes are far below it.
const formLimit = 64 << 10

// requestLimit is how long serving a request may take, its body included.
const requestLimit = 30 * time.Second

// Request is what an endpoint is asked.
type Request struct {
	*http.Request
	// Instance is the one of the host. It is neither stopped nor blocked.
	Instance access.Instance
	// Issuer is the one the client has asked (RFC 8414 section 2): scheme, host and port.
	Issuer string
}

// Handler returns the handler for all endpoints. serves reports whether a path is one of them.
func (p *Provider) Handler() (handler http.Handler, serves func(path string) bool) {
	p.parsed = newParsedKeys()
	p.lifetimes = fresh.NewCache[ident.InstanceID, defaults.OIDC](p.Epochs, maxLifetimes)
	p.candidates = fresh.NewCache[candidateKey, *candidate](p.Epochs, maxCandidates)
	all := make(map[string]http.Handler)
	for _, e := range p.endpoints() {
		if all[e.path] != nil {
			panic("oidc: two endpoints at " + e.path)
		}
		all[e.path] = newCORS(e.methods).Handler(p.handler(e))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if h := all[r.URL.Path]; h != nil {
				h.ServeHTTP(w, r)
				return
			}
			http.NotFound(w, r)
		}), func(path string) bool {
			return all[path] != nil
		}
}

// newCORS lets scripts of every origin use an endpoint: which clients of an issuer may do what is decided by
// what they send, and a browser adds none of that by itself.
func newCORS(methods []string) *cors.Cors {
	return cors.New(cors.Options{
		AllowOriginFunc:  func(string) bool { return true },
		AllowCredentials: true,
		AllowedMethods:   methods,
		AllowedHeaders:   []string{"Origin", "Accept", "Accept-Language", "Authorization", "Content-Type", "X-Requested-With", "DPoP"},
		ExposedHeaders:   []string{"Location", "Content-Length", "ETag", "DPoP-Nonce", "WWW-Authenticate"},
		MaxAge:           600,
	})
}

// handler is all that goes before an endpoint, and what comes of its error.
func (p *Provider) handler(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		ctx, cancel := lapse.After(eventlog.WithMoment(r.Context()), requestLimit)
		defer cancel()
		r = r.WithContext(ctx)
		err := p.serve(e, w, r)
		if err != nil {
			p.fail(w, r, err)
		}
		if p.Logger.Enabled(ctx, slog.LevelDebug) {
			p.Logger.DebugContext(ctx, "request", "path", e.path, "took", time.Since(begin), "error", err)
		}
	})
}

// serve finds out what a request is about and lets an endpoint answer it. Should that panic, the request
// has failed, and nothing else.
func (p *Provider) serve(e endpoint, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler { //nolint:errorlint // it is panicked with as it is
			panic(v)
		}
		if v != nil {
			err = fault.Plain(fault.Internal, "internal error").WithCause(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
	}()
	if !allowed(e.methods, r.Method) {
		return &notAllowed{e.methods}
	}
	from, err := p.Origins.Of(r)
	if err != nil {
		return &refusal{http.StatusBadRequest, fault.Of(err).Public()}
	}
	at, err := p.Directory.ByOrigin(r.Context(), from)
	if err != nil {
		if f := fault.Of(err); f.Kind == fault.NotFound {
			return &refusal{http.StatusNotFound, f.Public()}
		}
		return err
	}
	if err := usable(at); err != nil {
		return err
	}
	if r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, e.body)
	}
	return e.serve(w, &Request{Request: r, Instance: at, Issuer: from.Issuer()})
}

// usable returns nil, or why nothing is served for an instance (contract section 2.8).
func usable(at access.Instance) error {
	switch err := at.Usable(); {
	case errors.Is(err, access.Blocked):
		return &refusal{http.StatusTooManyRequests, "Your ZITADEL instance is blocked."}
	case errors.Is(err, access.Stopped):
		return &refusal{http.StatusServiceUnavailable, access.Stopped.Message}
	default:
		return err
	}
}
