package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/origin"
	"castellan/internal/store"
	"castellan/internal/token"
	"castellan/internal/vault"
)

// Verifier knows what access tokens are worth, see token.Service.
type Verifier interface {
	// VerifyBound returns token.ErrToken for a text that is no token of the instance that is of use now, or
	// one that is not bound to the key of a thumbprint; to none when that is empty.
	VerifyBound(ctx context.Context, at ident.InstanceID, issuer, bearer, thumbprint string) (token.Token, error)
}

// errActor is the answer to a token with which somebody acts for its user (RFC 8693 section 4.1): such
// tokens are for applications, not for this API (contract section 5.1).
var errActor = fault.New(fault.PermissionDenied, "APP-Shi0J", "Errors.TokenExchange.Token.NotForAPI")

// maxHeader is the length of the longest header of a JWT that is looked at, in characters.
const maxHeader = 2048

// IsToken reports whether a bearer token has a form of those of users of instances: a personal access
// token, a sealed access token, or a JWT that calls itself an access token (RFC 9068 section 2.1). System
// users sign theirs under another name.
func IsToken(bearer string) bool {
	if _, err := vault.ParseToken(bearer); err == nil || strings.HasPrefix(bearer, string(vault.AccessBearer)) {
		return true
	}
	first, _, _ := strings.Cut(bearer, ".")
	if !token.Signed(bearer) || len(first) > maxHeader {
		return false
	}
	header, err := base64.RawURLEncoding.DecodeString(first)
	var says struct {
		Type string `json:"typ"`
	}
	return err == nil && json.Unmarshal(header, &says) == nil && strings.EqualFold(says.Type, "at+jwt")
}

// ByBearer returns the user whose token is sent to an origin: one of the instance it leads to, who is
// active and of an active organization, with a personal access token that has not expired, or an access
// token that is of use and was given out for this API, which is that of the instance's own project
// (contract section 5.1).
//
// Otherwise it returns a fault of kind Unauthenticated (AUTH-7fs1e), whose hidden cause names the reason;
// one of kind PermissionDenied (APP-Shi0J) for an access token with an actor; one of kind NotFound for
// a public host that is none of the instance's; the errors of store.DB; and that of ctx when it ends while
// a token that has proved nothing waits. A personal access token costs two statements, an access token one
// more; what its look-up tells by the time it takes is of no use, as it is by a hash of 256 random bits.
func (d *Directory) ByBearer(ctx context.Context, o origin.Origin, bearer string) (User, error) {
	return d.ByBound(ctx, o, bearer, "")
}

// ByBound is [Directory.ByBearer] of an access token that is bound to a key, which its sender has just proved
// to have: thumbprint is that of the key (RFC 9449 section 7.1). Personal access tokens are bound to none.
func (d *Directory) ByBound(ctx context.Context, o origin.Origin, bearer, thumbprint string) (User, error) {
	hash := sha256.Sum256([]byte(bearer))
	_, proved := d.proved.GetIfPresent(hash)
	if !proved {
		select {
		case d.asking <- struct{}{}:
			defer func() { <-d.asking }()
		case <-ctx.Done():
			return User{}, ctx.Err()
		}
	}
	who, err := d.find(ctx, o, bearer, thumbprint)
	switch {
	case err == nil && !proved:
		d.proved.Set(hash, struct{}{})
	case proved && errors.Is(err, errToken):
		d.proved.Invalidate(hash)
	}
	return who, err
}

// find is ByBound without the wait.
func (d *Directory) find(ctx context.Context, o origin.Origin, bearer, thumbprint string) (who User, err error) {
	at, err := d.byHost(ctx, o)
	if fault.KindOf(err) == fault.NotFound {
		return User{}, errToken.WithCause(err)
	}
	if err != nil {
		return User{}, err
	}
	if personal, none := vault.ParseToken(bearer); none == nil {
		if thumbprint != "" {
			return User{}, errToken.WithCause(errors.New("a personal access token is bound to no key"))
		}
		who, err = d.byPersonal(ctx, at, personal)
	} else {
		who, err = d.byAccessToken(ctx, at, o, bearer, thumbprint)
	}
	if err != nil {
		return User{}, err
	}
	return who, d.mayBeShownAs(ctx, at.ID, o)
}

// byAccessToken is find of a token that is no personal one.
func (d *Directory) byAccessToken(ctx context.Context, at Instance, o origin.Origin, bearer, thumbprint string) (User, error) {
	if d.config.Tokens == nil {
		return User{}, errToken.WithCause(errors.New("access tokens are not taken here"))
	}
	t, err := d.config.Tokens.VerifyBound(ctx, at.ID, o.Issuer(), bearer, thumbprint)
	switch {
	case errors.Is(err, token.ErrToken):
		return User{}, errToken.WithCause(err)
	case err != nil:
		return User{}, err
	case at.Project == "" || !slices.Contains(t.Audience, string(at.Project)):
		return User{}, errToken.WithCause(fmt.Errorf("the token of user %s is not for the project of the instance", t.User))
	case t.Actor != nil:
		return User{}, errActor.WithCause(fmt.Errorf("user %s acts for user %s", t.Actor.User, t.User))
	}
	memberships, err := store.All(ctx, d.config.DB, func(row store.Scanner) (m Membership, err error) {
		var roles string
		err = row.Scan(&m.Scope, &m.ID, &m.Owner, &roles)
		m.Roles = strings.Fields(roles)
		return m, err
	}, `SELECT scope, scope_id, owner, roles FROM members WHERE instance_id = $1 AND user_id = $2`, at.ID, t.User)
	if err != nil {
		return User{}, fmt.Errorf("find the memberships of user %s of instance %s: %w", t.User, at.ID, err)
	}
	return User{ID: t.User, Instance: at, ResourceOwner: t.Org, Memberships: memberships}, nil
}
