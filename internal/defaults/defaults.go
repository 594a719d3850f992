// Package defaults holds the versioned sets of built-in defaults (decision D12).
//
// An instance refers to a set by its version and records only what differs, so creating
// one copies nothing. A published set never changes: a new default is a new version, and
// instances keep the one they were created with until they ask for another.
//
// It owns values only. Who applies them, and how an instance or an organization overrides
// one, belongs to the nouns.
package defaults

import "time"

// Set is one version of the built-in defaults (contract section 8, defaults.tsv).
type Set struct {
	Version int
	// Language is used where an instance or a user names none.
	Language string
	// Languages are the supported ones, as base language tags in alphabetical order.
	Languages []string
	// PasswordComplexity is what a password must contain.
	PasswordComplexity PasswordComplexity
	// PasswordAge is how long a password may be used.
	PasswordAge PasswordAge
	// Lockout is how many wrong attempts lock a user out.
	Lockout Lockout
	// Domain is what the domains of organizations are used for.
	Domain Domain
	// OIDC is how long tokens live.
	OIDC OIDC
	// Project names the project that stands for the instance's own APIs, and its applications.
	Project Project
	// Owner is the person who owns an instance, where the one who makes it may leave that open.
	Owner Owner
	// TokenScopes are the scopes of a personal access token made with an instance.
	TokenScopes []string
}

// PasswordComplexity is the policy for new passwords.
type PasswordComplexity struct {
	MinLength int // in bytes
	Lower     bool
	Upper     bool
	Number    bool
	Symbol    bool // anything but A-Z, a-z and 0-9
}

// PasswordAge is the policy for the age of passwords.
type PasswordAge struct {
	MaxDays  int // 0: any age
	WarnDays int // how many days before that a user is told; 0: not at all
}

// Lockout is the policy for wrong attempts, after which a user is locked; 0 is never.
type Lockout struct {
	MaxPasswordAttempts int
	MaxOTPAttempts      int
	// ShowFailures tells a user how many attempts are left.
	ShowFailures bool
}

// Domain is the policy for what the domains of organizations are used for.
type Domain struct {
	// UserLoginMustBeDomain makes the login name of a user the user name, @ and the primary domain of
	// its organization; otherwise it is the user name alone.
	UserLoginMustBeDomain bool
	// ValidateOrgDomains makes an organization prove that a domain is its own before it counts.
	ValidateOrgDomains bool
	// SenderMatchesInstanceDomain makes the sender of mail be at a domain of the instance.
	SenderMatchesInstanceDomain bool
}

// OIDC has the lifetimes of tokens.
type OIDC struct {
	AccessTokenLifetime        time.Duration
	IDTokenLifetime            time.Duration
	RefreshTokenIdleExpiration time.Duration // since it was last used
	RefreshTokenExpiration     time.Duration // since the first of its family was given out
}

// Project is the project every instance starts with.
type Project struct {
	Name    string
	APIs    []string // API applications that authenticate with a private key
	Console string   // the browser application: code flow with PKCE, no secret
}

// Owner is a person. There is no default e-mail address or password.
type Owner struct {
	UserName            string
	FirstName, LastName string
	PreferredLanguage   string
}

// Current is the version new instances refer to.
const Current = 1

var sets = map[int]Set{
	1: {
		Version:  1,
		Language: "en",
		Languages: []string{
			"ar", "bg", "cs", "de", "en", "es", "fr", "hu", "id", "it", "ja", "ko",
			"mk", "nl", "pl", "pt", "ro", "ru", "sv", "tr", "uk", "zh",
		},
		PasswordComplexity: PasswordComplexity{MinLength: 8, Lower: true, Upper: true, Number: true, Symbol: true},
		Lockout:            Lockout{ShowFailures: true},
		OIDC: OIDC{
			AccessTokenLifetime: 12 * time.Hour, IDTokenLifetime: 12 * time.Hour,
			RefreshTokenIdleExpiration: 720 * time.Hour, RefreshTokenExpiration: 2160 * time.Hour,
		},
		Project: Project{
			Name:    "ZITADEL",
			APIs:    []string{"Management-API", "Admin-API", "Auth-API"},
			Console: "Management Console",
		},
		Owner: Owner{UserName: "zitadel-admin", FirstName: "ZITADEL", LastName: "Admin", PreferredLanguage: "en"},
		TokenScopes: []string{
			"openid", "profile", "urn:zitadel:iam:user:metadata", "urn:zitadel:iam:user:resourceowner",
		},
	},
}

// Of returns a version of the defaults; ok is false for a version this build does not know.
func Of(version int) (set Set, ok bool) {
	set, ok = sets[version]
	return set, ok
}
