package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"castellan/internal/app"
	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/throttle"
	"castellan/internal/user"
)

// applicationSQL reads an application with its project, the organization of that, and one of its keys.
const applicationSQL = `SELECT a.app_id, a.project_id, a.kind, a.auth_method, a.grant_types, a.access_token_type,
 a.secret_hash, a.state, p.state, o.state, k.public_key, k.expires_at
 FROM apps a
 JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
 JOIN orgs o ON o.instance_id = p.instance_id AND o.org_id = p.org_id
 LEFT JOIN app_keys k ON k.instance_id = a.instance_id AND k.key_id = $3 AND k.app_id = a.app_id
 WHERE a.instance_id = $1 AND a.client_id = $2`

// applicationByID reads the application of a client_id.
func (p *Provider) applicationByID(ctx context.Context, at ident.InstanceID, c credentials) (candidate, error) {
	return p.kept(ctx, candidateKey{at, false, c.id, c.claims.KeyID})
}

// scanApplication reads one row of the statement above, which a client_id has led to.
func scanApplication(clientID string) func(from store.Scanner) (*candidate, error) {
	return func(from store.Scanner) (*candidate, error) {
		h := &candidate{found: true, client: client{id: clientID, ground: session.Ground{Client: clientID}}}
		var (
			grants, tokens, state, project, org string
			expires                             *int64
		)
		err := from.Scan(&h.client.app, &h.client.project, &h.client.kind, &h.method, &grants, &tokens,
			&h.secret, &state, &project, &org, &h.key, &expires)
		for _, grant := range strings.Fields(grants) {
			h.client.grants = append(h.client.grants, app.GrantType(grant))
		}
		h.client.jwt = app.TokenType(tokens) == app.JWT
		if expires != nil {
			h.expires = *expires
		}
		if state != user.Active || project != user.Active || org != user.Active {
			h.idle = fmt.Sprintf("the application is %s, its project %s, the organization of that %s", state, project, org)
		}
		return h, err
	}
}

// The statements that read a machine with its organization and one of its keys, $2: by its id $3, or by the
// name $4 as well. Of two whom the text names the one with the id counts: nobody takes its place by a name.
const (
	machineColumns = `SELECT u.user_id, u.username, u.org_id, u.kind, u.access_token_type, u.secret_hash, u.state, o.state,
 k.public_key, k.expires_at, a.app_id IS NOT NULL OR b.app_id IS NOT NULL
 FROM users u
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 LEFT JOIN machine_keys k ON k.instance_id = u.instance_id AND k.key_id = $2 AND k.user_id = u.user_id
 LEFT JOIN apps a ON a.instance_id = u.instance_id AND a.client_id = u.username
 LEFT JOIN apps b ON b.instance_id = u.instance_id AND b.client_id = u.user_id`
	machineByIDSQL   = machineColumns + ` WHERE u.instance_id = $1 AND u.user_id = $3`
	machineByNameSQL = machineColumns + ` WHERE u.instance_id = $1 AND (u.user_id = $3 OR u.login_key = $4)
 ORDER BY CASE WHEN u.user_id = $3 THEN 0 ELSE 1 END LIMIT 1`
)

// machineByName reads the machine user whose id or user name is a client_id (contract section 5.2).
func (p *Provider) machineByName(ctx context.Context, at ident.InstanceID, c credentials) (candidate, error) {
	// This one is not kept in memory: a new user may be meant by the same text.
	found, err := store.One(ctx, p.DB, scanMachine, machineByNameSQL, string(at), c.claims.KeyID, c.id, user.LoginKey(c.id))
	h, err := somebody(at, found, err)
	if err == nil && h.found {
		h.client = h.client.called(c.id)
	}
	return h, err
}

// called returns a machine that calls itself by its id as the client of that id: it looks for what it calls
// itself in its ID tokens, as their audience (OpenID Connect Core section 3.1.3.7). With any other name it is
// the client of its user name.
func (c client) called(id string) client {
	if id == string(c.user) {
		c.id = id
	}
	return c
}

