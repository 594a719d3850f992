package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/ident"
	"castellan/internal/usermetadata"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func (f *fixture) golden(name, got string) {
	f.Helper()
	path := filepath.Join("testdata", name+".json")
	if *update {
		f.must(os.WriteFile(path, []byte(got+"\n"), 0o600))
	}
	want, err := os.ReadFile(path)
	f.must(err)
	if diff := cmp.Diff(string(bytes.TrimSpace(want)), got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

const everything = "openid profile email phone address offline_access urn:zitadel:iam:user:metadata " +
	"urn:zitadel:iam:user:resourceowner urn:zitadel:iam:org:projects:roles urn:zitadel:iam:org:id:1 " +
	"urn:zitadel:iam:org:domain:primary:one.example urn:zitadel:iam:org:project:id:zitadel:aud " +
	"urn:zitadel:iam:org:project:id:11:aud urn:zitadel:iam:org:project:id:12:aud"

// TestShapes holds the whole of what is told to files.
func TestShapes(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for key, value := range map[string]string{"colour": "blue", "empty": "", "bytes": "\x00\xff\xfe"} {
			begin(f, usermetadata.Noun, "m-"+key, "1", usermetadata.Set{User: "ada", Key: key, Value: []byte(value)})
		}
		f.authorize("ada", "10", "", "1", "operator")
		f.authorize("ada", "11", "", "1", "reader", "writer")
		f.authorize("ada", "11", "90", "2", "reader", "admin")
		f.authorize("ada", "12", "", "1", "reader")
		f.authorize("bot", "11", "", "1", "writer")
		for name, s := range map[string]Subject{
			"human-userinfo":      {User: "ada", Scopes: f.scopes(everything), Client: "client"},
			"human-openid":        {User: "ada", Scopes: f.scopes("openid")},
			"human-profile":       {User: "ada", Scopes: f.scopes("openid profile")},
			"human-bare":          {User: "bob", Scopes: f.scopes(everything)},
			"human-introspection": {User: "ada", Scopes: f.scopes("openid email"), Client: "client", Use: Introspection},
			"human-access-token":  {User: "ada", Scopes: f.scopes(everything), Client: "client", Use: AccessToken},
			"human-id-token":      {User: "ada", Scopes: f.scopes(everything), Client: "client", Use: IDToken},
			"human-id-token-only": {User: "ada", Scopes: f.scopes("openid profile"), Client: "client", Use: IDTokenOnly},
			"machine-userinfo":    {User: "bot", Scopes: f.scopes(everything)},
			"machine-pat":         {User: "bot", Scopes: f.scopes("openid profile urn:zitadel:iam:user:metadata urn:zitadel:iam:user:resourceowner"), Client: "client", Use: Introspection},
		} {
			f.golden(name, f.about(s))
		}
	})
}

// roles returns the claims of roles of ada.
func (f *fixture) roles(s Subject) map[string]any {
	f.Helper()
	var told, found map[string]any
	f.must(json.Unmarshal([]byte(f.about(s)), &told))
	for name, value := range told {
		if name != "sub" {
			if found == nil {
				found = make(map[string]any)
			}
			found[name] = value
		}
	}
	return found
}

// in is a role, or roles, of one organization in JSON.
func in(domains map[string]any, keys ...string) map[string]any {
	m := make(map[string]any)
	for _, k := range keys {
		m[k] = domains
	}
	return m
}

var (
	inOne  = map[string]any{"1": "one.example"}
	inTwo  = map[string]any{"2": "two.example"}
	inBoth = map[string]any{"1": "one.example", "2": "two.example"}
)

const (
	of11 = "urn:zitadel:iam:org:project:11:roles"
	of12 = "urn:zitadel:iam:org:project:12:roles"
	mine = "urn:zitadel:iam:org:project:roles"
)

