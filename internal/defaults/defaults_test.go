package defaults

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/text/language"
)

func TestOf(t *testing.T) {
	for version := 1; version <= Current; version++ {
		set, ok := Of(version)
		if !ok || set.Version != version {
			t.Errorf("version %d is set %d, known: %v", version, set.Version, ok)
		}
	}
	for _, unknown := range []int{0, -1, Current + 1} {
		if _, ok := Of(unknown); ok {
			t.Errorf("version %d is known", unknown)
		}
	}
}

func TestEverySetIsWhole(t *testing.T) {
	for version, set := range sets {
		if !slices.Contains(set.Languages, set.Language) || !slices.IsSorted(set.Languages) {
			t.Errorf("version %d: language %q of %v", version, set.Language, set.Languages)
		}
		for _, l := range set.Languages {
			if tag, err := language.Parse(l); err != nil || tag.String() != l {
				t.Errorf("version %d: %q is no base language: %v", version, l, err)
			}
		}
		p := set.Project
		if p.Name == "" || p.Console == "" || len(p.APIs) == 0 || slices.Contains(p.APIs, p.Console) {
			t.Errorf("version %d: project %+v", version, p)
		}
		if set.PasswordComplexity.MinLength < 1 || set.PasswordComplexity.MinLength > 72 {
			t.Errorf("version %d: passwords of at least %d bytes", version, set.PasswordComplexity.MinLength)
		}
	}
}

// A published set never changes; this one is contract section 8.
func TestVersion1(t *testing.T) {
	set, _ := Of(1)
	want := PasswordComplexity{MinLength: 8, Lower: true, Upper: true, Number: true, Symbol: true}
	if set.PasswordComplexity != want || set.Language != "en" || len(set.Languages) != 22 {
		t.Errorf("set 1 = %+v", set)
	}
	if (set.PasswordAge != PasswordAge{} || set.Lockout != Lockout{ShowFailures: true} || set.Domain != Domain{}) {
		t.Errorf("policies of set 1 = %+v", set)
	}
	const hour = time.Hour
	if (set.OIDC != OIDC{
		AccessTokenLifetime: 12 * hour, IDTokenLifetime: 12 * hour,
		RefreshTokenIdleExpiration: 720 * hour, RefreshTokenExpiration: 2160 * hour,
	}) {
		t.Errorf("lifetimes of set 1 = %+v", set.OIDC)
	}
	if set.Project.Name != "ZITADEL" || set.Project.Console != "Management Console" ||
		!slices.Equal(set.Project.APIs, []string{"Management-API", "Admin-API", "Auth-API"}) {
		t.Errorf("project of set 1 = %+v", set.Project)
	}
	if (set.Owner != Owner{UserName: "zitadel-admin", FirstName: "ZITADEL", LastName: "Admin", PreferredLanguage: "en"}) {
		t.Errorf("owner of set 1 = %+v", set.Owner)
	}
	if !slices.Equal(set.TokenScopes, []string{
		"openid", "profile", "urn:zitadel:iam:user:metadata", "urn:zitadel:iam:user:resourceowner",
	}) {
		t.Errorf("token scopes of set 1 = %v", set.TokenScopes)
	}
}
