package policy

import (
	"context"
	"fmt"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Resolver finds out which policies hold. Each of its methods reads once; org is empty for what holds in
// the instance as such, and one that does not exist has no policy of its own. They return a fault of
// kind NotFound when there is no such instance, and the errors of the database.
type Resolver struct{}

// PasswordComplexity returns what new passwords of users of an organization must contain.
func (r Resolver) PasswordComplexity(ctx context.Context, q store.Querier, instance ident.InstanceID, org ident.OrgID) (defaults.PasswordComplexity, error) {
	holds, err := r.HeldComplexity(ctx, q, instance, org)
	return holds.Value, err
}

// HeldComplexity is PasswordComplexity, with where it comes from.
func (Resolver) HeldComplexity(ctx context.Context, q store.Querier, instance ident.InstanceID, org ident.OrgID) (Holds[defaults.PasswordComplexity], error) {
	s, from, err := resolve(ctx, q, instance, org, PasswordComplexity)
	return holds(s, from, ComplexitySettings.value), err
}

// HeldAge returns how long passwords of users of an instance may be used.
func (Resolver) HeldAge(ctx context.Context, q store.Querier, instance ident.InstanceID) (Holds[defaults.PasswordAge], error) {
	s, from, err := resolve(ctx, q, instance, "", PasswordAge)
	return holds(s, from, AgeSettings.value), err
}

// HeldLockout returns after how many wrong attempts users of an instance are locked out.
func (Resolver) HeldLockout(ctx context.Context, q store.Querier, instance ident.InstanceID) (Holds[defaults.Lockout], error) {
	s, from, err := resolve(ctx, q, instance, "", Lockout)
	return holds(s, from, LockoutSettings.value), err
}

// Domain returns what the domains of an organization are used for. Today it is the same for all
// organizations of an instance.
func (r Resolver) Domain(ctx context.Context, q store.Querier, instance ident.InstanceID, org ident.OrgID) (defaults.Domain, error) {
	holds, err := r.HeldDomain(ctx, q, instance, org)
	return holds.Value, err
}

// HeldDomain is Domain, with where it comes from.
func (Resolver) HeldDomain(ctx context.Context, q store.Querier, instance ident.InstanceID, org ident.OrgID) (Holds[defaults.Domain], error) {
	s, from, err := resolve(ctx, q, instance, org, Domain)
	return holds(s, from, DomainSettings.value), err
}

// OIDC returns how long tokens of an instance live.
func (r Resolver) OIDC(ctx context.Context, q store.Querier, instance ident.InstanceID) (defaults.OIDC, error) {
	holds, err := r.HeldOIDC(ctx, q, instance)
	return holds.Value, err
}

// HeldOIDC is OIDC, with where it comes from.
func (Resolver) HeldOIDC(ctx context.Context, q store.Querier, instance ident.InstanceID) (Holds[defaults.OIDC], error) {
	s, from, err := resolve(ctx, q, instance, "", OIDC)
	return holds(s, from, OIDCSettings.value), err
}

// Holds is a policy that holds, and where it comes from.
type Holds[V any] struct {
	Value V
	// From is the head of what was set last: of the policy of the organization or of the instance. Of a
	// built-in one it has the owner, the instance, and the date of its creation, but no sequence.
	From eventlog.Head
	// Inherited says that the organization that was asked about has none of its own.
	Inherited bool
}

// holds makes a policy of settings all of which say something, or nothing of none.
func holds[S Settings, V any](s Settings, from origin, value func(S) V) Holds[V] {
	if s == nil {
		return Holds[V]{}
	}
	return Holds[V]{Value: value(s.(S)), From: from.head, Inherited: !from.org}
}

// origin is where settings come from.
type origin struct {
	head eventlog.Head
	org  bool
}

// resolveSQL reads the defaults an instance refers to, and what it and an organization have set: one row,
// or two.
const resolveSQL = `SELECT i.defaults_version, i.created_at, ` + columns + ` FROM instances i
 LEFT JOIN policies p ON p.instance_id = i.instance_id AND p.kind = $2 AND p.org_id IN ('', $3)
 WHERE i.instance_id = $1`

// resolve returns the settings that hold, all of which say something, and where the last of them comes
// from.
func resolve(ctx context.Context, q store.Querier, instance ident.InstanceID, org ident.OrgID, kind Kind) (Settings, origin, error) {
	var (
		version        int
		created        int64
		own, inherited State
	)
	rows, err := store.All(ctx, q, func(from store.Scanner) (none struct{}, err error) {
		var r row
		if err := from.Scan(append([]any{&version, &created}, r.dest()...)...); err != nil {
			return none, err
		}
		s, err := r.state(instance, kind)
		if s.Org != "" {
			own = s
		} else {
			inherited = s
		}
		return none, err
	}, resolveSQL, string(instance), string(kind), string(org))
	if err != nil {
		return nil, origin{}, fmt.Errorf("resolve %s of instance %s: %w", kind, instance, err)
	}
	if len(rows) == 0 {
		return nil, origin{}, fault.New(fault.NotFound, "QUERY-n0wng", "Errors.Instance.NotFound")
	}
	set, known := defaults.Of(version)
	if !known {
		return nil, origin{}, fmt.Errorf("policy: instance %s refers to unknown defaults %d", instance, version)
	}
	settings := over(over(kinds[kind].builtIn(set), inherited.Settings), own.Settings)
	switch {
	case own.Exists():
		return settings, origin{head: own.Head, org: true}, nil
	case inherited.Exists():
		return settings, origin{head: inherited.Head}, nil
	}
	at := store.Time(created)
	return settings, origin{head: eventlog.Head{Instance: instance, Owner: string(instance), CreatedAt: at, ChangedAt: at}}, nil
}

// builtIn returns the defaults an instance refers to, in a write that holds it.
func builtIn(ctx context.Context, q store.Querier, instance ident.InstanceID) (defaults.Set, error) {
	version, err := store.One(ctx, q, func(from store.Scanner) (v int, err error) { return v, from.Scan(&v) },
		`SELECT defaults_version FROM instances WHERE instance_id = $1`, string(instance))
	if err != nil {
		return defaults.Set{}, fmt.Errorf("get the defaults of instance %s: %w", instance, err)
	}
	set, known := defaults.Of(version)
	if !known {
		return set, fmt.Errorf("policy: instance %s refers to unknown defaults %d", instance, version)
	}
	return set, nil
}