func TestWhichRolesAreTold(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.authorize("ada", "11", "", "1", "reader", "writer")
		f.authorize("ada", "11", "90", "2", "reader")
		f.authorize("ada", "12", "", "1", "reader")
		f.authorize("bot", "11", "", "1", "admin")
		both11 := map[string]any{"reader": inBoth, "writer": inOne}
		for name, c := range map[string]struct {
			scopes, client string
			use            Use
			want           map[string]any
		}{
			"nobody asks":         {"openid", "client", Userinfo, nil},
			"an audience alone":   {"urn:zitadel:iam:org:project:id:12:aud", "client", Userinfo, nil},
			"all, of no audience": {ProjectsRoles, "client", Userinfo, nil},
			"all of an audience": {ProjectsRoles + " urn:zitadel:iam:org:project:id:12:aud", "", Userinfo,
				map[string]any{of12: in(inOne, "reader")}},
			"all of an audience, with a client": {ProjectsRoles + " urn:zitadel:iam:org:project:id:12:aud", "client", Userinfo,
				map[string]any{of12: in(inOne, "reader"), of11: both11, mine: both11}},
			"a role, of the client": {"urn:zitadel:iam:org:project:role:writer", "client", Userinfo,
				map[string]any{of11: in(inOne, "writer"), mine: in(inOne, "writer")}},
			"a role, of an audience": {"urn:zitadel:iam:org:project:role:reader urn:zitadel:iam:org:project:id:12:aud", "", Userinfo,
				map[string]any{of12: in(inOne, "reader")}},
			"a role that is not held":   {"urn:zitadel:iam:org:project:role:admin", "client", Userinfo, nil},
			"a role without a client":   {"urn:zitadel:iam:org:project:role:reader", "", Userinfo, nil},
			"a project that is not":     {ProjectsRoles + " urn:zitadel:iam:org:project:id:99:aud", "", Userinfo, nil},
			"of one organization":       {"urn:zitadel:iam:org:project:role:reader urn:zitadel:iam:org:roles:id:2", "client", Userinfo, map[string]any{of11: in(inTwo, "reader"), mine: in(inTwo, "reader")}},
			"of another organization":   {"urn:zitadel:iam:org:project:role:reader urn:zitadel:iam:org:roles:id:3", "client", Userinfo, nil},
			"introspection, unasked":    {"openid", "client", Introspection, map[string]any{of11: both11, mine: both11}},
			"introspection, of others":  {ProjectsRoles + " urn:zitadel:iam:org:project:id:12:aud", "client", Introspection, map[string]any{of11: both11, mine: both11}},
			"introspection, by name":    {"urn:zitadel:iam:org:project:role:writer", "client", Introspection, map[string]any{of11: in(inOne, "writer"), mine: in(inOne, "writer")}},
			"introspection, no project": {ProjectsRoles, "", Introspection, nil},
		} {
			got := f.roles(Subject{User: "ada", Scopes: f.scopes(c.scopes), Client: c.client, Use: c.use})
			if diff := cmp.Diff(c.want, got); diff != "" {
				f.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// TestSettingsTellRoles switches on what projects and clients can say.
func TestSettingsTellRoles(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.authorize("ada", "11", "", "1", "reader")
		uses := []Use{Userinfo, AccessToken, IDToken}
		told := func(use Use) bool {
			return f.roles(Subject{User: "ada", Scopes: f.scopes("openid"), Client: "client", Use: use}) != nil
		}
		for sql, want := range map[string]Use{
			`UPDATE projects SET role_assertion = $1 WHERE project_id = '11'`: Userinfo,
			`UPDATE apps SET access_token_roles = $1`:                         AccessToken,
			`UPDATE apps SET id_token_roles = $1`:                             IDToken,
		} {
			f.exec(sql, true)
			for _, use := range uses {
				if told(use) != (use == want) {
					f.Errorf("use %d after %s: %v", use, sql, told(use))
				}
			}
			f.exec(sql, false)
		}
		identified := Subject{User: "ada", Scopes: f.scopes("profile"), Client: "client", Use: IDToken}
		if got := f.roles(identified); got != nil {
			f.Errorf("an ID token identifies: %v", got)
		}
		f.exec(`UPDATE apps SET id_token_userinfo = $1`, true)
		if got := f.roles(identified); got["name"] != "Ada Lovelace" {
			f.Errorf("an ID token does not identify: %v", got)
		}
	})
}

// TestOnlyWhatIsActiveGivesRoles switches off, one at a time, everything that roles come from.
func TestOnlyWhatIsActiveGivesRoles(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.authorize("bob", "11", "90", "2", "reader", "admin")
		s := Subject{User: "bob", Scopes: f.scopes("urn:zitadel:iam:org:project:role:reader urn:zitadel:iam:org:project:role:admin"), Client: "client"}
		want := map[string]any{of11: in(inTwo, "reader"), mine: in(inTwo, "reader")} // the grant has no admin
		check := func(name string, want map[string]any) {
			f.Helper()
			if diff := cmp.Diff(want, f.roles(s)); diff != "" {
				f.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		check("at first", want)
		for _, thing := range []string{
			"authorizations SET state = $1 WHERE user_id = 'bob'", "project_grants SET state = $1 WHERE grant_id = '90'",
			"projects SET state = $1 WHERE project_id = '11'", "orgs SET state = $1 WHERE org_id = '1'",
		} {
			f.exec("UPDATE "+thing, "inactive")
			check(thing, nil)
			f.exec("UPDATE "+thing, "active")
			check(thing+" again", want)
		}
		f.exec(`DELETE FROM project_grants`)
		check("without the grant", nil)
	})
}

func TestWhoMayNotAct(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		refused := func(name string, at ident.InstanceID, id ident.UserID) {
			f.Helper()
			if told, err := f.claims.About(f.Context(), at, Subject{User: id}); !errors.Is(err, ErrInactive) || told != nil {
				f.Errorf("%s: %v, %v", name, told, err)
			}
		}
		for _, missing := range [][2]string{{"eve", "web"}, {"ada", "nobody"}} {
			if err := f.claims.Admits(f.Context(), f.db, "A", ident.UserID(missing[0]), missing[1]); !errors.Is(err, ErrInactive) {
				f.Errorf("%s by %s: %v", missing[0], missing[1], err)
			}
		}
		refused("nobody", "A", "eve")
		refused("another instance", "B", "ada")
		for _, state := range []string{"inactive", "locked"} {
			f.exec(`UPDATE users SET state = $1 WHERE user_id = 'ada'`, state)
			refused(state, "A", "ada")
		}
		f.exec(`UPDATE orgs SET state = 'inactive' WHERE org_id = '2'`)
		refused("the organization", "A", "bob")
		f.about(Subject{User: "bot"})
	})
}

