package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name:      "apps",
	Kept:      eventlog.Kept{Epoch: eventlog.Access},
	Key:       []string{"instance_id", "app_id"},
	Aggregate: "app_id",
	Rest: []string{
		"org_id", "project_id", "name", "name_key", "kind", "state", "client_id", "secret_hash", "auth_method", "is_console",
		"dev_mode", "app_type", "redirect_uris", "post_logout_redirect_uris", "response_types", "grant_types",
		"access_token_type", "access_token_roles", "id_token_roles", "id_token_userinfo", "clock_skew",
		"additional_origins", "skip_native_success_page", "back_channel_logout_uri", "login_version", "login_base_uri",
		"sequence", "created_at", "changed_at",
	},
	Rows: rows,
}, {
	// What is long, and needed when a service provider is looked at, stands apart.
	Name:      "saml_apps",
	Key:       []string{"instance_id", "app_id"},
	Aggregate: "app_id",
	Rest:      []string{"entity_id", "metadata", "metadata_url"},
	Rows: func(s State) [][]any {
		if s.Removed || s.Kind != SAML {
			return nil
		}
		return [][]any{{string(s.Instance), s.ID, s.SAML.EntityID, s.SAML.Metadata, s.SAML.URL}}
	},
}}

func rows(s State) [][]any {
	if s.Removed {
		return nil
	}
	c, login := s.OIDC, s.OIDC.Login
	if s.Kind == SAML {
		login = s.SAML.Login
	}
	return [][]any{append([]any{
		string(s.Instance), s.ID, s.Owner, string(s.Project), s.Name, nameKey(s.Name), string(s.Kind), string(s.Status),
		s.ClientID, s.SecretHash, string(s.AuthMethod()), s.Console,
		c.DevMode, string(c.Type), encode(c.RedirectURIs), encode(c.PostLogoutRedirectURIs), encode(c.ResponseTypes),
		join(c.GrantTypes), string(c.AccessTokenType), c.AccessTokenRoles, c.IDTokenRoles, c.IDTokenUserinfo,
		c.ClockSkew.Microseconds(), encode(c.AdditionalOrigins), c.SkipNativeAppSuccessPage, c.BackChannelLogoutURI,
		string(login.Version), login.BaseURI,
	}, s.Row()...)}
}

// nameKey is the form in which names are unique in their project.
func nameKey(name string) string { return search.Fold(name) }

// encode writes a list into one column: nothing when it is empty, else a JSON array.
func encode[T ~string](list []T) string {
	if len(list) == 0 {
		return ""
	}
	data, err := json.Marshal(list)
	if err != nil {
		panic(err) // texts can be written
	}
	return string(data)
}

// decode reads what encode has written.
func decode[T ~string](text string) (list []T, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("decode a list of an application: %w", err)
	}
	return list, nil
}

// join writes values that hold no blanks.
func join(types []GrantType) string {
	texts := make([]string, len(types))
	for i, t := range types {
		texts[i] = string(t)
	}
	return strings.Join(texts, " ")
}

// split reads what join has written.
func split(text string) (types []GrantType) {
	for _, t := range strings.Fields(text) {
		types = append(types, GrantType(t))
	}
	return types
}

// selected are the columns of an application a, and of its metadata s, as scan reads them.
const selected = `a.instance_id, a.app_id, a.org_id, a.project_id, a.name, a.kind, a.state, a.client_id, a.secret_hash,
 a.auth_method, a.is_console, a.dev_mode, a.app_type, a.redirect_uris, a.post_logout_redirect_uris, a.response_types,
 a.grant_types, a.access_token_type, a.access_token_roles, a.id_token_roles, a.id_token_userinfo, a.clock_skew,
 a.additional_origins, a.skip_native_success_page, a.back_channel_logout_uri, a.login_version, a.login_base_uri,
 a.sequence, a.created_at, a.changed_at, s.entity_id, s.metadata, s.metadata_url
 FROM apps a LEFT JOIN saml_apps s ON s.instance_id = a.instance_id AND s.app_id = a.app_id`

// scan reads a row of selected.
func scan(row store.Scanner) (s State, err error) {
	var (
		h                             eventlog.Head
		created, changed, skew        int64
		method                        AuthMethod
		redirects, logouts, responses string
		grants, origins               string
		login                         Login
		entity, url                   *string
		metadata                      []byte
		c                             OIDCConfig
		accessType                    TokenType
	)
	err = row.Scan(&h.Instance, &h.ID, &h.Owner, &s.Project, &s.Name, &s.Kind, &s.Status, &s.ClientID, &s.SecretHash,
		&method, &s.Console, &c.DevMode, &c.Type, &redirects, &logouts, &responses,
		&grants, &accessType, &c.AccessTokenRoles, &c.IDTokenRoles, &c.IDTokenUserinfo, &skew,
		&origins, &c.SkipNativeAppSuccessPage, &c.BackChannelLogoutURI, &login.Version, &login.BaseURI,
		&h.Sequence, &created, &changed, &entity, &metadata, &url)
	if err != nil {
		return s, err
	}
	s.Head = eventlog.Restore(h.Instance, h.ID, h.Owner, h.Sequence, created, changed)
	switch s.Kind {
	case API:
		s.APIAuth = method
	case SAML:
		s.SAML.Login = login
		if entity != nil && url != nil {
			s.SAML.SAMLMetadata = SAMLMetadata{EntityID: *entity, Metadata: metadata, URL: *url}
		}
	case OIDC:
		c.AuthMethod, c.AccessTokenType, c.Login = method, accessType, login
		c.ClockSkew, c.GrantTypes = time.Duration(skew)*time.Microsecond, split(grants)
		var errs [4]error
		c.RedirectURIs, errs[0] = decode[string](redirects)
		c.PostLogoutRedirectURIs, errs[1] = decode[string](logouts)
		c.ResponseTypes, errs[2] = decode[ResponseType](responses)
		c.AdditionalOrigins, errs[3] = decode[string](origins)
		s.OIDC, err = c, errors.Join(errs[:]...)
	}
	return s, err
}

