package org

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/hostname"
)

// DefaultDomain returns the first login domain of an organization: its name as a label
// below the external domain. Letters of any script stay; a name without any letter, mark or
// digit gives the label organization, so that every name works (decision D4). The result has
// at most 253 bytes when the external domain has at most 251.
func DefaultDomain(name, externalDomain string) string {
	limit := max(0, min(hostname.MaxLabel, hostname.MaxName-1-len(externalDomain)))
	return labelOf(name, limit) + "." + externalDomain
}

// maxTail is how much of an id a domain has at most, in bytes.
const maxTail = 20

// ownDomain returns the login domain of an organization whose [DefaultDomain] is that of another, which
// has a name that gives the same label: the id makes it its own.
func ownDomain(name, id, externalDomain string) string {
	tail := "-" + labelOf(id, maxTail)
	limit := max(0, min(hostname.MaxLabel, hostname.MaxName-1-len(externalDomain))-len(tail))
	return labelOf(name, limit) + tail + "." + externalDomain
}

// labelOf returns at most limit bytes of a name that can be a label: letters, marks and digits of any
// script, and hyphens for spaces.
func labelOf(name string, limit int) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(name) {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsDigit(r), r == '-':
			b.WriteRune(r)
		}
	}
	label := strings.Trim(cut(strings.ToLower(b.String()), limit), "-")
	if label == "" {
		label = cut("organization", limit)
	}
	return label
}

// cut shortens s to at most limit bytes without splitting a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// Rename is the wish for another name. The default domain, which was made from the name, follows it.
type Rename struct {
	Name string
	// From is the default domain of the organization, To the one that takes its place; empty when the
	// organization has none any more.
	From, To string
}

// following returns the domain of s that was made from its name below one of some domains, and those
// that could be made from another name, the best first. from is empty when there is none.
func (s State) following(name string, bases []string) (from string, to []string) {
	for _, base := range bases {
		for _, made := range []string{DefaultDomain(s.Name, base), ownDomain(s.Name, s.ID, base)} {
			if _, has := s.find(made); has {
				return made, []string{DefaultDomain(name, base), ownDomain(name, s.ID, base)}
			}
		}
	}
	return "", nil
}

// Decide returns org.changed and, when there is a default domain, what makes the new one take its
// place. It returns EVENT-Mf9sd for a blank name and ORG-4VSdf for the name the organization has.
func (r Rename) Decide(s State) ([]eventlog.Payload, error) {
	name := strings.TrimSpace(r.Name)
	switch name {
	case "":
		return nil, fault.Invalid("EVENT-Mf9sd", "Errors.Org.Invalid", "name", "must not be blank")
	case s.Name:
		return nil, fault.New(fault.FailedPrecondition, "ORG-4VSdf", "Errors.Org.NotChanged").
			WithViolation("name", "is the name of the organization already")
	}
	events := []eventlog.Payload{Changed{Name: name}}
	before, has := s.find(r.From)
	if !has || r.From == r.To {
		return events, nil
	}
	after, known := s.find(r.To)
	if !known {
		events = append(events, DomainAdded{Domain: r.To})
	}
	if !after.Verified {
		events = append(events, DomainVerified{Domain: r.To})
	}
	if before.Primary {
		events = append(events, DomainPrimarySet{Domain: r.To})
	}
	return append(events, DomainRemoved{Domain: r.From}), nil
}

// MaxDomains is how many domains an organization has at most: each is part of its state.
const MaxDomains = 1000

// AddDomain is the wish for one more domain.
type AddDomain struct {
	Domain string
	// Verified says that nobody asks for a proof.
	Verified bool
}

// Decide returns org.domain.added, and org.domain.verified unless a proof is asked for. It returns
// ORG-R24hb for what is no domain, COMMA-Bd2jj for one the organization has, and ORG-many1 when it has
// [MaxDomains].
func (a AddDomain) Decide(s State) ([]eventlog.Payload, error) {
	name, err := hostname.Unicode(a.Domain)
	if err != nil {
		return nil, fault.Invalid("ORG-R24hb", "Errors.Org.InvalidDomain", "domain", err.Error())
	}
	if _, has := s.find(name); has {
		return nil, fault.New(fault.AlreadyExists, "COMMA-Bd2jj", "Errors.Org.Domain.AlreadyExists").
			WithViolation("domain", "is already a domain of this organization")
	}
	if len(s.Domains) >= MaxDomains {
		return nil, fault.New(fault.FailedPrecondition, "ORG-many1", "Errors.Org.Domain.TooMany").
			WithViolation("domain", fmt.Sprintf("an organization has at most %d domains", MaxDomains))
	}
	events := []eventlog.Payload{DomainAdded{Domain: name}}
	if a.Verified {
		events = append(events, DomainVerified{Domain: name})
	}
	return events, nil
}

// RemoveDomain is the wish to lose a domain.
type RemoveDomain struct {
	Domain string
}

// Decide returns org.domain.removed. It returns ORG-GDfA3 for a domain the organization does not have
// and ORG-Sjdi3 for the primary one.
func (r RemoveDomain) Decide(s State) ([]eventlog.Payload, error) {
	d, err := s.domain(r.Domain, "ORG-GDfA3")
	if err != nil {
		return nil, err
	}
	if d.Primary {
		return nil, fault.New(fault.FailedPrecondition, "ORG-Sjdi3", "Errors.Org.PrimaryDomainNotDeletable").
			WithViolation("domain", "is the primary domain of the organization")
	}
	return []eventlog.Payload{DomainRemoved{Domain: d.Name}}, nil
}

