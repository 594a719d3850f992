package instance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
)

// MaxTrusted is how many trusted domains an instance has at most: each is part of its state.
const MaxTrusted = 100

// AddTrustedDomain is the wish that links may carry a host that does not lead to the instance.
type AddTrustedDomain struct {
	Domain string
}

// Decide returns instance.trusted_domains.added. It returns COMMA-Stk21 for a blank domain,
// COMMA-S3v3w for one that cannot be a host name, COMMA-hg42a for one that is trusted already and
// INST-trust1 when there are [MaxTrusted].
func (a AddTrustedDomain) Decide(s State) ([]eventlog.Payload, error) {
	if strings.TrimSpace(a.Domain) == "" {
		return nil, fault.Invalid("COMMA-Stk21", "Errors.Invalid.Argument", "trusted_domain", "must not be blank")
	}
	name, err := normalize("COMMA-S3v3w", "trusted_domain", a.Domain)
	if err != nil {
		return nil, err
	}
	if s.trusts(name) {
		return nil, fault.New(fault.FailedPrecondition, "COMMA-hg42a", "Errors.Instance.Domain.AlreadyExists").
			WithViolation("trusted_domain", "is already a trusted domain of this instance")
	}
	if len(s.Trusted) >= MaxTrusted {
		return nil, fault.New(fault.FailedPrecondition, "INST-trust1", "Errors.Instance.Domain.TooMany").
			WithViolation("trusted_domain", fmt.Sprintf("an instance has at most %d trusted domains", MaxTrusted))
	}
	return []eventlog.Payload{TrustedDomainAdded{Domain: name}}, nil
}

// RemoveTrustedDomain is the wish to take that back.
type RemoveTrustedDomain struct {
	Domain string
}

// Decide returns instance.trusted_domains.removed. It returns COMMA-de3z9 for a domain that is not
// trusted, whatever it looks like.
func (r RemoveTrustedDomain) Decide(s State) ([]eventlog.Payload, error) {
	name, err := normalize("COMMA-S3v3w", "trusted_domain", r.Domain)
	if err != nil || !s.trusts(name) {
		return nil, fault.New(fault.NotFound, "COMMA-de3z9", "Errors.Instance.Domain.NotFound").
			WithViolation("trusted_domain", "must be a trusted domain of the instance")
	}
	return []eventlog.Payload{TrustedDomainRemoved{Domain: name}}, nil
}

// trusts reports whether a normalised name is that of a trusted domain.
func (s State) trusts(name string) bool {
	return slices.ContainsFunc(s.Trusted, func(d TrustedDomain) bool { return d.Name == name })
}

// AddTrustedDomain lets links of an instance carry another host, see [AddTrustedDomain.Decide].
func (s *Service) AddTrustedDomain(ctx context.Context, id ident.InstanceID, actor ident.Actor, domain string) (State, error) {
	return s.write(ctx, id, actor, GetTrusted, AddTrustedDomain{Domain: domain}.Decide, nil)
}

// RemoveTrustedDomain takes a trusted domain from an instance, see [RemoveTrustedDomain.Decide].
func (s *Service) RemoveTrustedDomain(ctx context.Context, id ident.InstanceID, actor ident.Actor, domain string) (State, error) {
	return s.write(ctx, id, actor, GetTrusted, RemoveTrustedDomain{Domain: domain}.Decide, nil)
}

// GetTrusted returns an instance with its trusted domains, which [Get] leaves out: they are seldom
// asked for. It returns [NotFound] when there is none with that id.
func GetTrusted(ctx context.Context, q store.Querier, id ident.InstanceID) (State, error) {
	s, err := Get(ctx, q, id)
	if err != nil {
		return s, err
	}
	s.Trusted, err = store.All(ctx, q, func(row store.Scanner) (d TrustedDomain, err error) {
		var created int64
		err = row.Scan(&d.Name, &d.Sequence, &created)
		d.CreatedAt = store.Time(created)
		return d, err
	}, `SELECT domain, sequence, created_at FROM instance_trusted_domains WHERE instance_id = $1 ORDER BY domain`, string(id))
	if err != nil {
		return State{}, fmt.Errorf("get the trusted domains of instance %s: %w", id, err)
	}
	return s, nil
}

// TrustedSearch says which trusted domains of an instance are wanted. All conditions must hold.
type TrustedSearch struct {
	Page search.Page
	// ByName sorts by name, otherwise by the date of creation and then by name.
	ByName bool
	// Names are compared as those of [DomainSearch].
	Names []search.Text
}

// SearchTrusted returns a page of the trusted domains of a state from [GetTrusted] and how many are
// on all pages.
func (s State) SearchTrusted(by TrustedSearch) (total int, page []TrustedDomain) {
	matchers := nameMatchers(by.Names)
	found := slices.DeleteFunc(slices.Clone(s.Trusted), func(d TrustedDomain) bool { return !matchesName(d.Name, matchers) })
	slices.SortFunc(found, func(a, b TrustedDomain) int {
		order := cmp.Compare(a.Name, b.Name)
		if !by.ByName {
			order = cmp.Or(a.CreatedAt.Compare(b.CreatedAt), order)
		}
		if !by.Page.Ascending {
			return -order
		}
		return order
	})
	return len(found), search.Of(by.Page, found)
}
