package claims

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/ident"
)

func TestParseScopes(t *testing.T) {
	for text, want := range map[string]Scopes{
		"":                              nil,
		"   ":                           nil,
		"openid":                        {"openid"},
		" openid  profile openid ":      {"openid", "profile"},
		"b a":                           {"b", "a"},
		"!#[]~":                         {"!#[]~"},
		strings.Repeat("a", maxScope):   {strings.Repeat("a", maxScope)},
		strings.Repeat("a ", 4096):      {"a"},
		"urn:zitadel:iam:user:metadata": {Metadata},
	} {
		got, err := ParseScopes(text)
		if err != nil {
			t.Errorf("%.80q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.80q (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseScopesRefuses(t *testing.T) {
	var many strings.Builder
	for i := range MaxScopes + 1 {
		many.WriteString(strconv.Itoa(i) + " ")
	}
	for _, text := range []string{
		"a\tb", "a\nb", "a\x00", `a"b`, `a\b`, "\x7f", "é", "a\u00a0b", "\xff", "a,b\x1f",
		strings.Repeat("a", maxScope+1), many.String(), strings.Repeat("a ", MaxScopeBytes/2) + "a",
	} {
		if got, err := ParseScopes(text); !errors.Is(err, ErrScope) || got != nil {
			t.Errorf("%.80q is read as %.80q, %v", text, got, err)
		}
	}
}

func TestWish(t *testing.T) {
	for text, want := range map[string]Wish{
		"":                                   {},
		"openid profile email":               {OpenID: true, Profile: true, Email: true},
		"phone address offline_access other": {Phone: true, Address: true, OfflineAccess: true},
		"urn:zitadel:iam:user:metadata urn:zitadel:iam:user:resourceowner urn:zitadel:iam:org:projects:roles": {
			Metadata: true, ResourceOwner: true, ProjectsRoles: true,
		},
		"urn:zitadel:iam:org:project:role:reader urn:zitadel:iam:org:project:role:a:b": {Roles: []string{"reader", "a:b"}},
		"urn:zitadel:iam:org:project:id:7:aud urn:zitadel:iam:org:project:id:zitadel:aud urn:zitadel:iam:org:project:id:8:aud": {
			Projects: []ident.ProjectID{"7", "8"}, OwnProject: true,
		},
		"urn:zitadel:iam:org:roles:id:1 urn:zitadel:iam:org:roles:id:2": {RolesOf: []ident.OrgID{"1", "2"}},
		"urn:zitadel:iam:org:id:1 urn:zitadel:iam:org:domain:primary:a.example urn:zitadel:iam:org:idp:id:9": {
			Org: "1", OrgDomain: "a.example", IdentityProvider: "9",
		},
		// What names nothing, or is not closed, asks for nothing.
		"urn:zitadel:iam:org:project:id::aud urn:zitadel:iam:org:project:id:7 urn:zitadel:iam:org:project:role: urn:zitadel:iam:org:id:": {},
		"OPENID Openid urn:zitadel:iam:user:metadata:": {},
	} {
		scopes, err := ParseScopes(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, scopes.Wish()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestScopesAreNarrowed(t *testing.T) {
	s := Scopes{"openid", "magic", "urn:zitadel:iam:org:id:1", "urn:zitadel:iam:org:id:2", "urn:zitadel:iam:org:domain:primary:A.example",
		"urn:zitadel:iam:org:domain:primary:b.example", Metadata}
	for name, c := range map[string]struct{ got, want Scopes }{
		"known":   {Scopes{"openid", "magic", "urn:zitadel:iam:org:id:", Metadata}.Known(), Scopes{"openid", Metadata}},
		"within":  {s.Within(Scopes{"email", Metadata}, Scopes{"magic"}), Scopes{"magic", Metadata}},
		"of none": {s.Within(), nil},
		"of org": {s.OfOrg("1", "a.example"), Scopes{"openid", "magic", "urn:zitadel:iam:org:id:1",
			"urn:zitadel:iam:org:domain:primary:A.example", Metadata}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	named := Scopes{"openid", AudienceScope("7"), AudienceScope("8"), OwnAudienceScope, projectIDPrefix + "9", ProjectsRoles}
	for audience, want := range map[string]Scopes{
		"7": {"openid", AudienceScope("7"), projectIDPrefix + "9", ProjectsRoles}, "": {"openid", projectIDPrefix + "9", ProjectsRoles},
		"8": {"openid", AudienceScope("8"), OwnAudienceScope, projectIDPrefix + "9", ProjectsRoles},
	} {
		if got := named.Meant([]string{audience}, "8"); !slices.Equal(got, want) {
			t.Errorf("meant for %s: %q", audience, got)
		}
	}
	if got := (Scopes{AudienceScope("7"), OwnAudienceScope}).Wish(); len(got.Projects) != 1 || got.Projects[0] != "7" || !got.OwnProject {
		t.Errorf("%+v", got)
	}
}

// FuzzParseScopes holds that what is read is within the limits, has no repetition and comes back
// from the form it is written in.
func FuzzParseScopes(f *testing.F) {
	for _, seed := range []string{"", "openid profile", " a  a ", "urn:zitadel:iam:org:project:id:zitadel:aud", "a\tb", "\xff", strings.Repeat("x ", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2*MaxScopeBytes {
			t.Skip()
		}
		got, err := ParseScopes(text)
		if err != nil {
			if !errors.Is(err, ErrScope) || got != nil || !utf8.ValidString(err.Error()) {
				t.Fatalf("%q: %q, %v", text, got, err)
			}
			return
		}
		if len(got) > MaxScopes {
			t.Fatalf("%d scopes", len(got))
		}
		again, err := ParseScopes(got.String())
		if err != nil || !cmp.Equal(got, again) {
			t.Fatalf("%q is read as %q, and that as %q, %v", text, got, again, err)
		}
		if known := got.Known(); len(known) > len(got) || !cmp.Equal(known.Wish(), got.Wish()) {
			t.Fatalf("%q: dropping what is unknown changes the wish", got)
		}
	})
}
