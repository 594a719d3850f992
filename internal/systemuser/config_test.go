package systemuser

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"castellan/internal/assertion"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParse(t *testing.T) {
	full := []Config{
		{Name: "ops", Path: "/etc/ops.pem"},
		{Name: "billing", KeyData: "QUJD", Memberships: []MembershipConfig{
			{MemberType: "IAM", AggregateID: "42", Roles: []string{"IAM_OWNER", "ORG_OWNER"}},
			{MemberType: "System", Roles: []string{"SYSTEM_OWNER_VIEWER"}},
		}},
	}
	for name, tt := range map[string]struct {
		text string
		want []Config
	}{
		"empty":     {"", nil},
		"spaces":    {" \n\t", nil},
		"no users":  {"{}", nil},
		"no list":   {"[]", nil},
		"one":       {"ops=/etc/ops.pem", full[:1]},
		"two":       {"ops=/a,Dev=/b", []Config{{Name: "ops", Path: "/a"}, {Name: "dev", Path: "/b"}}},
		"spaced":    {" ops = /a , dev = /b ", []Config{{Name: "ops", Path: "/a"}, {Name: "dev", Path: "/b"}}},
		"path with": {"ops=/a=b", []Config{{Name: "ops", Path: "/a=b"}}},
		"an object": {`{"ops":{"path":"/etc/ops.pem"},"billing":{"keyData":"QUJD","memberships":[
			{"memberType":"IAM","aggregateId":"42","roles":["IAM_OWNER","ORG_OWNER"]},
			{"memberType":"System","roles":["SYSTEM_OWNER_VIEWER"]}]}}`, full},
		"as the reference writes it": {`[{"OPS":{"Path":"/etc/ops.pem"}},{"billing":{"KeyData":"QUJD","Memberships":[
			{"MemberType":"IAM","AggregateID":"42","Roles":["IAM_OWNER","ORG_OWNER"]},
			{"MemberType":"System","Roles":["SYSTEM_OWNER_VIEWER"]}]}}]`, full},
		"one object in a list": {`[{"ops":{"path":"/etc/ops.pem"},"billing":{"keydata":"QUJD","MEMBERSHIPS":[
			{"membertype":"IAM","aggregateid":"42","roles":["IAM_OWNER","ORG_OWNER"]},
			{"membertype":"System","roles":["SYSTEM_OWNER_VIEWER"]}]}}]`, full},
		"nulls": {`{"ops":{"path":"/etc/ops.pem","keyData":null,"memberships":null}}`, full[:1]},
		"twice": {`{"ops":{"path":"/a"},"OPS":{"path":"/b"}}`, // for Validate to refuse
			[]Config{{Name: "ops", Path: "/a"}, {Name: "ops", Path: "/b"}}},
	} {
		got, err := Parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string // one line each, in order
	}{
		"a word":           {"ops", []string{"entry 1 is not name=path"}},
		"no name":          {"=/a", []string{"entry 1 is not name=path"}},
		"no path":          {"a=/a,ops=", []string{"entry 2 is not name=path"}},
		"comma at the end": {"ops=/a,", []string{"entry 2 is not name=path"}},
		"two faults":       {"ops,dev", []string{"entry 1 is", "entry 2 is"}},
		"cut":              {`{"ops":{"path":"/a"}`, []string{"system users: "}},
		"more":             {`{} {}`, []string{"something follows"}},
		"more of a list":   {`[] []`, []string{"system users: "}},
		"list of names":    {`["ops"]`, []string{"entry 1: system users: not a JSON object"}},
		"user a string":    {`{"ops":"/a"}`, []string{`system user "ops": not a JSON object`}},
		"user null":        {`{"ops":null}`, []string{`system user "ops": not a JSON object`}},
		"number as name":   {`{1:{}}`, []string{"system users: "}},
		"unknown field":    {`{"ops":{"file":"/a"}}`, []string{`system user "ops": "file": unknown`}},
		"field twice":      {`{"ops":{"path":"/a","Path":"/b"}}`, []string{`system user "ops": "Path": unknown, or there twice`}},
		"path a number":    {`{"ops":{"path":1}}`, []string{`system user "ops": path: not of the expected type`}},
		"memberships":      {`{"ops":{"memberships":{}}}`, []string{`system user "ops": memberships: not of the expected type`}},
		"roles a string": {`{"ops":{"memberships":[{"roles":"X"}]}}`,
			[]string{`system user "ops": memberships[0]: roles: not of the expected type`}},
		"all at once": {
			`[{"a":{"x":1,"path":2,"memberships":[{"y":1},3]}},{"b":4},5]`,
			[]string{
				`entry 1: system user "a": "x": unknown`,
				`entry 1: system user "a": path: not of`,
				`entry 1: system user "a": memberships[0]: "y": unknown`,
				`entry 1: system user "a": memberships[1]: not a JSON object`,
				`entry 2: system user "b": not a JSON object`,
				`entry 3: system users: not a JSON object`,
			},
		},
		"huge": {strings.Repeat("a", maxConfig+1), []string{"longer than"}},
	} {
		users, err := Parse(tt.text)
		if err == nil || users != nil {
			t.Errorf("%s: accepted as %v", name, users)
			continue
		}
		assertLines(t, name, err, tt.want)
	}
}

