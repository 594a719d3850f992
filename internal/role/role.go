// Package role says which permissions a role grants.
//
// It owns the two tables of the contract (roles.tsv): [Instance] for the members of an
// instance, an organization or a project, and [System] for system users. Who holds which
// role belongs to member and to systemuser; which permission a call needs is written in the
// proto files. Nothing here knows a user.
//
// It guarantees that the tables never change while the program runs, that a question costs
// two map look-ups and allocates nothing, and that what is not in a table is not granted.
package role

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The tables of the contract, section 4: the file's InternalAuthZ and SystemAuthZ, the latter
// with what is our own.
var (
	// Instance holds for users of an instance, with what is our own.
	Instance = mustParse(rolesTSV+own, "InternalAuthZ")
	// System holds for system users: SYSTEM_* and IAM_* roles. ORG_* and PROJECT_* roles
	// are not in it and so grant a system user nothing.
	System = mustParse(rolesTSV+own, "SystemAuthZ")
)

//go:embed roles.tsv
var rolesTSV string

// GiveAny is the permission to give others roles that have more than one's own, on what it is held on.
// It is that of owners of an instance and of an organization: of what they own they answer for all, also for
// what they do not do themselves, such as to impersonate a user. Everybody else can give no more than they
// have; owners of projects and of grants have all there is to give on these.
const GiveAny = "role.give_any"

// own are the permissions of RPCs that the contract does not have: to look after system users
// and to read who did what; and [GiveAny].
const own = `InternalAuthZ	IAM_OWNER	role.give_any
InternalAuthZ	ORG_OWNER	role.give_any
SystemAuthZ	IAM_OWNER	role.give_any
SystemAuthZ	SYSTEM_OWNER	system.user.read
SystemAuthZ	SYSTEM_OWNER	system.user.write
SystemAuthZ	SYSTEM_OWNER	system.user.delete
SystemAuthZ	SYSTEM_OWNER	system.audit.read
SystemAuthZ	SYSTEM_OWNER_VIEWER	system.user.read
SystemAuthZ	SYSTEM_OWNER_VIEWER	system.audit.read
`

// Table maps roles to permissions. The zero Table grants nothing.
type Table struct {
	bits  map[string]uint // permission to its place in a set
	roles map[string]set
}

// set is a set of permissions, one bit each.
type set []uint64

func (s set) has(bit uint) bool { return s[bit/64]&(1<<(bit%64)) != 0 }

// Grants reports whether role includes permission. Both are compared exactly; an unknown
// role or permission is not granted.
func (t *Table) Grants(role, permission string) bool {
	s, known := t.roles[role]
	if !known {
		return false
	}
	bit, known := t.bits[permission]
	return known && s.has(bit)
}

// Known reports whether the table has the role.
func (t *Table) Known(role string) bool {
	_, known := t.roles[role]
	return known
}

// KnownPermission reports whether any role of the table grants the permission. A call that
// asks for one that is not known can never be allowed.
func (t *Table) KnownPermission(permission string) bool {
	_, known := t.bits[permission]
	return known
}

// Roles returns the names of all roles, sorted.
func (t *Table) Roles() []string { return slices.Sorted(maps.Keys(t.roles)) }

// Permissions returns what role grants, sorted; none for an unknown role.
func (t *Table) Permissions(role string) []string {
	var granted []string
	for permission := range t.bits {
		if t.Grants(role, permission) {
			granted = append(granted, permission)
		}
	}
	slices.Sort(granted)
	return granted
}

// header is the first line of the file.
const header = "config_section\trole\tpermission"

// parse reads the table that is called section from lines of section, role, permission.
// A line that is not of this form, or is there twice, is an error.
func parse(tsv, section string) (*Table, error) {
	lines := strings.Split(strings.TrimSuffix(tsv, "\n"), "\n")
	if lines[0] != header {
		return nil, fmt.Errorf("role: the first line is %q, not %q", lines[0], header)
	}
	granted := make(map[string]map[uint]bool)
	bits := make(map[string]uint)
	for i, line := range lines[1:] {
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || slices.Contains(fields, "") {
			return nil, fmt.Errorf("role: line %d is not three fields: %q", i+2, line)
		}
		if fields[0] != section {
			continue
		}
		role, permission := fields[1], fields[2]
		bit, known := bits[permission]
		if !known {
			bit = uint(len(bits))
			bits[permission] = bit
		}
		if granted[role][bit] {
			return nil, fmt.Errorf("role: line %d grants %s to %s again", i+2, permission, role)
		}
		if granted[role] == nil {
			granted[role] = make(map[uint]bool)
		}
		granted[role][bit] = true
	}
	if len(granted) == 0 {
		return nil, fmt.Errorf("role: no section %s", section)
	}
	roles := make(map[string]set, len(granted))
	for role, has := range granted {
		s := make(set, (len(bits)+63)/64)
		for bit := range has {
			s[bit/64] |= 1 << (bit % 64)
		}
		roles[role] = s
	}
	return &Table{bits: bits, roles: roles}, nil
}

// mustParse is parse for the embedded file, where an error is a mistake of the program.
func mustParse(tsv, section string) *Table {
	t, err := parse(tsv, section)
	if err != nil {
		panic(err)
	}
	return t
}