// Get returns an application. It returns [NotFound] when there is none with that id, and the errors of
// store.Querier.
func Get(ctx context.Context, q store.Querier, instance ident.InstanceID, id ident.AppID) (State, error) {
	return get(ctx, q, `SELECT `+selected+` WHERE a.instance_id = $1 AND a.app_id = $2`, instance, string(id))
}

// ByClient returns the application with a client id. It returns [NotFound] when there is none, and the
// errors of store.Querier.
func ByClient(ctx context.Context, q store.Querier, instance ident.InstanceID, clientID string) (State, error) {
	return get(ctx, q, `SELECT `+selected+` WHERE a.instance_id = $1 AND a.client_id = $2 AND a.client_id <> ''`, instance, clientID)
}

func get(ctx context.Context, q store.Querier, sql string, instance ident.InstanceID, by string) (State, error) {
	s, err := store.One(ctx, q, scan, sql, string(instance), by)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return State{}, NotFound.WithCause(fmt.Errorf("instance %s has no application %.200q", instance, by))
	case err != nil:
		return State{}, fmt.Errorf("find an application of instance %s: %w", instance, err)
	}
	return s, nil
}

// hold returns an application that nobody else writes until the transaction ends, like [Get].
func hold(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, id ident.AppID) (State, error) {
	// PostgreSQL locks no row of the optional side of a join, so the row is locked first and by itself.
	_, err := store.One(ctx, tx, func(row store.Scanner) (found int, err error) { return found, row.Scan(&found) },
		`SELECT 1 FROM apps WHERE instance_id = $1 AND app_id = $2`+d.ForUpdate, string(instance), string(id))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return State{}, fmt.Errorf("hold an application of instance %s: %w", instance, err)
	}
	return Get(ctx, tx, instance, id)
}

var keyTables = []eventlog.Table[KeyState]{{
	Name:      "app_keys",
	Kept:      eventlog.Kept{Epoch: eventlog.Access},
	Key:       []string{"instance_id", "key_id"},
	Aggregate: "key_id",
	Rest:      []string{"app_id", "org_id", "public_key", "expires_at", "sequence", "created_at", "changed_at"},
	Rows: func(s KeyState) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, string(s.App), s.Owner, s.PublicKey, store.Micros(s.ExpiresAt),
		}, s.Row()...)}
	},
}}

// selectedKey are the columns of a key k, as scanKey reads them.
const selectedKey = `k.instance_id, k.key_id, k.app_id, k.org_id, k.public_key, k.expires_at, k.sequence, k.created_at, k.changed_at`

func scanKey(row store.Scanner) (s KeyState, err error) {
	var h eventlog.Head
	var expires, created, changed int64
	err = row.Scan(&h.Instance, &h.ID, &s.App, &h.Owner, &s.PublicKey, &expires, &h.Sequence, &created, &changed)
	s.Head = eventlog.Restore(h.Instance, h.ID, h.Owner, h.Sequence, created, changed)
	s.ExpiresAt = store.Time(expires)
	return s, err
}

// GetKey returns a key. It returns [KeyNotFound] when there is none with that id, and the errors of
// store.Querier.
func GetKey(ctx context.Context, q store.Querier, instance ident.InstanceID, id ident.KeyID) (KeyState, error) {
	s, err := store.One(ctx, q, scanKey, `SELECT `+selectedKey+` FROM app_keys k WHERE k.instance_id = $1 AND k.key_id = $2`,
		string(instance), string(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return KeyState{}, KeyNotFound.WithCause(fmt.Errorf("instance %s has no application key %.200q", instance, id))
	case err != nil:
		return KeyState{}, fmt.Errorf("find an application key of instance %s: %w", instance, err)
	}
	return s, nil
}

// keysOf returns all keys of an application. Its row is held, so none comes or goes.
func keysOf(ctx context.Context, q store.Querier, instance ident.InstanceID, of ident.AppID) ([]KeyState, error) {
	keys, err := store.All(ctx, q, scanKey, `SELECT `+selectedKey+` FROM app_keys k
 WHERE k.instance_id = $1 AND k.app_id = $2 ORDER BY k.key_id`, string(instance), string(of))
	if err != nil {
		return nil, fmt.Errorf("list the keys of an application: %w", err)
	}
	return keys, nil
}
