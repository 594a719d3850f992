package org

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// State is an organization as its events have left it.
type State struct {
	eventlog.Head

	Name    string
	Active  bool
	Removed bool
	Domains []Domain // oldest first
	// Metadata is sorted by key. A state that was not read by [WithMetadata] has none.
	Metadata []Metadata
}

// Domain is a name that users of the organization log in under.
type Domain struct {
	Name      string // lower case, in the script people write it in
	Verified  bool
	Primary   bool
	CreatedAt time.Time
	// Validation says how it was or is being verified, empty when nobody has asked for that; Token what
	// has to be published for it, until it is verified.
	Validation ValidationType
	Token      string
}

// ValidationType is how it is proved that a domain belongs to an organization.
type ValidationType string

// The types of validation.
const (
	HTTP ValidationType = "http" // a file on the web server of the domain
	DNS  ValidationType = "dns"  // a TXT record below the domain
)

// Metadata is what others have written down about the organization under a key.
type Metadata struct {
	Key       string
	Value     []byte
	CreatedAt time.Time
	ChangedAt time.Time
}

// Noun declares organizations to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type: "org",
	Payloads: []eventlog.Payload{
		Added{}, Changed{}, Deactivated{}, Reactivated{}, Removed{},
		DomainAdded{}, DomainVerificationAdded{}, DomainVerificationFailed{}, DomainVerified{},
		DomainPrimarySet{}, DomainRemoved{}, MetadataSet{}, MetadataRemoved{},
	},
	Apply:  apply,
	Tables: tables,
})

// apply is the fold of an organization.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.Name, s.Active = p.Name, true
	case Changed:
		s.Name = p.Name
	case Deactivated:
		s.Active = false
	case Reactivated:
		s.Active = true
	case Removed:
		s.Removed = true
	case MetadataSet, MetadataRemoved:
		s = s.applyMetadata(e)
	default:
		s = s.applyDomain(e)
	}
	return s
}

// applyDomain is the fold of what happens to domains. Slices of earlier states stay as they are.
func (s State) applyDomain(e eventlog.Event) State {
	s.Domains = slices.Clone(s.Domains)
	switch p := e.Payload.(type) {
	case DomainAdded:
		s.Domains = append(s.Domains, Domain{Name: p.Domain, CreatedAt: e.At})
	case DomainVerificationAdded:
		s.eachDomain(p.Domain, func(d *Domain) { d.Validation, d.Token = p.Type, p.Token })
	case DomainVerified:
		s.eachDomain(p.Domain, func(d *Domain) { d.Verified, d.Token = true, "" })
	case DomainPrimarySet:
		for i := range s.Domains {
			s.Domains[i].Primary = s.Domains[i].Name == p.Domain
		}
	case DomainRemoved:
		s.Domains = slices.DeleteFunc(s.Domains, func(d Domain) bool { return d.Name == p.Domain })
	}
	return s
}

// eachDomain changes the domain with a name.
func (s State) eachDomain(name string, change func(*Domain)) {
	for i := range s.Domains {
		if s.Domains[i].Name == name {
			change(&s.Domains[i])
		}
	}
}

// applyMetadata is the fold of what happens to metadata.
func (s State) applyMetadata(e eventlog.Event) State {
	s.Metadata = slices.Clone(s.Metadata)
	switch p := e.Payload.(type) {
	case MetadataSet:
		set := Metadata{Key: p.Key, Value: p.Value, CreatedAt: e.At, ChangedAt: e.At}
		i, found := s.metadata(p.Key)
		if found {
			set.CreatedAt = s.Metadata[i].CreatedAt
			s.Metadata[i] = set
		} else {
			s.Metadata = slices.Insert(s.Metadata, i, set)
		}
	case MetadataRemoved:
		if i, found := s.metadata(p.Key); found {
			s.Metadata = slices.Delete(s.Metadata, i, i+1)
		}
	}
	return s
}

// metadata returns where what stands under a key is, or belongs.
func (s State) metadata(key string) (int, bool) {
	return slices.BinarySearchFunc(s.Metadata, key, func(m Metadata, key string) int { return strings.Compare(m.Key, key) })
}

// PrimaryDomain is the name of the primary domain.
func (s State) PrimaryDomain() string {
	for _, d := range s.Domains {
		if d.Primary {
			return d.Name
		}
	}
	return ""
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

// Deactivate is the wish that nobody of the organization can act, nor use what it has.
type Deactivate struct{}

// Decide returns org.deactivated. It returns EVENT-Dbs2g when the organization is not active.
func (Deactivate) Decide(s State) ([]eventlog.Payload, error) {
	if !s.Active {
		return nil, fault.New(fault.FailedPrecondition, "EVENT-Dbs2g", "Errors.Org.AlreadyDeactivated")
	}
	return []eventlog.Payload{Deactivated{}}, nil
}

// Reactivate is the wish to take that back.
type Reactivate struct{}

// Decide returns org.reactivated. It returns EVENT-bfnrh when the organization is active.
func (Reactivate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Active {
		return nil, fault.New(fault.FailedPrecondition, "EVENT-bfnrh", "Errors.Org.AlreadyActive")
	}
	return []eventlog.Payload{Reactivated{}}, nil
}

// SetMetadata is the wish to write something down about the organization. Of two values for one key
// the later one counts.
type SetMetadata struct {
	Entries []Metadata // Key and Value
}

// MaxMetadata is how many keys one command sets or removes at most.
const MaxMetadata = 1000

// Decide returns org.metadata.set for each value that is not the one that stands there. s has been read
// with what stands under the keys. It returns META-9mm2d when there is nothing to set, and META-2ml0f
// for a blank key or an empty value.
func (m SetMetadata) Decide(s State) ([]eventlog.Payload, error) {
	if len(m.Entries) == 0 {
		return nil, noData("META-9mm2d", "metadata")
	}
	last := make(map[string]int, len(m.Entries))
	for i, e := range m.Entries {
		if e.Key == "" || len(e.Value) == 0 {
			return nil, fault.Invalid("META-2ml0f", "Errors.Metadata.Invalid", "metadata", "must have a key and a value each")
		}
		last[e.Key] = i
	}
	var events []eventlog.Payload
	for i, e := range m.Entries {
		if at, found := s.metadata(e.Key); last[e.Key] == i && (!found || !bytes.Equal(s.Metadata[at].Value, e.Value)) {
			events = append(events, MetadataSet{Key: e.Key, Value: e.Value})
		}
	}
	return events, nil
}

// RemoveMetadata is the wish to remove what stands under some keys.
type RemoveMetadata struct {
	Keys []string
}

// Decide returns org.metadata.removed for each key. s has been read with what stands under them. It
// returns META-9mw2d when no key is named, and META-2npds for one under which nothing stands.
func (m RemoveMetadata) Decide(s State) ([]eventlog.Payload, error) {
	if len(m.Keys) == 0 {
		return nil, noData("META-9mw2d", "keys")
	}
	var events []eventlog.Payload
	named := make(map[string]bool, len(m.Keys))
	for _, key := range m.Keys {
		if named[key] {
			continue
		}
		if _, found := s.metadata(key); !found {
			return nil, fault.New(fault.NotFound, "META-2npds", "Errors.Metadata.KeyNotExisting").
				WithViolation("keys", "must be keys under which something stands")
		}
		named[key] = true
		events = append(events, MetadataRemoved{Key: key})
	}
	return events, nil
}

// noData is the answer to a command about no metadata.
func noData(id, field string) error {
	return fault.New(fault.FailedPrecondition, id, "Errors.Metadata.NoData").WithViolation(field, "must not be empty")
}