// assertLines checks that err has exactly one line for each of want, which it contains.
func assertLines(t *testing.T, name string, err error, want []string) {
	t.Helper()
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Errorf("%s: %d faults, want %d:\n%v", name, len(lines), len(want), err)
		return
	}
	for i, line := range lines {
		if !strings.Contains(line, want[i]) {
			t.Errorf("%s: fault %d is %q, want %q", name, i, line, want[i])
		}
	}
}

// everyFault is what TestValidateReportsEveryFault finds, in order.
var everyFault = []string{
	`system user "": name: has 0 characters, not 1 to 200`,
	`name: has 201 characters`,
	`system user " spaced": name: begins or ends with a space`,
	`system user "line\nbreak": name: has a control character`,
	`name: is not UTF-8`,
	`system user "fine": name: is there twice`,
	`system user "no key": path: is empty, and so is keyData`,
	`system user "no file": path: open /does/not/exist.pem`,
	`system user "a directory": path: `,
	`system user "not base64": keyData: is neither PEM nor base64 of PEM`,
	`system user "not pem": keyData: is not PEM`,
	`system user "huge": keyData: is longer than`,
	`system user "project": memberships[0].memberType: Project is not possible for system users`,
	`system user "project": memberships[1].memberType: ProjectGrant is not possible`,
	`system user "project": memberships[2].memberType: "Unspecified" is not System, IAM or Organization`,
	`system user "project": memberships[3].memberType: "" is not`,
	`system user "aggregate": memberships[0].aggregateId: is empty`,
	`system user "aggregate": memberships[1].aggregateId: is empty`,
	`system user "roles": memberships[0].roles: is empty`,
	`system user "roles": memberships[1].roles: "GOD" is unknown`,
	`system user "roles": memberships[1].roles: "system_owner" is unknown`,
	`system user "escalation": memberships[0].roles: SYSTEM_OWNER cannot be limited to an organization`,
	`system user "many": path: is empty`,
	`system user "many": memberships[0].memberType: "x" is not`,
	`system user "many": memberships[0].roles: is empty`,
}

func TestValidateReportsEveryFault(t *testing.T) {
	k := keys()
	good := publicPEM(t, k.P256)
	system := func(roles ...string) []MembershipConfig {
		return []MembershipConfig{{MemberType: "System", Roles: roles}}
	}
	users := []Config{
		{Name: "fine", KeyData: good},
		{Name: "", KeyData: good},
		{Name: strings.Repeat("x", 201), KeyData: good},
		{Name: " spaced", KeyData: good},
		{Name: "line\nbreak", KeyData: good},
		{Name: "bad\xff", KeyData: good},
		{Name: "Fine", KeyData: good},
		{Name: "no key"},
		{Name: "no file", Path: "/does/not/exist.pem"},
		{Name: "a directory", Path: t.TempDir()},
		{Name: "not base64", KeyData: "!"},
		{Name: "not pem", KeyData: base64.StdEncoding.EncodeToString([]byte("hello"))},
		{Name: "huge", KeyData: base64.StdEncoding.EncodeToString(make([]byte, assertion.MaxKeyFile+1))},
		{Name: "project", KeyData: good, Memberships: []MembershipConfig{
			{MemberType: "Project", AggregateID: "1", Roles: []string{"PROJECT_OWNER"}},
			{MemberType: "ProjectGrant", AggregateID: "1", Roles: []string{"PROJECT_GRANT_OWNER"}},
			{MemberType: "Unspecified", Roles: []string{"IAM_OWNER"}},
			{Roles: []string{"IAM_OWNER"}},
		}},
		{Name: "aggregate", KeyData: good, Memberships: []MembershipConfig{
			{MemberType: "IAM", Roles: []string{"IAM_OWNER"}},
			{MemberType: "Organization", Roles: []string{"IAM_OWNER"}},
		}},
		{Name: "roles", KeyData: good, Memberships: append(system(), system("SYSTEM_OWNER", "GOD", "system_owner")...)},
		{Name: "escalation", KeyData: good, Memberships: []MembershipConfig{
			{MemberType: "Organization", AggregateID: "1", Roles: []string{"SYSTEM_OWNER"}},
		}},
		{Name: "Many", Memberships: []MembershipConfig{{MemberType: "x"}}},
	}
	assertLines(t, "validate", Validate(users), everyFault)
	if _, err := NewRegistry(users, testIssuer, nil); err == nil || err.Error() != Validate(users).Error() {
		t.Errorf("NewRegistry: %v", err)
	}
}

