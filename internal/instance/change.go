package instance

import (
	"slices"
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// Rename is the wish for another name. Domains keep theirs.
type Rename struct {
	Name string
}

// Decide returns instance.changed, or nothing for the name the instance has already. It
// returns INST-092mid for a blank name (contract section 2.4).
func (r Rename) Decide(s State) ([]eventlog.Payload, error) {
	name, err := checkName(r.Name)
	if err != nil || name == s.Name {
		return nil, err
	}
	return []eventlog.Payload{Changed{Name: name}}, nil
}

// AddDomain is the wish for one more domain. It does not become the primary one.
type AddDomain struct {
	Domain string
}

// Decide returns instance.domain.added. It returns INST-28nlD for a blank domain, INST-S3v3w
// for one that cannot be a host name and INST-i2nl for one the instance has already (contract
// section 2.6).
func (a AddDomain) Decide(s State) ([]eventlog.Payload, error) {
	if strings.TrimSpace(a.Domain) == "" {
		return nil, fault.Invalid("INST-28nlD", "Errors.Invalid.Argument", "domain", "must not be blank")
	}
	name, err := NormalizeDomain("domain", a.Domain)
	if err != nil {
		return nil, err
	}
	if _, has := s.domain(name); has {
		return nil, fault.New(fault.AlreadyExists, "INST-i2nl", "Errors.Instance.Domain.AlreadyExists").
			WithViolation("domain", "is already a domain of this instance")
	}
	return []eventlog.Payload{DomainAdded{Domain: name}}, nil
}

// RemoveDomain is the wish to lose a domain.
type RemoveDomain struct {
	Domain string
}

// Decide returns instance.domain.removed. When the domain is the primary one, the generated
// domain becomes primary first, so that after every event there is exactly one (decision D5).
// It returns INSTANCE-8ls9f for a domain the instance does not have and INSTANCE-9hn3n for
// the generated one.
func (r RemoveDomain) Decide(s State) ([]eventlog.Payload, error) {
	d, has := s.find(r.Domain)
	if !has {
		return nil, errNoDomain("INSTANCE-8ls9f")
	}
	if d.Generated {
		return nil, fault.New(fault.FailedPrecondition, "INSTANCE-9hn3n", "Errors.Instance.Domain.GeneratedNotRemovable").
			WithViolation("domain", "is the generated domain, which stays")
	}
	var events []eventlog.Payload
	if i := slices.IndexFunc(s.Domains, func(d Domain) bool { return d.Generated }); d.Primary && i >= 0 {
		events = append(events, DomainPrimarySet{Domain: s.Domains[i].Name})
	}
	return append(events, DomainRemoved{Domain: d.Name}), nil
}

// SetPrimaryDomain is the wish that links and issuers use another of the instance's domains.
type SetPrimaryDomain struct {
	Domain string
}

// Decide returns instance.domain.primary.set, also when the domain is the primary one already
// (contract section 2.6). It returns INSTANCE-9nkWf for a domain the instance does not have.
func (p SetPrimaryDomain) Decide(s State) ([]eventlog.Payload, error) {
	d, has := s.find(p.Domain)
	if !has {
		return nil, errNoDomain("INSTANCE-9nkWf")
	}
	return []eventlog.Payload{DomainPrimarySet{Domain: d.Name}}, nil
}

// SetDefaultOrg is the wish for another default organization, which is one of the instance.
type SetDefaultOrg struct {
	Org ident.OrgID
}

// Decide returns instance.default.org.set. It returns INST-SDfw2 for the one that it is already.
func (d SetDefaultOrg) Decide(s State) ([]eventlog.Payload, error) {
	if d.Org == s.DefaultOrg {
		return nil, fault.New(fault.FailedPrecondition, "INST-SDfw2", "Errors.Instance.NotChanged").
			WithViolation("org_id", "is the default organization already")
	}
	return []eventlog.Payload{DefaultOrgSet{Org: d.Org}}, nil
}

// Stop is the wish that an instance serves nothing but the System API.
type Stop struct{}

// Decide returns instance.stopped, or nothing when it is stopped already.
func (Stop) Decide(s State) ([]eventlog.Payload, error) {
	if s.Stopped {
		return nil, nil
	}
	return []eventlog.Payload{Stopped{}}, nil
}

// Start is the wish that a stopped instance serves again.
type Start struct{}

// Decide returns instance.started, or nothing when it is running.
func (Start) Decide(s State) ([]eventlog.Payload, error) {
	if !s.Stopped {
		return nil, nil
	}
	return []eventlog.Payload{Started{}}, nil
}

// Remove is the wish that there be no such instance any more, in whatever state it is.
type Remove struct{}

// Decide returns instance.removed (contract section 2.5).
func (Remove) Decide(State) ([]eventlog.Payload, error) {
	return []eventlog.Payload{Removed{}}, nil
}

func errNoDomain(id string) error {
	return fault.New(fault.NotFound, id, "Errors.Instance.Domain.NotFound").
		WithViolation("domain", "must be a domain of the instance")
}

// domain returns the domain with a normalised name.
func (s State) domain(name string) (Domain, bool) {
	i := slices.IndexFunc(s.Domains, func(d Domain) bool { return d.Name == name })
	if i < 0 {
		return Domain{}, false
	}
	return s.Domains[i], true
}

// find returns the domain that is called name in whatever form. What cannot be a host name is
// no domain of the instance.
func (s State) find(name string) (Domain, bool) {
	name, err := NormalizeDomain("domain", name)
	if err != nil {
		return Domain{}, false
	}
	return s.domain(name)
}
