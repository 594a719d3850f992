package user

import (
	"context"
	"fmt"

	"castellan/internal/defaults"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// CheckPassword returns nil when policy allows the password. Otherwise the fault's id is
// that of the first rule broken, and its violations name all of them (contract section 1.4).
// Lengths count bytes; a symbol is anything but A-Z, a-z and 0-9.
func CheckPassword(policy defaults.PasswordComplexity, field, password string) error {
	var lower, upper, number, symbol bool
	for _, c := range []byte(password) {
		switch {
		case c >= 'a' && c <= 'z':
			lower = true
		case c >= 'A' && c <= 'Z':
			upper = true
		case c >= '0' && c <= '9':
			number = true
		default:
			symbol = true
		}
	}
	rules := []struct {
		broken       bool
		id, key, say string
	}{
		{len(password) < policy.MinLength, "COMMA-HuJf6", "MinLength", fmt.Sprintf("must have at least %d bytes", policy.MinLength)},
		{policy.Lower && !lower, "COMMA-co3Xw", "HasLower", "must contain a lower-case letter"},
		{policy.Upper && !upper, "COMMA-VoaRj", "HasUpper", "must contain an upper-case letter"},
		{policy.Number && !number, "COMMA-ZBv4H", "HasNumber", "must contain a digit"},
		{policy.Symbol && !symbol, "COMMA-ZDLwA", "HasSymbol", "must contain a character that is no letter or digit"},
	}
	var refused *fault.Error
	for _, r := range rules {
		if !r.broken {
			continue
		}
		if refused == nil {
			refused = fault.New(fault.InvalidArgument, r.id, "Errors.User.PasswordComplexityPolicy."+r.key)
		}
		refused = refused.WithViolation(field, r.say)
	}
	if refused == nil {
		return nil
	}
	return refused
}

// Password is the wish for a password: in the clear, or as a hash that was made elsewhere. The zero
// Password is none.
type Password struct {
	Plain          string
	Hash           string // see vault.CheckHash
	ChangeRequired bool
}

// checkPassword returns nil when a password may be set, or none is asked for: otherwise a fault of
// [CheckPassword], or USER-JDk4t for a hash that nothing could be compared with.
func (s *Service) checkPassword(ctx context.Context, q store.Querier, at ident.InstanceID, org ident.OrgID, p Password) error {
	if p.Hash != "" {
		if err := vault.CheckHash(p.Hash); err != nil {
			return fault.Invalid("USER-JDk4t", "Errors.User.Password.NotSupported", FieldHash,
				"must be argon2id in the PHC string format, or bcrypt").WithCause(err)
		}
		return nil
	}
	if p.Plain == "" {
		return nil
	}
	policy, err := s.Policies.PasswordComplexity(ctx, q, at, org)
	if err != nil {
		return err
	}
	return CheckPassword(policy, FieldPassword, p.Plain)
}

// hash returns the hash of a password that checkPassword has allowed; empty of none.
func (s *Service) hash(ctx context.Context, at ident.InstanceID, p Password) (string, error) {
	if p.Hash != "" || p.Plain == "" {
		return p.Hash, nil
	}
	return s.Passwords.Hash(ctx, string(at), p.Plain)
}
