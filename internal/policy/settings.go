package policy

import (
	"reflect"
	"time"

	"castellan/internal/defaults"
	"castellan/internal/fault"
)

// Kind is what a policy is about. Its value is the part of the names of its events between the scope and
// what happened.
type Kind string

// The kinds of policies.
const (
	PasswordComplexity Kind = "policy.password.complexity"
	PasswordAge        Kind = "policy.password.age"
	Lockout            Kind = "policy.lockout"
	Domain             Kind = "policy.domain"
	OIDC               Kind = "oidc.settings"
)

// Settings are what a policy of one kind says: [ComplexitySettings] and so on, each a struct of pointers.
// A nil field says nothing, so that what is inherited holds.
type Settings interface {
	settings() Settings
	kind() Kind
	// check returns the fault of a value that is not allowed.
	check() error
}

// ComplexitySettings are what a password must contain.
type ComplexitySettings struct {
	MinLength *uint64 `json:"minLength,omitempty"` // bytes, 1 to 72
	Lower     *bool   `json:"hasLowercase,omitempty"`
	Upper     *bool   `json:"hasUppercase,omitempty"`
	Number    *bool   `json:"hasNumber,omitempty"`
	Symbol    *bool   `json:"hasSymbol,omitempty"`
}

// AgeSettings are how long a password may be used, in days.
type AgeSettings struct {
	WarnDays *uint64 `json:"expireWarnDays,omitempty"`
	MaxDays  *uint64 `json:"maxAgeDays,omitempty"`
}

// LockoutSettings are after how many wrong attempts a user is locked out.
type LockoutSettings struct {
	MaxPasswordAttempts *uint64 `json:"maxPasswordAttempts,omitempty"`
	MaxOTPAttempts      *uint64 `json:"maxOTPAttempts,omitempty"`
	ShowFailures        *bool   `json:"showLockOutFailures,omitempty"`
}

// DomainSettings are what the domains of organizations are used for.
type DomainSettings struct {
	UserLoginMustBeDomain       *bool `json:"userLoginMustBeDomain,omitempty"`
	ValidateOrgDomains          *bool `json:"validateOrgDomains,omitempty"`
	SenderMatchesInstanceDomain *bool `json:"smtpSenderAddressMatchesInstanceDomain,omitempty"`
}

// OIDCSettings are how long tokens live, in nanoseconds.
type OIDCSettings struct {
	AccessTokenLifetime        *time.Duration `json:"accessTokenLifetime,omitempty"`
	IDTokenLifetime            *time.Duration `json:"idTokenLifetime,omitempty"`
	RefreshTokenIdleExpiration *time.Duration `json:"refreshTokenIdleExpiration,omitempty"`
	RefreshTokenExpiration     *time.Duration `json:"refreshTokenExpiration,omitempty"`
}

func (s ComplexitySettings) settings() Settings { return s }
func (s AgeSettings) settings() Settings        { return s }
func (s LockoutSettings) settings() Settings    { return s }
func (s DomainSettings) settings() Settings     { return s }
func (s OIDCSettings) settings() Settings       { return s }

func (ComplexitySettings) kind() Kind { return PasswordComplexity }
func (AgeSettings) kind() Kind        { return PasswordAge }
func (LockoutSettings) kind() Kind    { return Lockout }
func (DomainSettings) kind() Kind     { return Domain }
func (OIDCSettings) kind() Kind       { return OIDC }

// maxMinLength is the greatest length that can be asked for: hashes of other systems, which can be
// imported, look at no more bytes of a password (contract section 8).
const maxMinLength = 72

func (s ComplexitySettings) check() error {
	if s.MinLength != nil && (*s.MinLength < 1 || *s.MinLength > maxMinLength) {
		return fault.Invalid("MODEL-Lsp0e", "Errors.User.PasswordComplexityPolicy.MinLengthNotAllowed",
			"min_length", "must be between 1 and 72")
	}
	return nil
}

func (AgeSettings) check() error     { return nil }
func (LockoutSettings) check() error { return nil }

// check refuses login names with the domain of the organization: nothing makes them yet, and to accept the
// setting would be to promise it.
func (s DomainSettings) check() error {
	if s.UserLoginMustBeDomain != nil && *s.UserLoginMustBeDomain {
		return fault.New(fault.Unimplemented, "POLICY-login1", "Errors.Instance.DomainPolicy.LoginNotSupported").
			WithViolation("user_login_must_be_domain", "must be false: login names have no domains yet")
	}
	return nil
}

