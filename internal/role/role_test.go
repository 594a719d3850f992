package role

import (
	"slices"
	"strings"
	"testing"
)

// TestTablesAreTheContract compares every pair of the file with what the tables answer, in
// both directions: what a line grants is granted, and nothing else is but what is our own.
func TestTablesAreTheContract(t *testing.T) {
	lines := make(map[string]bool)
	for line := range strings.Lines(rolesTSV + own) {
		lines[strings.TrimSuffix(line, "\n")] = true
	}
	for section, table := range map[string]*Table{"InternalAuthZ": Instance, "SystemAuthZ": System} {
		granted := 0
		for role := range table.roles {
			for permission := range table.bits {
				want := lines[section+"\t"+role+"\t"+permission]
				if got := table.Grants(role, permission); got != want {
					t.Errorf("%s: Grants(%s, %s) = %v, want %v", section, role, permission, got, want)
				}
				if want {
					granted++
				}
			}
		}
		inFile := 0
		for line := range lines {
			if strings.HasPrefix(line, section+"\t") {
				inFile++
			}
		}
		if granted != inFile || granted == 0 {
			t.Errorf("%s: %d pairs granted, %d in the file", section, granted, inFile)
		}
	}
}

func TestSystemRoles(t *testing.T) {
	// Contract section 4: 17 permissions for the owner, 5 to read for the viewer. Ours are 4 and 2.
	if got := System.Permissions("SYSTEM_OWNER"); len(got) != 17+4 {
		t.Errorf("SYSTEM_OWNER has %d permissions %v, want 21", len(got), got)
	}
	want := []string{
		"system.audit.read", "system.debug.read", "system.domain.read", "system.feature.read",
		"system.iam.member.read", "system.instance.read", "system.user.read",
	}
	if got := System.Permissions("SYSTEM_OWNER_VIEWER"); !slices.Equal(got, want) {
		t.Errorf("SYSTEM_OWNER_VIEWER has %v, want %v", got, want)
	}
	if System.Known("ORG_OWNER") || !Instance.Known("ORG_OWNER") {
		t.Error("ORG_OWNER belongs to the table of instances only")
	}
	if !slices.Contains(System.Roles(), "IAM_OWNER") || !slices.IsSorted(System.Roles()) {
		t.Errorf("Roles() = %v, want IAM_OWNER among them, sorted", System.Roles())
	}
}

// TestOwnPermissions: ours go to two roles of system users, and are in none of the contract's.
func TestOwnPermissions(t *testing.T) {
	for _, permission := range []string{"system.user.read", "system.user.write", "system.user.delete", "system.audit.read"} {
		if strings.Contains(rolesTSV, permission) {
			t.Errorf("the contract has %s too", permission)
		}
		for _, role := range System.Roles() {
			want := role == "SYSTEM_OWNER" || role == "SYSTEM_OWNER_VIEWER" && strings.HasSuffix(permission, ".read")
			if got := System.Grants(role, permission); got != want {
				t.Errorf("Grants(%s, %s) = %v, want %v", role, permission, got, want)
			}
		}
		if Instance.KnownPermission(permission) {
			t.Errorf("users of instances can have %s", permission)
		}
	}
}

// TestOwnersGiveAny: only who owns something may give roles there that have more than its own.
func TestOwnersGiveAny(t *testing.T) {
	owners := []string{"IAM_OWNER", "ORG_OWNER"}
	for _, role := range Instance.Roles() {
		if got := Instance.Grants(role, GiveAny); got != slices.Contains(owners, role) {
			t.Errorf("a user who is %s: %t", role, got)
		}
	}
	for _, role := range System.Roles() {
		if got := System.Grants(role, GiveAny); got != (role == "IAM_OWNER") {
			t.Errorf("a system user who is %s: %t", role, got)
		}
	}
	if strings.Contains(rolesTSV, GiveAny) {
		t.Error("the contract has it too")
	}
}

// TestOwnersOfProjectsHaveAll: they need no exception to give every role there is on a project, or on a grant.
func TestOwnersOfProjectsHaveAll(t *testing.T) {
	for _, role := range Instance.Roles() {
		owner := "PROJECT_OWNER"
		switch {
		case strings.HasPrefix(role, "PROJECT_GRANT_"):
			owner = "PROJECT_GRANT_OWNER"
		case !strings.HasPrefix(role, "PROJECT_"):
			continue
		}
		for _, permission := range Instance.Permissions(role) {
			for _, owner := range []string{owner, "PROJECT_OWNER"} {
				if !Instance.Grants(owner, permission) {
					t.Errorf("%s lacks %s of %s", owner, permission, role)
				}
			}
		}
	}
}

func TestUnknownIsNotGranted(t *testing.T) {
	tests := []struct{ role, permission string }{
		{"", ""},
		{"SYSTEM_OWNER", ""},
		{"", "system.instance.read"},
		{"system_owner", "system.instance.read"},
		{"SYSTEM_OWNER", "SYSTEM.INSTANCE.READ"},
		{"SYSTEM_OWNER", "system.instance"},
		{"SYSTEM_OWNER", "org.read"},
	}
	for _, tt := range tests {
		if System.Grants(tt.role, tt.permission) {
			t.Errorf("Grants(%q, %q) = true", tt.role, tt.permission)
		}
	}
	var zero Table
	if zero.Grants("SYSTEM_OWNER", "system.instance.read") || zero.Known("") || zero.KnownPermission("") {
		t.Error("the zero table grants something")
	}
	if System.KnownPermission("system.instance.wirte") || !System.KnownPermission("system.instance.write") {
		t.Error("KnownPermission does not tell a typing mistake from a permission")
	}
}

func TestParseRefuses(t *testing.T) {
	const good = header + "\nS\tR\tp\n"
	if _, err := parse(good, "S"); err != nil {
		t.Fatalf("parse: %v", err)
	}
	for name, tsv := range map[string]string{
		"no header":       "S\tR\tp\n",
		"two fields":      header + "\nS\tR\n",
		"four fields":     header + "\nS\tR\tp\tq\n",
		"empty field":     header + "\nS\t\tp\n",
		"a line twice":    header + "\nS\tR\tp\nS\tR\tp\n",
		"missing section": header + "\nT\tR\tp\n",
	} {
		if _, err := parse(tsv, "S"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkGrants(b *testing.B) {
	for b.Loop() {
		if !System.Grants("SYSTEM_OWNER", "system.instance.write") {
			b.Fatal("not granted")
		}
	}
}