// machineByID reads the machine user who is the subject of an assertion.
func (p *Provider) machineByID(ctx context.Context, at ident.InstanceID, c credentials) (candidate, error) {
	return p.kept(ctx, candidateKey{at, true, c.id, c.claims.KeyID})
}

// scanMachine reads one row of the statements above. A machine is the client of its tokens under its name, or
// its id. One that is called like an application has none: they would look like those of the application, and an
// ID token like one that is meant for it.
func scanMachine(from store.Scanner) (*candidate, error) {
	h := &candidate{found: true}
	var (
		kind               user.Kind
		tokens, state, org string
		expires            *int64
		isApplication      bool
	)
	err := from.Scan(&h.client.user, &h.client.id, &h.client.org, &kind, &tokens, &h.secret, &state, &org, &h.key, &expires,
		&isApplication)
	h.client.ground.User = h.client.user
	h.client.jwt = tokens == user.JWT
	if expires != nil {
		h.expires = *expires
	}
	if kind != user.Machine || state != user.Active || org != user.Active {
		h.idle = fmt.Sprintf("the user is a %s and %s, its organization %s", kind, state, org)
	}
	if isApplication {
		h.idle = "its user name, or its id, is the client_id of an application"
	}
	return h, err
}

// candidateKey is what a candidate is kept by: a machine or an application, by its id, with one of its keys,
// or with none.
type candidateKey struct {
	at      ident.InstanceID
	machine bool
	id      string
	key     string
}

// maxCandidates is how many candidates are kept in memory.
const maxCandidates = 10_000

// kept returns a candidate that is kept in memory and has not changed since, or reads it. Only those are kept
// who are there, with the key that was asked for: strangers have nothing kept.
func (p *Provider) kept(ctx context.Context, by candidateKey) (candidate, error) {
	asked := false
	found, err := p.candidates.Get(ctx, by.at, by, func(ctx context.Context, q store.Querier) (*candidate, error) {
		asked = true
		return p.readCandidate(ctx, q, by)
	})
	h, err := somebody(by.at, found, err)
	if err == nil && !asked {
		h.spared = by
	}
	return h, err
}

// readCandidate reads a candidate, with the key that was asked for ready for use.
func (p *Provider) readCandidate(ctx context.Context, q store.Querier, by candidateKey) (h *candidate, err error) {
	if by.machine {
		h, err = store.One(ctx, q, scanMachine, machineByIDSQL, string(by.at), by.key, by.id)
	} else {
		h, err = store.One(ctx, q, scanApplication(by.id), applicationSQL, string(by.at), by.id, by.key)
	}
	switch {
	case err != nil:
		return nil, err
	case len(h.key) > 0:
		h.public = p.parsed.get(h.key)
	case by.key != "":
		return nil, store.ErrNotFound
	}
	return h, nil
}

// readInVain does what readCandidate does, and nothing with what it finds.
func (p *Provider) readInVain(ctx context.Context, by candidateKey) error {
	none := by
	none.key = "\x00" + by.key // no id of a key begins so
	_, err := p.candidates.Get(ctx, by.at, none, func(ctx context.Context, q store.Querier) (*candidate, error) {
		if _, err := p.readCandidate(ctx, q, by); err != nil {
			return nil, err
		}
		return nil, store.ErrNotFound // so that it is not kept
	})
	_, err = somebody(by.at, nil, err) // an error there always is
	return err
}

// failed records that a visitor is not the candidate. What memory has spared is done then: a guess costs the same
// whether there is such a client or not. It returns the errors of store.DB.
func (p *Provider) failed(ctx context.Context, h *candidate, visit throttle.Visit) error {
	visit.Failed()
	if h.spared == (candidateKey{}) {
		return nil
	}
	return p.readInVain(ctx, h.spared)
}

// somebody returns a copy of a candidate, to be filled in; that of nobody when there was none.
func somebody(at ident.InstanceID, found *candidate, err error) (candidate, error) {
	switch {
	case err == nil:
		return *found, nil
	case errors.Is(err, store.ErrNotFound):
		return candidate{}, nil
	default:
		return candidate{}, fmt.Errorf("find a client of instance %s: %w", at, err)
	}
}
