package systemuser

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/role"
)

// acceptName checks the name of a user to be.
func acceptName(name string) error {
	if err := checkName(name); err != nil {
		return invalid("SYSUSER-name1", "Errors.SystemUser.IDInvalid", "id", err)
	}
	return nil
}

// acceptKey checks the PEM of a key that counts now, and returns it in the form in which it is
// kept: one block without comments, a certificate or a public key as PKIX.
func acceptKey(text string, now time.Time) (string, error) {
	refuse := func(rule error) (string, error) {
		return "", invalid("SYSUSER-key01", "Errors.SystemUser.KeyInvalid", "public_key", rule)
	}
	key, err := assertion.ParseKey([]byte(text))
	if err == nil {
		err = key.ValidAt(now)
	}
	if err != nil {
		return refuse(err)
	}
	block, _ := pem.Decode([]byte(text))
	kept := &pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}
	if key.NotAfter.IsZero() {
		kept.Type = "PUBLIC KEY"
		if kept.Bytes, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
			return refuse(err)
		}
	}
	return string(pem.EncodeToMemory(kept)), nil
}

// acceptMemberships checks what a user is to have, and returns a copy of it.
func acceptMemberships(wanted []Membership) ([]Membership, error) {
	refuse := func(field string, rule error) ([]Membership, error) {
		return nil, invalid("SYSUSER-role1", "Errors.SystemUser.MembershipInvalid", field, rule)
	}
	if len(wanted) == 0 || len(wanted) > maxMemberships {
		return refuse("memberships", fmt.Errorf("must be 1 to %d, not %d", maxMemberships, len(wanted)))
	}
	accepted := make([]Membership, len(wanted))
	for i, m := range wanted {
		if m.Type == System {
			m.AggregateID = ""
		}
		if err := m.acceptable(); err != nil {
			return refuse(fmt.Sprintf("memberships[%d]", i), err)
		}
		m.Roles = slices.Clone(m.Roles)
		accepted[i] = m
	}
	return accepted, nil
}

// acceptable checks one membership by the rules of the configuration, and two more: its roles grant
// a system user something, and it is not of what is no instance.
func (m *Membership) acceptable() error {
	if _, err := m.Type.MarshalText(); err != nil {
		return errors.New("type: must be that of the system, an instance or an organization")
	}
	for _, name := range m.Roles {
		if !role.System.Known(name) {
			return fmt.Errorf("roles: %.100q grants a system user nothing", name)
		}
	}
	switch {
	case len(m.Roles) > maxRoles:
		return fmt.Errorf("roles: must be at most %d, not %d", maxRoles, len(m.Roles))
	case m.AggregateID == string(ident.System):
		return errors.New("aggregate_id: is no instance or organization")
	}
	if faults := within("", m.check()); len(faults) > 0 {
		return faults[0]
	}
	return nil
}

// errGrant refuses a membership that would grant more than the caller has.
func errGrant(i int, name, permission string) error {
	return fault.New(fault.PermissionDenied, "SYSUSER-grant", "Errors.SystemUser.MoreThanOwn").
		WithViolation(fmt.Sprintf("memberships[%d]", i), name+" grants "+permission+", which you do not have there")
}

// user makes a user of the database ready for use. An error means that its row is damaged.
func (s State) user() (*user, error) {
	u := &user{caller: Caller{Name: ident.Actor(s.ID), Memberships: s.Memberships, Sequence: s.Sequence}}
	for _, held := range []struct {
		pem   string
		until time.Time
	}{{s.PublicKey, time.Time{}}, {s.PreviousKey, s.PreviousUntil}} {
		if held.pem == "" {
			continue
		}
		key, err := assertion.ParseKey([]byte(held.pem))
		if err != nil {
			return nil, fmt.Errorf("the key of system user %q: %w", s.ID, err)
		}
		u.keys = append(u.keys, publicKey{Key: key, until: held.until})
	}
	return u, nil
}

// KeyInfo says which key a user has, without showing it.
type KeyInfo struct {
	// Fingerprint is the SHA-256 of the public key (its PKIX form in DER), in hexadecimal. That of
	// a certificate is the one of its key.
	Fingerprint string
	// NotBefore and NotAfter are when its certificate is valid; zero without one.
	NotBefore, NotAfter time.Time
	// Until is when the key stops to count, because it was replaced; zero for the one that counts.
	Until time.Time
}

// info describes a key.
func (k *publicKey) info() KeyInfo {
	return KeyInfo{Fingerprint: k.Fingerprint, NotBefore: k.NotBefore, NotAfter: k.NotAfter, Until: k.until}
}
