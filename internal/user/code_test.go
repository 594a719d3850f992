package user

import (
	"strings"
	"testing"
	"time"

	"castellan/internal/fault"
	"castellan/internal/ident"
)

// other returns a code that is not the one given.
func another(code string) string {
	if strings.HasPrefix(code, "A") {
		return "B" + code[1:]
	}
	return "A" + code[1:]
}

func TestCodeCountsOnce(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(f.human("mine"))
		s, code, err := f.users.MakeCode(f.Context(), "1", "bob", "mine", ForEmail, false)
		f.must(err)
		f.saved(s)
		_, newer, err := f.users.MakeCode(f.Context(), "1", "bob", "mine", ForEmail, true)
		f.must(err)
		verify := func(code string) (State, error) {
			return f.users.Verify(f.Context(), "1", "bob", "mine", ForEmail, code)
		}
		if _, err := verify(code); fault.Of(err).ID != "CODE-woT0xc" {
			f.Errorf("the code before the last: %v", err)
		}
		s, err = verify(newer)
		f.must(err)
		if f.saved(s); !s.EmailVerified || s.Codes != nil {
			f.Errorf("verified to %+v", s)
		}
		f.refused("COMMAND-2M9fs", func() error { _, err := verify(newer); return err })
	})
}

func TestCodeAttemptsAreLimited(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(f.human("mine"))
		_, code, err := f.users.MakeCode(f.Context(), "1", "bob", "mine", ForEmail, false)
		f.must(err)
		for range codeAttempts {
			_, err := f.users.Verify(f.Context(), "1", "bob", "mine", ForEmail, another(code))
			if fault.Of(err).ID != "CODE-woT0xc" {
				f.Fatalf("a wrong code: %v", err)
			}
		}
		s, err := Get(f.Context(), f.db, "1", "mine")
		f.must(err)
		if s.Codes[0].Failed != codeAttempts {
			f.Errorf("%d attempts are counted", s.Codes[0].Failed)
		}
		f.refused("COMMAND-2M9fs", func() error {
			_, err := f.users.Verify(f.Context(), "1", "bob", "mine", ForEmail, code)
			return err
		})
	})
}

func TestCodeExpires(t *testing.T) {
	for _, c := range []struct {
		purpose Purpose
		life    time.Duration
	}{{ForEmail, time.Hour}, {ForInvite, 72 * time.Hour}} {
		t.Run(c.life.String(), func(t *testing.T) {
			eachEngine(t, func(f *fixture) {
				for id, late := range map[ident.UserID]time.Duration{"early": -time.Microsecond, "late": 0} {
					f.create(f.human(id))
					_, code, err := f.users.MakeCode(f.Context(), "1", "bob", id, c.purpose, false)
					f.must(err)
					f.clock.Advance(c.life + late)
					s, err := f.users.Verify(f.Context(), "1", "bob", id, c.purpose, code)
					if late < 0 && (err != nil || !s.EmailVerified) {
						f.Errorf("in time: %+v, %v", s, err)
					}
					if late == 0 && fault.Of(err).ID != "CODE-QvUQ4P" {
						f.Errorf("too late: %v", err)
					}
				}
			})
		})
	}
}

