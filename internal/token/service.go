package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/signing"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// Keys sign and verify for an instance, see signing.Keys.
type Keys interface {
	Active(ctx context.Context, at ident.InstanceID) (*signing.Signer, error)
	Verify(ctx context.Context, at ident.InstanceID, compact string) (claims []byte, typ string, err error)
}

// MayAct returns nil when all of a chain of actors may act for a user of an organization, as q sees it, a fault of
// kind PermissionDenied when one may not, or the errors of store.DB.
type MayAct func(ctx context.Context, q store.Querier, at ident.InstanceID, chain *session.Actor, subject ident.UserID, of ident.OrgID) error

// Config is what a Service needs.
type Config struct {
	// DB is asked outside of transactions.
	DB      store.Querier
	Clock   ident.Clock
	IDs     *ident.Source
	Bearers *vault.Bearers
	Keys    Keys
	// MayAct is access.MayAct. Without it no token with an actor is of use.
	MayAct MayAct
}

// Service makes and verifies access tokens. It is safe for concurrent use.
type Service struct {
	config Config
}

// New returns a Service that remembers nothing.
func New(config Config) *Service { return &Service{config: config} }

// Wish is for an access token.
type Wish struct {
	Facts session.Facts
	// Session, Number and At are those of session.Granted, for a token that has a refresh token beside
	// it. Without Session the token is the only one of a session of its own, which is not stored.
	Session ident.SessionID
	Number  uint64
	At      time.Time
	// Lifetime is how long the token is of use, from At or from now on.
	Lifetime time.Duration
	// Until is when it ends at the latest; zero is no limit.
	Until time.Time
	// JWT asks for a JWT (RFC 9068) in place of a sealed token.
	JWT bool
	// More are further claims of a JWT. They cannot replace those every access token has, and nothing here
	// goes by them.
	More map[string]any
}

// Issued is an access token that was made.
type Issued struct {
	Token Token
	// Text is the token in the clear, for the one answer that shows it.
	Text string
}

// Issue makes an access token for an instance, under whose issuer it was asked for. It writes nothing. It
// returns [ErrTooLong] when scopes, audience and the like do not fit into a token, and the errors of
// ident.Source and signing.Keys.
func (s *Service) Issue(ctx context.Context, at ident.InstanceID, issuer string, w Wish) (Issued, error) {
	t := Token{Session: w.Session, Number: w.Number, Facts: w.Facts, Issued: w.At}
	if t.Session == "" {
		ids, err := s.config.IDs.Next(ctx, 1)
		if err != nil {
			return Issued{}, err
		}
		t.Session, t.Number, t.Issued = ident.SessionID(ids[0]), 1, s.config.Clock.Now()
	}
	t.ID = session.AccessID(t.Session, t.Number)
	t.Issued = t.Issued.Truncate(time.Second)
	t.Expires = t.Issued.Add(w.Lifetime).Truncate(time.Second)
	if !w.Until.IsZero() && w.Until.Before(t.Expires) {
		t.Expires = w.Until.Truncate(time.Second)
	}
	var room [usualContent]byte
	content := t.encode(room[:0])
	if len(content) > vault.MaxBearerContent { // a JWT has the limit of all tokens
		return Issued{}, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLong, len(content), vault.MaxBearerContent)
	}
	var err error
	issued := Issued{Token: t}
	if w.JWT {
		claims := t.claims(issuer)
		issued.Text, err = s.sign(ctx, at, &claims, w.More)
	} else {
		kept := slices.Clone(content) // what is sealed cannot stay on the stack
		issued.Text, err = s.config.Bearers.Seal(at, vault.AccessBearer, kept)
	}
	if err != nil {
		return Issued{}, fmt.Errorf("make an access token: %w", err)
	}
	return issued, nil
}

// What the content, and the claims, of most tokens do not exceed, in bytes.
const (
	usualContent = 1 << 9
	usualClaims  = 1 << 10
)

// sign returns the claims of an access token, with more of them, as a JWT that the instance has signed.
func (s *Service) sign(ctx context.Context, at ident.InstanceID, claims *accessClaims, more map[string]any) (string, error) {
	signer, err := s.config.Keys.Active(ctx, at)
	if err != nil {
		return "", err
	}
	var room [usualClaims]byte
	data := claims.json(room[:0])
	if len(more) > 0 {
		if data, err = join(slices.Clone(data), more); err != nil {
			return "", err
		}
	}
	return signer.Sign(typeAccess, data)
}

