package user

import (
	"strings"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func (a AddHuman) when(State) ([]eventlog.Payload, error)   { return a.Decide() }
func (a AddMachine) when(State) ([]eventlog.Payload, error) { return a.Decide() }

func refused(id string, fields ...string) *logtest.Refusal {
	return &logtest.Refusal{Kind: fault.InvalidArgument, ID: id, Fields: fields}
}

// human is a wish in which everything is right; change makes it another.
func human(change func(*AddHuman)) func(State) ([]eventlog.Payload, error) {
	a := AddHuman{
		UserName: "ada", Domain: "acme.localhost", FirstName: "Ada", LastName: "Lovelace",
		PreferredLanguage: "en", Email: "ada@acme.example",
	}
	if change != nil {
		change(&a)
	}
	return a.when
}

func TestAddHuman(t *testing.T) {
	added := HumanAdded{
		UserName: "ada", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Lovelace",
		PreferredLanguage: "en", Email: "ada@acme.example",
	}
	with := func(change func(*HumanAdded)) []eventlog.Payload {
		p := added
		change(&p)
		return []eventlog.Payload{p}
	}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "without a password", When: human(nil), Then: []eventlog.Payload{added},
			State: &State{
				Status: Active, Kind: Human, UserName: "ada", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Lovelace",
				PreferredLanguage: "en", Email: "ada@acme.example",
			},
		},
		{
			Name: "with a password to be changed and a verified address",
			When: human(func(a *AddHuman) { a.PasswordHash, a.PasswordChangeRequired, a.EmailVerified = "$hash", true, true }),
			Then: append(with(func(p *HumanAdded) { p.PasswordHash, p.ChangeRequired = "$hash", true }), EmailVerified{}),
			State: &State{
				Status: Active, Kind: Human, UserName: "ada", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Lovelace",
				PreferredLanguage: "en", Email: "ada@acme.example", EmailVerified: true,
				PasswordHash: "$hash", PasswordChangeRequired: true, PasswordChangedAt: logtest.At(1),
			},
		},
		{
			Name: "without a password there is none to change",
			When: human(func(a *AddHuman) { a.PasswordChangeRequired = true }),
			Then: []eventlog.Payload{added},
		},
		{
			Name: "without a user name",
			When: human(func(a *AddHuman) { a.UserName = " " }),
			Then: with(func(p *HumanAdded) { p.UserName = "@acme.localhost" }),
		},
		{
			Name: "without a language",
			When: human(func(a *AddHuman) { a.PreferredLanguage = "" }),
			Then: with(func(p *HumanAdded) { p.PreferredLanguage = "" }),
		},
		{
			Name: "without a language that is one",
			When: human(func(a *AddHuman) { a.PreferredLanguage = "klingon" }),
			Then: with(func(p *HumanAdded) { p.PreferredLanguage = "" }),
		},
		{
			Name: "surrounding space goes, but that of the user name; names in any script stay",
			When: human(func(a *AddHuman) {
				a.UserName, a.FirstName, a.LastName = " Ада ", "\tАда\n", "\u00a0ラブレス 🎉 e\u0301 "
				a.Email, a.PreferredLanguage = " ada@acme.example ", "DE_ch"
			}),
			Then: with(func(p *HumanAdded) {
				p.UserName, p.FirstName, p.LastName, p.DisplayName = " Ада ", "Ада", "ラブレス 🎉 e\u0301", "Ада ラブレス 🎉 e\u0301"
				p.PreferredLanguage = "de-CH"
			}),
		},
	})
}

func TestAddHumanRefusals(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "no first name", When: human(func(a *AddHuman) { a.FirstName = "" }),
			Fault: refused("USER-UCej2", "human.profile.first_name"),
		},
		{
			Name: "blank first name", When: human(func(a *AddHuman) { a.FirstName = "\u2003" }),
			Fault: refused("USER-UCej2", "human.profile.first_name"),
		},
		{
			Name: "no last name", When: human(func(a *AddHuman) { a.LastName = " " }),
			Fault: refused("USER-4hB7d", "human.profile.last_name"),
		},
		{
			Name: "no names at all", When: AddHuman{}.when,
			Fault: refused("USER-UCej2", "human.profile.first_name"),
		},
	})
}