func TestValidateAccepts(t *testing.T) {
	text := publicPEM(t, keys().RSA)
	wrapped := base64.StdEncoding.EncodeToString([]byte(text))
	wrapped = wrapped[:64] + "\n" + wrapped[64:] + "\n"
	users := []Config{
		{Name: strings.Repeat("ü", 200), KeyData: text},
		{Name: "base64", KeyData: wrapped},
		{Name: "reference", KeyData: text, Memberships: []MembershipConfig{
			{MemberType: "system", AggregateID: "ignored", Roles: []string{"SYSTEM_OWNER", "IAM_OWNER", "ORG_OWNER"}},
			{MemberType: "iam", AggregateID: "1", Roles: []string{"SYSTEM_OWNER", "IAM_OWNER"}},
			{MemberType: "ORGANIZATION", AggregateID: "2", Roles: []string{"ORG_OWNER"}},
		}},
	}
	if err := Validate(users); err != nil {
		t.Error(err)
	}
	compiled, err := compile(users)
	if err != nil {
		t.Fatal(err)
	}
	want := []Membership{
		{Type: System, Roles: []string{"SYSTEM_OWNER", "IAM_OWNER", "ORG_OWNER"}},
		{Type: IAM, AggregateID: "1", Roles: []string{"SYSTEM_OWNER", "IAM_OWNER"}},
		{Type: Organization, AggregateID: "2", Roles: []string{"ORG_OWNER"}},
	}
	if d := cmp.Diff(want, compiled["reference"].caller.Memberships); d != "" {
		t.Errorf("memberships (-want +got)\n%s", d)
	}
	want = []Membership{{Type: System, Roles: []string{"SYSTEM_OWNER"}}}
	if d := cmp.Diff(want, compiled["base64"].caller.Memberships); d != "" {
		t.Errorf("no memberships given (-want +got)\n%s", d)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"ops=/a,dev=/b", "{}", "[]", `{"ops":{"path":"/a"}}`, `[{"a":{"KeyData":"QUJD"}},{"b":{"path":1}}]`,
		`{"a":{"memberships":[{"memberType":"IAM","aggregateId":"1","roles":["IAM_OWNER"]}]}}`,
		`{"a":{}`, `[[`, `{{`, `{"a":{"path":"\ud800"}}`, "=", ",", "{\"\":null}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		users, err := Parse(text)
		if err != nil {
			if users != nil {
				t.Errorf("%q: users beside an error", text)
			}
			return
		}
		for _, u := range users {
			if u.Name != strings.ToLower(u.Name) {
				t.Errorf("%q: name %q is not lower case", text, u.Name)
			}
			// What was understood, written as JSON, is understood the same.
			data, err := json.Marshal(map[string]any{u.Name: map[string]any{
				"path": u.Path, "keyData": u.KeyData, "memberships": u.Memberships,
			}})
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(string(data))
			if err != nil || len(again) != 1 {
				t.Fatalf("%q: %s is read as %v, %v", text, data, again, err)
			}
			if utf8.ValidString(text) && !cmp.Equal(u, again[0], cmpopts.EquateEmpty()) {
				t.Errorf("%q: %s is read as %v", text, data, again[0])
			}
		}
	})
}
