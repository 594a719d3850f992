package user

import (
	"strings"
	"testing"

	"castellan/internal/defaults"
	"castellan/internal/eventlog/logtest"
)

func TestCheckPassword(t *testing.T) {
	const length, lower, upper, number, symbol = "COMMA-HuJf6", "COMMA-co3Xw", "COMMA-VoaRj", "COMMA-ZBv4H", "COMMA-ZDLwA"
	cases := []struct {
		password string
		broken   []string // all rules broken, the first of which names the fault
	}{
		{"Secret1!", nil},
		{"Pässw0rd", nil}, // a letter outside A-Z and a-z is a symbol
		{"пароль-Aa1", nil},
		{"🎉Aa1🎉", nil},    // 11 bytes, 5 characters: bytes count
		{"Aa1 5678", nil}, // a space is a symbol
		{strings.Repeat("Aa1!", 50), nil},
		{"Secre1!", []string{length}},
		{"SECRET1!", []string{lower}},
		{"secret1!", []string{upper}},
		{"Secrets!", []string{number}},
		{"Secret12", []string{symbol}},
		{"ÄÖÜ1x!!!", []string{upper}}, // upper case means A-Z
		{"١٢٣Aa!!!", []string{number}},
		{"aaaaaaaa", []string{upper, number, symbol}},
		{"AAAA", []string{length, lower, number, symbol}},
		{"", []string{length, lower, upper, number, symbol}},
		{"\x00\x00\x00\x00\x00\x00\x00\x00", []string{lower, upper, number}},
	}
	set, _ := defaults.Of(defaults.Current)
	for _, c := range cases {
		err := CheckPassword(set.PasswordComplexity, "f", c.password)
		if c.broken == nil {
			if err != nil {
				t.Errorf("%q: %v", c.password, err)
			}
			continue
		}
		fields := make([]string, len(c.broken))
		for i := range fields {
			fields[i] = "f"
		}
		logtest.CheckRefusal(t, err, *refused(c.broken[0], fields...))
		if err != nil && c.password != "" && strings.Contains(err.Error(), c.password) {
			t.Errorf("the refusal quotes the password: %v", err)
		}
	}
}

func TestCheckPasswordFollowsThePolicy(t *testing.T) {
	if err := CheckPassword(defaults.PasswordComplexity{}, "f", ""); err != nil {
		t.Errorf("a policy without rules refuses: %v", err)
	}
	if err := CheckPassword(defaults.PasswordComplexity{MinLength: 3, Number: true}, "f", "123"); err != nil {
		t.Errorf("refused: %v", err)
	}
	err := CheckPassword(defaults.PasswordComplexity{MinLength: 3, Number: true}, "f", "ab")
	logtest.CheckRefusal(t, err, *refused("COMMA-HuJf6", "f", "f"))
}

func FuzzCheckPassword(f *testing.F) {
	for _, p := range []string{"Secret1!", "", "ü", "aA1 ", "\x00"} {
		f.Add(p)
	}
	set, _ := defaults.Of(defaults.Current)
	f.Fuzz(func(t *testing.T, password string) {
		if len(password) > 1000 {
			return
		}
		const lowers, uppers, numbers = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
		allowed := len(password) >= 8 && strings.ContainsAny(password, lowers) && strings.ContainsAny(password, uppers) &&
			strings.ContainsAny(password, numbers) && strings.Trim(password, lowers+uppers+numbers) != ""
		if err := CheckPassword(set.PasswordComplexity, "f", password); (err == nil) != allowed {
			t.Fatalf("%q: %v, want allowed = %v", password, err, allowed)
		}
	})
}