// join adds claims to those of a JSON object, which stay as they are.
func join(data []byte, more map[string]any) ([]byte, error) {
	all := make(map[string]json.RawMessage, len(more)+16)
	for name, value := range more {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		all[name] = text
	}
	for _, name := range accessNames {
		delete(all, name)
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// Verify returns what a token says that was sent as a bearer token (RFC 6750) to an instance under an
// issuer: a sealed token, a JWT, or a personal access token, of use now. It returns [ErrToken] for
// everything else, a token that is bound to a key among it, and the errors of store.DB. It does not ask
// for whom the token is meant.
func (s *Service) Verify(ctx context.Context, at ident.InstanceID, issuer, bearer string) (Token, error) {
	return s.VerifyBound(ctx, at, issuer, bearer, "")
}

// VerifyBound is Verify of a token that is bound to a key, of which the sender has just proved to have
// it: thumbprint is that of the key (RFC 9449 section 7.1).
func (s *Service) VerifyBound(ctx context.Context, at ident.InstanceID, issuer, bearer, thumbprint string) (Token, error) {
	t, err := s.Inspect(ctx, at, issuer, bearer)
	if err == nil && t.Thumbprint != thumbprint {
		return Token{}, fmt.Errorf("%w: it is not bound to the key that was proved, or it is and none was", ErrToken)
	}
	return t, err
}

// Inspect is Verify for those who did not receive the token as a credential, but are asked about it: it
// may be bound to any key, see [Token].Thumbprint.
func (s *Service) Inspect(ctx context.Context, at ident.InstanceID, issuer, text string) (Token, error) {
	if personal, err := vault.ParseToken(text); err == nil {
		return s.personal(ctx, at, personal)
	}
	t, err := s.open(ctx, at, issuer, text)
	if err != nil {
		return Token{}, err
	}
	if !s.config.Clock.Now().Before(t.Expires) {
		return Token{}, fmt.Errorf("%w: it has expired", ErrToken)
	}
	if t.Org, err = s.live(ctx, s.config.DB, at, t.Facts, t.Session, t.Number); err != nil {
		return Token{}, err
	}
	return t, nil
}

// Given returns what a token of a session says that was given out and has not expired, be it of use or
// not: to revoke it, which counts when its user, say, is active again. It returns [ErrToken] for other texts,
// and when its user exists no more.
func (s *Service) Given(ctx context.Context, at ident.InstanceID, issuer, text string) (Token, error) {
	t, err := s.open(ctx, at, issuer, text)
	if err != nil {
		return Token{}, err
	}
	if !s.config.Clock.Now().Before(t.Expires) {
		return Token{}, fmt.Errorf("%w: it has expired", ErrToken)
	}
	t.Org, err = store.One(ctx, s.config.DB, func(from store.Scanner) (org ident.OrgID, err error) {
		return org, from.Scan(&org)
	}, `SELECT org_id FROM users WHERE instance_id = $1 AND user_id = $2`, string(at), string(t.User))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Token{}, fmt.Errorf("%w: %w", ErrToken, errGone)
	case err != nil:
		return Token{}, fmt.Errorf("read the user of a token of instance %s: %w", at, err)
	}
	return t, nil
}

// maxJWT is the length of the longest JWT that is looked at, in bytes: all that can be sealed, twice
// encoded, and a signature.
const maxJWT = 16 << 10

// open returns what a token says, be it of use or not.
func (s *Service) open(ctx context.Context, at ident.InstanceID, issuer, text string) (Token, error) {
	if strings.Count(text, ".") == 2 && len(text) <= maxJWT {
		return s.openJWT(ctx, at, issuer, text)
	}
	content, err := s.config.Bearers.Open(at, vault.AccessBearer, text)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	t, err := decode(content)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return t, nil
}

// Signed reports whether a text has the form of a JWT. Others make such tokens too, system users among
// them; a text of another form that is no token of [Service.Verify] is nobody's.
func Signed(text string) bool { return strings.Count(text, ".") == 2 }

const personalSQL = `SELECT t.token_id, t.user_id, t.scopes, t.expires_at, t.created_at, u.username, u.org_id, u.state, o.state
 FROM personal_access_tokens t
 JOIN users u ON u.instance_id = t.instance_id AND u.user_id = t.user_id
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 WHERE t.instance_id = $1 AND t.token_hash = $2`

// personal is Inspect of a personal access token. The look-up is by the hash of 256 random bits, so what
// its time tells is of no use.
func (s *Service) personal(ctx context.Context, at ident.InstanceID, text vault.Token) (Token, error) {
	t := Token{Personal: true}
	r := row{expires: new(int64)}
	_, err := store.One(ctx, s.config.DB, func(from store.Scanner) (none struct{}, err error) {
		var (
			scopes  string
			created int64
		)
		err = from.Scan(&t.ID, &t.User, &scopes, r.expires, &created, &t.Client, &r.org, &r.user, &r.orgState)
		t.Scopes = strings.Fields(scopes)
		t.Issued = store.Time(created).Truncate(time.Second)
		return none, err
	}, personalSQL, string(at), text.Hash())
	if errors.Is(err, store.ErrNotFound) {
		return Token{}, fmt.Errorf("%w: there is no such personal access token", ErrToken)
	}
	if err != nil {
		return Token{}, fmt.Errorf("find a personal access token of instance %s: %w", at, err)
	}
	g := session.Ground{Kind: session.PersonalToken, User: t.User, ID: string(t.ID)}
	if err := r.live(g, store.Micros(s.config.Clock.Now())); err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	t.Org, t.AuthTime, t.Grounds = r.org, t.Issued, []session.Ground{g}
	t.Expires = store.Time(*r.expires).Truncate(time.Second)
	return t, nil
}