func TestEmail(t *testing.T) {
	cases := map[string]string{ // address to the id of the fault, empty: allowed
		"ada@acme.example":          "",
		"ada+tag@acme.example":      "",
		"a@b":                       "",
		"ADA@ACME.example":          "",
		"o'brien@acme.example":      "",
		"用户@例子.广告":                  "",
		"ü@ü.example":               "",
		"a@[127.0.0.1]":             "",
		"":                          "EMAIL-spblu",
		" \t\n":                     "EMAIL-spblu",
		"ada":                       "EMAIL-599BI",
		"ada@":                      "EMAIL-599BI",
		"@acme.example":             "EMAIL-599BI",
		"ada@acme@example":          "EMAIL-599BI",
		"ada lovelace@acme.example": "EMAIL-599BI",
		"ada@acme example":          "EMAIL-599BI",
		"a..b@acme.example":         "EMAIL-599BI",
		".a@acme.example":           "EMAIL-599BI",
		"a@b..c":                    "EMAIL-599BI",
		"Ada <ada@acme.example>":    "EMAIL-599BI",
		"<ada@acme.example>":        "EMAIL-599BI",
		"ada@acme.example (Ada)":    "EMAIL-599BI",
		`"a b"@acme.example`:        "EMAIL-599BI",
		"a@b.example,c@d.example":   "EMAIL-599BI",
		"a\x00@b.example":           "EMAIL-599BI",
		"a@b.example\r\nBcc: c@d.e": "EMAIL-599BI",
	}
	for address, id := range cases {
		events, err := human(func(a *AddHuman) { a.Email = address })(State{})
		if id != "" {
			logtest.CheckRefusal(t, err, *refused(id, "human.email.email"))
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		if got := events[0].(HumanAdded).Email; got != address {
			t.Errorf("%q became %q", address, got)
		}
	}
}

func FuzzEmail(f *testing.F) {
	for _, a := range []string{
		"ada@acme.example", "A <a@b>", `"a"@b`, "a@[::1]", "a@b (c)", "ü@ü", "=?utf-8?q?a?=@b", "a@b,c@d", "a:b@c;", "\xff@b", "",
	} {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if len(address) > 1000 {
			return
		}
		wish := AddHuman{FirstName: "A", LastName: "B", Email: address}
		events, err := wish.Decide()
		if err != nil {
			id := "EMAIL-599BI"
			if strings.TrimSpace(address) == "" {
				id = "EMAIL-spblu"
			}
			logtest.CheckRefusal(t, err, *refused(id, "human.email.email"))
			return
		}
		got := events[0].(HumanAdded).Email
		local, domain, _ := cutLast(got)
		if local == "" || domain == "" || strings.ContainsAny(got, "\x00\r\n<>") || got != strings.TrimSpace(address) {
			t.Fatalf("%q became %q", address, got)
		}
		wish.Email = got
		if again, err := wish.Decide(); err != nil || again[0].(HumanAdded).Email != got {
			t.Fatalf("%q became %q, which is refused: %v", address, got, err)
		}
	})
}

func cutLast(address string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return address, "", false
	}
	return address[:i], address[i+1:], true
}

func TestAddMachine(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "opaque tokens", When: AddMachine{UserName: " ci ", Name: "CI 機械 "}.when,
			Then:  []eventlog.Payload{MachineAdded{UserName: " ci ", Name: "CI 機械", AccessTokenType: "bearer"}},
			State: &State{Status: Active, Kind: Machine, UserName: " ci ", Name: "CI 機械", AccessTokenType: "bearer"},
		},
		{Name: "no name", When: AddMachine{UserName: "ci", Name: " "}.when, Fault: refused("COMMAND-bs9Ds", "machine.name")},
		{Name: "no user name", When: AddMachine{UserName: "\t", Name: "CI"}.when, Fault: refused("COMMAND-bm9Ds", "machine.user_name")},
		{
			Name: "neither", When: AddMachine{UserName: " "}.when,
			Fault: &logtest.Refusal{
				Kind: fault.FailedPrecondition, ID: "PROJE-hzxwo", Fields: []string{"machine.user_name", "machine.name"},
			},
		},
	})
}

// The login key is what makes user names unique: two that differ in case only share it.
func TestRows(t *testing.T) {
	key := func(name string) any {
		s := logtest.Fold(t, Noun, MachineAdded{UserName: name, Name: "n", AccessTokenType: "bearer"})
		return Noun.Tables[0].Rows(s)[0][len(Noun.Tables[0].Key)+1]
	}
	for _, pair := range [][2]string{{"Ada", "aDA"}, {"ÄÖÜ", "äöü"}, {"АДА", "ада"}, {" Ada", " ada"}} {
		if a, b := key(pair[0]), key(pair[1]); a != b {
			t.Errorf("%q and %q have the login keys %q and %q", pair[0], pair[1], a, b)
		}
	}
	for _, other := range []string{"adá", " ada", "ada "} {
		if key("ada") == key(other) {
			t.Errorf("%q and %q share a login key", "ada", other)
		}
	}
}

func TestRowsMatchColumns(t *testing.T) {
	s := logtest.Fold(t, Noun, MachineAdded{UserName: "u", Name: "n", AccessTokenType: "bearer"})
	table := Noun.Tables[0]
	if got, want := len(table.Rows(s)[0]), len(strings.Split(table.Columns(), ", ")); got != want {
		t.Errorf("a row has %d values for %d columns", got, want)
	}
}
