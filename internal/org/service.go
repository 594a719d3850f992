package org

import (
	"context"
	"errors"
	"io"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes organizations. Each of its methods is one command, in one transaction that holds the
// organization, so that commands on one follow each other and those on others do not wait.
//
// Every method returns the organization as it is afterwards, without its metadata unless it is about
// that; [NotFound] when there is none with that id; the faults of its decision; and the errors of
// store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
	// ExternalDomain is the domain below which the first organization of an instance got its domain.
	ExternalDomain string
	// Random makes tokens.
	Random io.Reader
	// Proofs looks for what proves that a domain belongs to an organization.
	Proofs Proofs
	// Asks reports whether an organization has to prove that its domains belong to it. Nil: it does not
	// (contract section 8, ValidateOrgDomains).
	Asks func(ctx context.Context, q store.Querier, at ident.InstanceID, id ident.OrgID) (bool, error)
}

// The faults of what another organization has (contract section 6).
var (
	errNameTaken = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Org.AlreadyExists").
			WithViolation("name", "is the name of another organization")
	errDomainTaken = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Org.Domain.AlreadyExists").
			WithViolation("domain", "is the domain of another organization")
	errIDTaken = fault.New(fault.AlreadyExists, "ORG-lapo2n", "Errors.Org.AlreadyExisting").
			WithViolation("organization_id", "is or was the id of another organization")
)

// Taken turns the conflict of a write with another organization into the fault that callers know; other
// errors come back as they are.
func Taken(err error) error {
	var as *fault.Error
	switch {
	case store.ConflictIn(err, NamesTable):
		as = errNameTaken
	case store.ConflictIn(err, DomainsTable):
		as = errDomainTaken
	default:
		return err
	}
	return as.WithCause(err)
}

// Begin begins an organization within a write, with the domain that follows from its name; a name that
// gives the domain of another organization gives this one with its id in it. It returns ORG-mruNY for a
// blank name and ORG-lapo2n for an id that is or was taken. That the name is taken shows when the write
// ends, see [Taken].
func (s *Service) Begin(ctx context.Context, w *eventlog.Writer, id ident.OrgID, name string) (State, error) {
	known, err := w.Known(ctx, eventlog.Aggregate{Type: Noun.Type, ID: string(id)})
	if err == nil && known {
		err = errIDTaken
	}
	if err != nil {
		return State{}, err
	}
	bases, err := s.bases(ctx, w)
	if err != nil {
		return State{}, err
	}
	domain, err := s.free(ctx, w, string(id), []string{DefaultDomain(name, bases[0]), ownDomain(name, string(id), bases[0])})
	if err != nil {
		return State{}, err
	}
	events, err := Add{Name: name, Domain: domain}.Decide()
	if err != nil {
		return State{}, fault.Renamed(err, "first_org_name", "name")
	}
	return eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(id), Owner: string(id)}, events...)
}

// longestBase is how long a domain is at most for others to be made below it, in bytes.
const longestBase = 189

// bases returns the domains below which default domains are made: the primary domain of the instance,
// which is its own in the whole system, then its other domains and the external domain, below which
// those of older organizations may lie.
func (s *Service) bases(ctx context.Context, w *eventlog.Writer) ([]string, error) {
	all, err := store.All(ctx, w, scanText, `SELECT domain FROM instance_domains WHERE instance_id = $1
 ORDER BY CASE WHEN is_primary THEN 0 ELSE 1 END, domain`, string(w.Instance()))
	if err != nil {
		return nil, err
	}
	var bases []string
	for _, base := range append(all, s.ExternalDomain) {
		if len(base) <= longestBase {
			bases = append(bases, base)
		}
	}
	if len(bases) == 0 {
		bases = []string{s.ExternalDomain}
	}
	return bases, nil
}

// free returns the first of some domains that no other organization of the instance has verified, or
// the last.
func (s *Service) free(ctx context.Context, w *eventlog.Writer, id string, domains []string) (string, error) {
	for _, domain := range domains {
		_, err := store.One(ctx, w, scanText, `SELECT org_id FROM org_domains
 WHERE instance_id = $1 AND domain = $2 AND is_verified AND org_id <> $3`, string(w.Instance()), domain, id)
		if errors.Is(err, store.ErrNotFound) {
			return domain, nil
		}
		if err != nil {
			return "", err
		}
	}
	return domains[len(domains)-1], nil
}

