package org

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// State is an organization as its events have left it.
type State struct {
	eventlog.Head

	Name    string
	Active  bool
	Domains []Domain
}

// Domain is a name that users of the organization log in under.
type Domain struct {
	Name     string
	Verified bool
	Primary  bool
}

// Noun declares organizations to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "org",
	Payloads: []eventlog.Payload{Added{}, DomainAdded{}, DomainVerified{}, DomainPrimarySet{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of an organization.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	s.Domains = slices.Clone(s.Domains)
	switch p := e.Payload.(type) {
	case Added:
		s.Name, s.Active = p.Name, true
	case DomainAdded:
		s.Domains = append(s.Domains, Domain{Name: p.Domain})
	case DomainVerified:
		for i := range s.Domains {
			s.Domains[i].Verified = s.Domains[i].Verified || s.Domains[i].Name == p.Domain
		}
	case DomainPrimarySet:
		for i := range s.Domains {
			s.Domains[i].Primary = s.Domains[i].Name == p.Domain
		}
	}
	return s
}

// Add is the wish for a new organization.
type Add struct {
	Name string
	// Domain is the first login domain, see [DefaultDomain]. It counts as verified.
	Domain string
}

// Decide returns the events that begin an organization. It returns ORG-mruNY for a blank name.
func (a Add) Decide() ([]eventlog.Payload, error) {
	name := strings.TrimSpace(a.Name)
	if name == "" {
		return nil, fault.Invalid("ORG-mruNY", "Errors.Invalid.Argument", "first_org_name", "must not be blank")
	}
	return []eventlog.Payload{
		Added{Name: name}, DomainAdded{Domain: a.Domain}, DomainVerified{Domain: a.Domain}, DomainPrimarySet{Domain: a.Domain},
	}, nil
}

// Limits of the default domain, in bytes (contract section 1.4).
const (
	maxLabel  = 63
	maxDomain = 253
)

// DefaultDomain returns the first login domain of an organization: its name as a label
// below the external domain. Letters of any script stay; a name without any letter, mark or
// digit gives the label organization, so that every name works (decision D4). The result has
// at most 253 bytes when the external domain has at most 251.
func DefaultDomain(name, externalDomain string) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(name) {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsDigit(r), r == '-':
			b.WriteRune(r)
		}
	}
	limit := max(0, min(maxLabel, maxDomain-1-len(externalDomain)))
	label := strings.Trim(cut(strings.ToLower(b.String()), limit), "-")
	if label == "" {
		label = cut("organization", limit)
	}
	return label + "." + externalDomain
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
