package systemuser

import (
	"strings"
	"testing"

	"castellan/internal/fault"
)

func TestMay(t *testing.T) {
	system := Membership{Type: System, Roles: []string{"SYSTEM_OWNER_VIEWER", "SYSTEM_OWNER"}}
	iam := Membership{Type: IAM, AggregateID: "1", Roles: []string{"IAM_OWNER"}}
	instance := Membership{Type: IAM, AggregateID: "1", Roles: []string{"SYSTEM_OWNER"}}
	org := Membership{Type: Organization, AggregateID: "10", Roles: []string{"IAM_OWNER"}}
	orgOnly := Membership{Type: Organization, AggregateID: "10", Roles: []string{"ORG_OWNER"}}
	for name, tt := range map[string]struct {
		memberships []Membership
		permission  string
		scope       Scope
		may         bool
	}{
		"system, no instance":          {[]Membership{system}, "system.instance.write", Scope{}, true},
		"system, any instance":         {[]Membership{system}, "system.instance.write", Scope{Instance: "7"}, true},
		"system, other permission":     {[]Membership{system}, "iam.read", Scope{Instance: "7"}, false},
		"no permission":                {[]Membership{system}, "", Scope{}, false},
		"none":                         {nil, "system.instance.read", Scope{}, false},
		"zero":                         {[]Membership{{Roles: []string{"SYSTEM_OWNER"}}}, "system.instance.read", Scope{}, false},
		"instance, its own":            {[]Membership{instance}, "system.instance.write", Scope{Instance: "1"}, true},
		"instance, another":            {[]Membership{instance}, "system.instance.write", Scope{Instance: "2"}, false},
		"instance, none":               {[]Membership{instance}, "system.instance.write", Scope{}, false},
		"instance, organization":       {[]Membership{instance}, "system.instance.write", Scope{Org: "1"}, false},
		"IAM_OWNER, system call":       {[]Membership{iam}, "system.instance.read", Scope{Instance: "1"}, false},
		"IAM_OWNER, its instance":      {[]Membership{iam}, "iam.read", Scope{Instance: "1"}, true},
		"organization, its own":        {[]Membership{org}, "org.read", Scope{Instance: "1", Org: "10"}, true},
		"organization, another":        {[]Membership{org}, "org.read", Scope{Instance: "1", Org: "11"}, false},
		"organization, as an instance": {[]Membership{org}, "org.read", Scope{Instance: "10"}, false},
		"ORG_OWNER grants nothing":     {[]Membership{orgOnly}, "org.read", Scope{Org: "10"}, false},
		"the second counts":            {[]Membership{org, instance}, "system.instance.read", Scope{Instance: "1"}, true},
		"roles do not mix":             {[]Membership{org, instance}, "iam.read", Scope{Instance: "1"}, false},
		"an id that is empty":          {[]Membership{{Type: IAM, Roles: []string{"IAM_OWNER"}}}, "iam.read", Scope{}, false},
		"an organization that is":      {[]Membership{{Type: Organization, Roles: []string{"IAM_OWNER"}}}, "iam.read", Scope{}, false},
	} {
		err := Caller{Name: "ops", Memberships: tt.memberships}.May(tt.permission, tt.scope)
		if (err == nil) != tt.may {
			t.Errorf("%s: May = %v, want %v", name, err, tt.may)
		}
		if err == nil {
			continue
		}
		f := fault.Of(err)
		if f.Kind != fault.PermissionDenied || f.Public() != "No matching permissions found (AUTH-5mWD2)" {
			t.Errorf("%s: answer %q of kind %v", name, f.Public(), f.Kind)
		}
		if !strings.Contains(err.Error(), `"ops"`) {
			t.Errorf("%s: the log does not learn who: %v", name, err)
		}
	}
}

func BenchmarkMay(b *testing.B) {
	c := Caller{Name: "ops", Memberships: []Membership{{Type: System, Roles: []string{"SYSTEM_OWNER"}}}}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.May("system.instance.write", Scope{Instance: "1"}); err != nil {
			b.Fatal(err)
		}
	}
}