// Rename gives an organization another name, which its default domain follows, see [Rename.Decide]. It
// returns V3-DKcYh for the name of another.
func (s *Service) Rename(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, name string) (State, error) {
	return s.change(ctx, at, id, actor, func(ctx context.Context, w *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		bases, err := s.bases(ctx, w)
		if err != nil {
			return nil, err
		}
		wish := Rename{Name: name}
		var options []string
		if wish.From, options = before.following(name, bases); wish.From != "" {
			if wish.To, err = s.free(ctx, w, before.ID, options); err != nil {
				return nil, err
			}
		}
		return wish.Decide(before)
	})
}

// Deactivate ends that anybody of the organization can act, see [Deactivate.Decide].
func (s *Service) Deactivate(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor) (State, error) {
	return s.decide(ctx, at, id, actor, Deactivate{}.Decide)
}

// Reactivate takes that back, see [Reactivate.Decide].
func (s *Service) Reactivate(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor) (State, error) {
	return s.decide(ctx, at, id, actor, Reactivate{}.Decide)
}

// AddDomain gives an organization one more domain, which is verified at once unless the organization is
// asked for proofs, see [AddDomain.Decide]. It returns V3-DKcYh when it would be verified and another
// organization has it.
func (s *Service) AddDomain(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, domain string) (State, error) {
	return s.change(ctx, at, id, actor, func(ctx context.Context, w *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		ask := false
		if s.Asks != nil {
			var err error
			if ask, err = s.Asks(ctx, w, at, id); err != nil {
				return nil, err
			}
		}
		return AddDomain{Domain: domain, Verified: !ask}.Decide(before)
	})
}

// RemoveDomain takes a domain from an organization, see [RemoveDomain.Decide].
func (s *Service) RemoveDomain(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, domain string) (State, error) {
	return s.decide(ctx, at, id, actor, RemoveDomain{Domain: domain}.Decide)
}

// SetPrimaryDomain makes a domain of an organization the primary one, see [SetPrimaryDomain.Decide].
func (s *Service) SetPrimaryDomain(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, domain string) (State, error) {
	return s.decide(ctx, at, id, actor, SetPrimaryDomain{Domain: domain}.Decide)
}

// SetMetadata writes something down about an organization, see [SetMetadata.Decide].
func (s *Service) SetMetadata(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, entries []Metadata) (State, error) {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return s.changeMetadata(ctx, at, id, actor, keys, SetMetadata{Entries: entries}.Decide)
}

// RemoveMetadata removes what stands under some keys, see [RemoveMetadata.Decide].
func (s *Service) RemoveMetadata(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, keys []string) (State, error) {
	return s.changeMetadata(ctx, at, id, actor, keys, RemoveMetadata{Keys: keys}.Decide)
}

// decision returns the events of a command on an organization, or why it is refused.
type decision func(ctx context.Context, w *eventlog.Writer, before State) ([]eventlog.Payload, error)

// decide is a command that needs to know nothing but the organization.
func (s *Service) decide(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor,
	decide func(State) ([]eventlog.Payload, error),
) (State, error) {
	return s.change(ctx, at, id, actor, func(_ context.Context, _ *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		return decide(before)
	})
}

// change is every command that is not about metadata.
func (s *Service) change(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, decide decision) (State, error) {
	return s.write(ctx, at, id, actor, func(ctx context.Context, q store.Querier) (State, error) {
		return Get(ctx, q, at, id)
	}, decide)
}

// changeMetadata is a command about some metadata, of which no other is read.
func (s *Service) changeMetadata(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, keys []string,
	decide func(State) ([]eventlog.Payload, error),
) (State, error) {
	return s.write(ctx, at, id, actor, func(ctx context.Context, q store.Querier) (State, error) {
		return WithMetadata(ctx, q, s.DB.Dialect(), at, id, keys...)
	}, func(_ context.Context, _ *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		return decide(before)
	})
}

// write is every command: hold, load, decide, append.
func (s *Service) write(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor,
	load func(context.Context, store.Querier) (State, error), decide decision,
) (State, error) {
	var after State
	err := s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := Hold(ctx, w, s.DB.Dialect(), at, id); err != nil {
			return err
		}
		before, err := load(ctx, w)
		if err != nil {
			return err
		}
		events, err := decide(ctx, w, before)
		after = before
		if err != nil || len(events) == 0 {
			return err
		}
		after, err = eventlog.Append(ctx, w, Noun, before, events...)
		return err
	})
	if err != nil {
		return State{}, Taken(err)
	}
	return after, nil
}