// A code is for one user, one purpose and one instance.
func TestCodeIsBound(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(f.human("mine"))
		f.create(f.human("other"))
		_, code, err := f.users.MakeCode(f.Context(), "1", "bob", "mine", ForPassword, false)
		f.must(err)
		_, _, err = f.users.MakeCode(f.Context(), "1", "bob", "other", ForPassword, false)
		f.must(err)
		_, _, err = f.users.MakeCode(f.Context(), "1", "bob", "mine", ForInvite, false)
		f.must(err)
		set := func(id ident.UserID, code string) error {
			_, _, err := f.users.Update(f.Context(), "1", "bob", id, Update{NewPassword: &SetPassword{Password: Password{Plain: "long enough"}, Code: code}})
			return err
		}
		if err := set("other", code); fault.Of(err).ID != "CODE-woT0xc" {
			f.Errorf("for another user: %v", err)
		}
		if _, err := f.users.Verify(f.Context(), "1", "bob", "mine", ForInvite, code); fault.Of(err).ID != "CODE-woT0xc" {
			f.Errorf("for something else: %v", err)
		}
		f.must(set("mine", code))
		s, err := Get(f.Context(), f.db, "1", "mine")
		f.must(err)
		if _, left := s.code(ForPassword); s.PasswordHash != "$long enough" || left {
			f.Errorf("the user became %+v", s)
		}
		f.refused("COMMAND-2M9fs", func() error { return set("mine", code) })
	})
}

func TestMakeCodeRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(Create{Org: "7", ID: "ci", Machine: &AddMachine{Name: "CI"}})
		plain := f.human("plain")
		plain.Human.Phone = "+41791234567"
		f.create(plain)
		known := f.human("known")
		known.Human.EmailVerified, known.Human.Password.Plain = true, "long enough"
		known.Human.Phone, known.Human.PhoneVerified = "+41791234567", true
		f.create(known)
		f.create(f.human("mute"))
		for _, c := range []struct {
			id      ident.UserID
			purpose Purpose
			again   bool
			want    string
		}{
			{"nobody", ForEmail, false, "QUERY-Dfbg2"},
			{"ci", ForPassword, false, "QUERY-Dfbg2"},
			{"known", ForEmail, false, "COMMAND-3M9ds"},
			{"known", ForPhone, false, "COMMAND-2M9sf"},
			{"known", ForInvite, false, "COMMAND-EF34g"},
			{"mute", ForPhone, false, "COMMAND-ieJ2e"},
			{"plain", ForEmail, true, "EMAIL-5w5ilin4yt"},
			{"plain", ForPhone, true, "PHONE-5xrra88eq8"},
		} {
			f.refused(c.want, func() error {
				_, code, err := f.users.MakeCode(f.Context(), "1", "bob", c.id, c.purpose, c.again)
				if code != "" {
					f.Errorf("%+v: a code", c)
				}
				return err
			})
		}
	})
}

func TestSetPassword(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(Create{Org: "7", ID: "ci", Machine: &AddMachine{Name: "CI"}})
		f.create(f.human("mine"))
		set := func(id ident.UserID, p SetPassword) error {
			s, _, err := f.users.Update(f.Context(), "1", "bob", id, Update{NewPassword: &p})
			if err == nil {
				f.saved(s)
			}
			return err
		}
		plain := Password{Plain: "long enough"}
		f.refused("COMMAND-3nJ4t", func() error { return set("mine", SetPassword{Password: plain, Current: "x"}) })
		f.must(set("mine", SetPassword{Password: plain}))
		f.must(set("mine", SetPassword{Password: Password{Plain: "another one", ChangeRequired: true}, Current: "long enough"}))
		f.refused("COMMAND-3M0fs", func() error { return set("mine", SetPassword{Password: plain, Current: "long enough"}) })
		f.refused("COMMA-HuJf6", func() error { return set("mine", SetPassword{Password: Password{Plain: "short"}}) })
		f.refused("COMMAND-3klek4sbns", func() error { return set("mine", SetPassword{}) })
		f.refused("COMMAND-2M9fs", func() error { return set("mine", SetPassword{Password: plain, Code: "ABCDEF"}) })
		f.refused("QUERY-Dfbg2", func() error { return set("ci", SetPassword{Password: plain}) })
		f.refused("QUERY-Dfbg2", func() error { return set("nobody", SetPassword{Password: plain}) })
		s, err := Get(f.Context(), f.db, "1", "mine")
		f.must(err)
		if s.PasswordHash != "$another one" || !s.PasswordChangeRequired {
			f.Errorf("the user is %+v", s)
		}
	})
}