// SetPrimaryDomain is the wish that login names show another of the organization's domains.
type SetPrimaryDomain struct {
	Domain string
}

// Decide returns org.domain.primary.set, or nothing when the domain is the primary one. It returns
// ORG-GDfA3 for a domain the organization does not have and ORG-Ggd32 for one that is not verified.
func (p SetPrimaryDomain) Decide(s State) ([]eventlog.Payload, error) {
	d, err := s.domain(p.Domain, "ORG-GDfA3")
	switch {
	case err != nil || d.Primary:
		return nil, err
	case !d.Verified:
		return nil, fault.New(fault.FailedPrecondition, "ORG-Ggd32", "Errors.Org.DomainNotVerified").
			WithViolation("domain", "must have been verified")
	}
	return []eventlog.Payload{DomainPrimarySet{Domain: d.Name}}, nil
}

// Validate is the wish to prove that a domain belongs to the organization.
type Validate struct {
	Domain string
	Type   ValidationType
	Token  string // what has to be published
}

// Decide returns org.domain.verification.added; the token of before counts no more. It returns
// ORG-Gsw31 for a type that is none, ORG-AGD31 for a domain the organization does not have and
// ORG-HGw21 for one that is verified.
func (v Validate) Decide(s State) ([]eventlog.Payload, error) {
	if v.Type != HTTP && v.Type != DNS {
		return nil, fault.Invalid("ORG-Gsw31", "Errors.Org.DomainVerificationTypeInvalid", "type", "must be a type of validation")
	}
	d, err := s.domain(v.Domain, "ORG-AGD31")
	if err == nil && d.Verified {
		err = errVerified
	}
	if err != nil {
		return nil, err
	}
	return []eventlog.Payload{DomainVerificationAdded{Domain: d.Name, Type: v.Type, Token: v.Token}}, nil
}

var errVerified = fault.New(fault.FailedPrecondition, "ORG-HGw21", "Errors.Org.DomainAlreadyVerified").
	WithViolation("domain", "has been verified")

// unproved returns the domain that is to be verified, with what has to be published for it. It returns
// ORG-Sjdi3 for a domain the organization does not have, ORG-HGw21 for one that is verified and
// ORG-SFBB3 for one whose validation nobody has asked for.
func (s State) unproved(domain string) (Domain, error) {
	d, err := s.domain(domain, "ORG-Sjdi3")
	switch {
	case err != nil:
		return d, err
	case d.Verified:
		return d, errVerified
	case d.Token == "":
		return d, fault.New(fault.FailedPrecondition, "ORG-SFBB3", "Errors.Org.DomainVerificationMissing").
			WithViolation("domain", "must first be given a token to be published")
	}
	return d, nil
}

// Verify records what was found where the proof should be.
type Verify struct {
	Checked Domain // as it was when the proof was looked for
	Failed  bool
}

// Decide returns org.domain.verified or org.domain.verification.failed. It returns the faults of a
// domain that is not waiting for a proof any more, and ORG-SFBB3 when it waits for another by now.
func (v Verify) Decide(s State) ([]eventlog.Payload, error) {
	d, err := s.unproved(v.Checked.Name)
	if err != nil {
		return nil, err
	}
	if d.Token != v.Checked.Token {
		return nil, fault.New(fault.FailedPrecondition, "ORG-SFBB3", "Errors.Org.DomainVerificationMissing").
			WithViolation("domain", "has been given another token meanwhile")
	}
	if v.Failed {
		return []eventlog.Payload{DomainVerificationFailed{Domain: d.Name}}, nil
	}
	return []eventlog.Payload{DomainVerified{Domain: d.Name}}, nil
}

// DomainName returns a domain in the form in which [DomainsTable] has it, whatever form it is written in.
func DomainName(text string) string {
	name, err := hostname.Unicode(text)
	if err != nil {
		// A default domain need not be one of the name system: it keeps what letters there are.
		return strings.ToLower(strings.TrimSpace(text))
	}
	return name
}

// find returns the domain that is called name in whatever form.
func (s State) find(name string) (Domain, bool) {
	canonical, asIs := DomainName(name), strings.ToLower(strings.TrimSpace(name))
	i := slices.IndexFunc(s.Domains, func(d Domain) bool { return d.Name == canonical || d.Name == asIs })
	if i < 0 {
		return Domain{}, false
	}
	return s.Domains[i], true
}

// domain is find for a domain the organization must have; id is that of the fault when it has not.
func (s State) domain(name, id string) (Domain, error) {
	d, has := s.find(name)
	if !has {
		return d, fault.New(fault.NotFound, id, "Errors.Org.DomainNotOnOrg").
			WithViolation("domain", "must be a domain of the organization")
	}
	return d, nil
}

// sortDomains sorts domains as a search says.
func sortDomains(domains []Domain, by DomainSearch) {
	slices.SortFunc(domains, func(a, b Domain) int {
		order := cmp.Compare(a.Name, b.Name)
		if by.By == ByDomainCreation {
			order = cmp.Or(a.CreatedAt.Compare(b.CreatedAt), order)
		}
		if !by.Page.Ascending {
			return -order
		}
		return order
	})
}
