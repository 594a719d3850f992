package instance

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// State is an instance as its events have left it.
type State struct {
	eventlog.Head

	Name            string
	Defaults        int    // version of the built-in defaults
	Language        string // empty: the built-in default
	DefaultOrg      ident.OrgID
	Project         ident.ProjectID
	Console         ident.AppID
	ConsoleClientID string
	Domains         []Domain // oldest first
	// Trusted are hosts that links and issuers may carry although they do not lead to the
	// instance, sorted by name.
	Trusted []TrustedDomain
	Stopped bool // it serves nothing but the System API
	Removed bool
}

// TrustedDomain is a public host of the instance that is routed by others (contract section 2.9).
type TrustedDomain struct {
	Name      string // lower case, A-labels
	Sequence  uint64 // the instance's sequence when it was added
	CreatedAt time.Time
}

// Domain is a host name that leads to the instance.
type Domain struct {
	Name      string // lower case, A-labels
	Generated bool   // made from the instance's name, not chosen
	Primary   bool
	Sequence  uint64 // the instance's sequence when the domain last changed
	CreatedAt time.Time
	ChangedAt time.Time
}

// Noun declares instances to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type: "instance",
	Payloads: []eventlog.Payload{
		Added{}, Changed{}, DefaultLanguageSet{}, DomainAdded{}, DomainRemoved{}, DomainPrimarySet{},
		DefaultOrgSet{}, ProjectSet{}, ConsoleSet{}, TrustedDomainAdded{}, TrustedDomainRemoved{},
		Stopped{}, Started{}, Removed{},
	},
	Apply:  apply,
	Tables: tables,
})

// apply is the fold of an instance.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.Name, s.Defaults = p.Name, p.Defaults
	case Changed:
		s.Name = p.Name
	case DefaultLanguageSet:
		s.Language = p.Language
	case TrustedDomainAdded, TrustedDomainRemoved, DomainAdded, DomainRemoved, DomainPrimarySet:
		s = s.applyDomain(e)
	case Stopped:
		s.Stopped = true
	case Started:
		s.Stopped = false
	case Removed:
		s.Removed = true
	case DefaultOrgSet:
		s.DefaultOrg = p.Org
	case ProjectSet:
		s.Project = p.Project
	case ConsoleSet:
		s.Console, s.ConsoleClientID = p.App, p.ClientID
	}
	return s
}

// applyDomain is the fold of what happens to domains. Slices of earlier states stay as they are.
func (s State) applyDomain(e eventlog.Event) State {
	switch p := e.Payload.(type) {
	case TrustedDomainAdded:
		s.Trusted = append(slices.Clone(s.Trusted), TrustedDomain{Name: p.Domain, Sequence: e.Sequence, CreatedAt: e.At})
		slices.SortFunc(s.Trusted, func(a, b TrustedDomain) int { return strings.Compare(a.Name, b.Name) })
	case TrustedDomainRemoved:
		s.Trusted = slices.DeleteFunc(slices.Clone(s.Trusted), func(d TrustedDomain) bool { return d.Name == p.Domain })
	case DomainAdded:
		s.Domains = append(slices.Clone(s.Domains), Domain{
			Name: p.Domain, Generated: p.Generated, Sequence: e.Sequence, CreatedAt: e.At, ChangedAt: e.At,
		})
	case DomainRemoved:
		s.Domains = slices.DeleteFunc(slices.Clone(s.Domains), func(d Domain) bool { return d.Name == p.Domain })
	case DomainPrimarySet:
		s.Domains = slices.Clone(s.Domains)
		for i := range s.Domains {
			// What was primary and what becomes it have changed, even if they are the same.
			if d := &s.Domains[i]; d.Primary || d.Name == p.Domain {
				d.Primary, d.Sequence, d.ChangedAt = d.Name == p.Domain, e.Sequence, e.At
			}
		}
	}
	return s
}

// Add is the wish for a new instance.
type Add struct {
	Name     string
	Language string // empty: the built-in default
	// Generated is the domain made from the name, see [GenerateDomain].
	Generated string
	// Custom is a domain of the operator's choice, or empty. It becomes the primary one.
	Custom string
}

// Decide returns the events that begin an instance. It returns INST-092mid for a blank name,
// INST-S3v3w for a bad custom domain, LANG-jc8Sq or LANG-lg4DP for a bad language.
func (a Add) Decide() ([]eventlog.Payload, error) {
	name, err := checkName(a.Name)
	if err != nil {
		return nil, err
	}
	set, _ := defaults.Of(defaults.Current)
	events := []eventlog.Payload{Added{Name: name, Defaults: set.Version}}
	if a.Language != "" {
		tag, err := supported(a.Language, set)
		if err != nil {
			return nil, err
		}
		if tag != set.Language {
			events = append(events, DefaultLanguageSet{Language: tag})
		}
	}
	events = append(events, DomainAdded{Domain: a.Generated, Generated: true})
	primary := a.Generated
	if a.Custom != "" {
		custom, err := NormalizeDomain("custom_domain", a.Custom)
		if err != nil {
			return nil, err
		}
		events = append(events, DomainAdded{Domain: custom})
		primary = custom
	}
	return append(events, DomainPrimarySet{Domain: primary}), nil
}

// checkName returns a name without surrounding space.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", fault.Invalid("INST-092mid", "Errors.Invalid.Argument", "instance_name", "must not be blank")
	}
	return name, nil
}

// supported returns the canonical form of a language tag whose base language is in set.
func supported(lang string, set defaults.Set) (string, error) {
	tag, err := language.Parse(lang)
	if err != nil {
		return "", fault.Invalid("LANG-jc8Sq", "Errors.Language.NotParsed", "default_language",
			"must be a language tag (BCP 47), for example en or de-CH").WithCause(err)
	}
	// A tag without a language, such as und, has a guessed base; only one that was said counts.
	base, confidence := tag.Base()
	if confidence != language.Exact || !slices.Contains(set.Languages, base.String()) {
		return "", fault.Invalid("LANG-lg4DP", "Errors.Language.NotSupported", "default_language",
			"must be one of "+strings.Join(set.Languages, " "))
	}
	return tag.String(), nil
}