func (s OIDCSettings) check() error {
	var refused *fault.Error
	for _, l := range []struct {
		field string
		is    *time.Duration
	}{
		{"access_token_lifetime", s.AccessTokenLifetime},
		{"id_token_lifetime", s.IDTokenLifetime},
		{"refresh_token_idle_expiration", s.RefreshTokenIdleExpiration},
		{"refresh_token_expiration", s.RefreshTokenExpiration},
	} {
		if l.is == nil || *l.is >= time.Second { // tokens are dated in seconds
			continue
		}
		if refused == nil {
			refused = fault.New(fault.InvalidArgument, "INST-10sxks", "Errors.Invalid.Argument")
		}
		refused = refused.WithViolation(l.field, "must be at least one second")
	}
	if refused != nil {
		return refused
	}
	return nil
}

// over returns base, with what top says in place of what it says. They are of one kind; nil says nothing.
func over(base, top Settings) Settings {
	switch {
	case base == nil:
		return top
	case top == nil:
		return base
	}
	return each(base, top, func(b, t reflect.Value) reflect.Value {
		if t.IsNil() {
			return b
		}
		return t
	})
}

// differing returns what wanted says and base does not. They are of one kind.
func differing(wanted, base Settings) Settings {
	return each(base, wanted, func(b, w reflect.Value) reflect.Value {
		if !b.IsNil() && !w.IsNil() && b.Elem().Equal(w.Elem()) {
			return reflect.Zero(b.Type())
		}
		return w
	})
}

// each returns settings whose fields are those that pick chooses of the fields of a and b.
func each(a, b Settings, pick func(a, b reflect.Value) reflect.Value) Settings {
	from, top := reflect.ValueOf(a), reflect.ValueOf(b)
	made := reflect.New(from.Type()).Elem()
	for i := range from.NumField() {
		made.Field(i).Set(pick(from.Field(i), top.Field(i)))
	}
	return made.Interface().(Settings)
}

// The built-in defaults as settings, all of which say something.

func builtInComplexity(set defaults.Set) Settings {
	d := set.PasswordComplexity
	return ComplexitySettings{new(uint64(d.MinLength)), &d.Lower, &d.Upper, &d.Number, &d.Symbol}
}

func builtInAge(set defaults.Set) Settings {
	return AgeSettings{new(uint64(set.PasswordAge.WarnDays)), new(uint64(set.PasswordAge.MaxDays))}
}

func builtInLockout(set defaults.Set) Settings {
	d := set.Lockout
	return LockoutSettings{new(uint64(d.MaxPasswordAttempts)), new(uint64(d.MaxOTPAttempts)), &d.ShowFailures}
}

func builtInDomain(set defaults.Set) Settings {
	d := set.Domain
	return DomainSettings{&d.UserLoginMustBeDomain, &d.ValidateOrgDomains, &d.SenderMatchesInstanceDomain}
}

func builtInOIDC(set defaults.Set) Settings {
	d := set.OIDC
	return OIDCSettings{&d.AccessTokenLifetime, &d.IDTokenLifetime, &d.RefreshTokenIdleExpiration, &d.RefreshTokenExpiration}
}

// The other way round: settings all of which say something, in the terms of the defaults.

func (s ComplexitySettings) value() defaults.PasswordComplexity {
	return defaults.PasswordComplexity{
		MinLength: int(*s.MinLength), Lower: *s.Lower, Upper: *s.Upper, Number: *s.Number, Symbol: *s.Symbol,
	}
}

func (s AgeSettings) value() defaults.PasswordAge {
	return defaults.PasswordAge{MaxDays: int(*s.MaxDays), WarnDays: int(*s.WarnDays)}
}

func (s LockoutSettings) value() defaults.Lockout {
	return defaults.Lockout{
		MaxPasswordAttempts: int(*s.MaxPasswordAttempts), MaxOTPAttempts: int(*s.MaxOTPAttempts), ShowFailures: *s.ShowFailures,
	}
}

func (s DomainSettings) value() defaults.Domain {
	return defaults.Domain{
		UserLoginMustBeDomain: *s.UserLoginMustBeDomain, ValidateOrgDomains: *s.ValidateOrgDomains,
		SenderMatchesInstanceDomain: *s.SenderMatchesInstanceDomain,
	}
}

func (s OIDCSettings) value() defaults.OIDC {
	return defaults.OIDC{
		AccessTokenLifetime: *s.AccessTokenLifetime, IDTokenLifetime: *s.IDTokenLifetime,
		RefreshTokenIdleExpiration: *s.RefreshTokenIdleExpiration, RefreshTokenExpiration: *s.RefreshTokenExpiration,
	}
}
