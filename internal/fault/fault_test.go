package fault_test

import (
	"errors"
	"strings"
	"testing"

	"castellan/internal/fault"
)

func TestPublicNeverCarriesTheCause(t *testing.T) {
	err := fault.New(fault.NotFound, "ORG-1", "organization not found").WithCause(errors.New("secret"))
	if got, want := err.Public(), "organization not found (ORG-1)"; got != want {
		t.Errorf("Public() = %q, want %q", got, want)
	}
	if !strings.Contains(err.Error(), "secret") {
		t.Errorf("Error() = %q, want the cause for the log", err.Error())
	}
}

func TestOfClassifiesUnknownErrorsAsInternal(t *testing.T) {
	cause := errors.New("disk on fire")
	f := fault.Of(cause)
	if f.Kind != fault.Internal || strings.Contains(f.Public(), "fire") {
		t.Errorf("Of = kind %v, public %q; want Internal without the cause", f.Kind, f.Public())
	}
	if !errors.Is(f, cause) {
		t.Error("the cause is lost")
	}
	if fault.Of(nil) != nil {
		t.Error("Of(nil) is not nil")
	}
}

func TestCopiesDoNotShareViolations(t *testing.T) {
	base := fault.Invalid("X-1", "bad", "name", "is empty")
	a := base.WithViolation("a", "rule")
	b := base.WithViolation("b", "rule")
	if a.Violations[1].Field != "a" || b.Violations[1].Field != "b" || len(base.Violations) != 1 {
		t.Errorf("violations leak between copies: %v %v %v", base.Violations, a.Violations, b.Violations)
	}
	if !errors.Is(a.WithCause(errors.New("x")), base) {
		t.Error("a copy no longer equals its original")
	}
}

func TestRenamed(t *testing.T) {
	one := fault.Invalid("X-1", "bad", "domain", "must not be blank").WithViolation("other", "must be so")
	got := fault.Of(fault.Renamed(one, "domain", "custom_domain"))
	if got.Violations[0].Field != "custom_domain" || got.Violations[1].Field != "other" || !errors.Is(got, one) {
		t.Errorf("renamed to %v", got)
	}
	if one.Violations[0].Field != "domain" {
		t.Errorf("the fault itself became %v", one)
	}
	plain := errors.New("none")
	if got := fault.Renamed(plain, "domain", "x"); got != plain { //nolint:errorlint // the very same
		t.Errorf("another error became %v", got)
	}
}