// TestOrganizationsThatAreNot asks for an organization that is not that of the user.
func TestOrganizationsThatAreNot(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		got := f.about(Subject{User: "bob", Scopes: f.scopes("urn:zitadel:iam:org:id:1 urn:zitadel:iam:org:domain:primary:one.example")})
		if want := "{\n  \"sub\": \"bob\"\n}"; got != want {
			f.Errorf("%s", got)
		}
	})
}

func TestAudience(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		audience := func(own bool, projects ...ident.ProjectID) []string {
			f.Helper()
			got, err := f.claims.Audience(f.Context(), "A", projects, own)
			f.must(err)
			return got
		}
		f.reads.reads = 0
		if got := audience(false); got != nil || f.reads.reads > 0 {
			f.Errorf("of nothing: %v, %d reads", got, f.reads.reads)
		}
		for name, c := range map[string]struct{ got, want []string }{
			"two":         {audience(false, "12", "11"), []string{"12", "11"}},
			"the own":     {audience(true), []string{"10"}},
			"both":        {audience(true, "12"), []string{"12", "10"}},
			"own by name": {audience(true, "10", "12"), []string{"10", "12"}},
			"twice":       {audience(false, "12", "12"), []string{"12"}},
			"none":        {audience(false, "99", "https://evil.example"), nil},
			"some":        {audience(false, "99", "11"), []string{"11"}},
		} {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				f.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		f.exec(`UPDATE projects SET state = 'inactive' WHERE project_id = '10'`)
		if got := audience(true, "10", "11"); !cmp.Equal(got, []string{"11"}) {
			f.Errorf("of a project that is inactive: %v", got)
		}
		f.exec(`UPDATE orgs SET state = 'inactive' WHERE org_id = '1'`)
		if got := audience(true, "11"); got != nil {
			f.Errorf("of projects whose organization is inactive: %v", got)
		}
	})
}
