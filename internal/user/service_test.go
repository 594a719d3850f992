package user

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service on one database with the instances 1 and 2.
type fixture struct {
	*testing.T
	db    store.DB
	clock *ident.ManualClock
	log   *eventlog.Log
	users *Service
}

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// grant gives one slot to a source for ever.
type grant struct{}

func (grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(1, 0, 0)}, nil
}

// plainly hashes nothing, at once.
type plainly struct{}

func (plainly) Hash(_ context.Context, _, password string) (string, error) {
	return "$" + password, nil
}
func (plainly) Verify(_ context.Context, _, encoded, password string) (bool, error) {
	return encoded == "$"+password, nil
}

type policies struct{}

func (policies) PasswordComplexity(context.Context, store.Querier, ident.InstanceID, ident.OrgID) (defaults.PasswordComplexity, error) {
	return defaults.PasswordComplexity{MinLength: 8}, nil
}

var errNoOrg = fault.New(fault.NotFound, "ORG-1MRds", "Errors.Org.NotFound")

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start)}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, Noun)
		f.users = &Service{
			DB: db, Log: f.log, IDs: ident.NewSource(grant{}, f.clock), Clock: f.clock, Passwords: plainly{}, Policies: policies{},
			KeepOrg: func(_ context.Context, _ store.Tx, _ ident.InstanceID, org ident.OrgID) error {
				if org == "gone" {
					return errNoOrg
				}
				return nil
			},
			DomainOwner: func(_ context.Context, _ store.Querier, _ ident.InstanceID, domain string) (ident.OrgID, error) {
				return map[string]ident.OrgID{"acme.example": "7", "other.example": "8"}[domain], nil
			},
		}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.must(f.log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
		}
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// human is a wish in which everything is right.
func (f *fixture) human(id ident.UserID) Create {
	return Create{Org: "7", ID: id, Human: &CreateHuman{AddHuman: AddHuman{
		FirstName: "Ada", LastName: "Lovelace", Email: string(id) + "@acme.example",
	}}}
}

// create makes a user of instance 1.
func (f *fixture) create(wish Create) (State, Codes) {
	f.Helper()
	s, codes, err := f.users.Create(f.Context(), "1", "ada", wish)
	f.must(err)
	return s, codes
}

// saved checks that what a command has returned is what is stored.
func (f *fixture) saved(s State) State {
	f.Helper()
	got, err := Get(f.Context(), f.db, s.Instance, ident.UserID(s.ID))
	f.must(err)
	if diff := cmp.Diff(s, got); diff != "" {
		f.Errorf("what is stored is not what was returned (-returned +stored):\n%s", diff)
	}
	return got
}

// refused checks the id of a fault, and that nothing was written.
func (f *fixture) refused(id string, do func() error) {
	f.Helper()
	before := logtest.Types(f, f.db, f.log, "1")
	err := do()
	if err == nil || fault.Of(err).ID != id {
		f.Errorf("err = %v, want %s", err, id)
	}
	if now := logtest.Types(f, f.db, f.log, "1"); !slices.Equal(before, now) {
		f.Errorf("refused with %s, and wrote %v", id, now[len(before):])
	}
}

func TestCreate(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := f.human("")
		wish.UserName = " Countess "
		wish.Human.Email = "ada@x.example"
		wish.Human.Password = Password{Plain: "long enough", ChangeRequired: true}
		wish.Human.EmailCode, wish.Human.PhoneCode = true, true
		also := 0
		wish.Also = func(_ context.Context, _ *eventlog.Writer, s State) error {
			if s.UserName != "Countess" {
				f.Errorf("what comes with it sees %+v", s)
			}
			also++
			return nil
		}
		s, codes := f.create(wish)
		f.saved(s)
		if s.ID == "" || s.Owner != "7" || s.UserName != "Countess" || s.PasswordHash != "$long enough" ||
			!s.PasswordChangeRequired || !s.PasswordChangedAt.Equal(start) || also == 0 {
			f.Errorf("created %+v", s)
		}
		if len(codes.Email) != codeSize || codes.Phone != "" || len(s.Codes) != 1 || strings.Contains(string(s.Codes[0].Sealed), codes.Email) {
			f.Errorf("codes %+v, kept as %+v", codes, s.Codes)
		}

		machine, _ := f.create(Create{Org: "7", Machine: &AddMachine{Name: "CI", AccessTokenType: JWT, Description: "d"}})
		f.saved(machine)
		if machine.UserName != machine.ID || machine.AccessTokenType != JWT || machine.Description != "d" {
			f.Errorf("created %+v", machine)
		}
		same, _ := f.create(Create{Org: "7", ID: "same", UserName: "same", Machine: &AddMachine{Name: "Same"}})
		if renamed, _, err := f.users.Update(f.Context(), "1", "ada", "same", Update{Change: Change{UserName: is("Same")}}); err != nil || same.UserName != "same" || renamed.UserName != "Same" {
			f.Errorf("called by its own id: %+v, %+v, %v", same, renamed, err)
		}
		if s, _ := f.create(f.human("mine")); s.ID != "mine" || s.UserName != "mine@acme.example" {
			f.Errorf("created %+v", s)
		}
	})
}

func TestCreateRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(f.human("mine"))
		gone, _ := f.create(f.human("gone"))
		_, err := f.users.change(f.Context(), "1", "ada", ident.UserID(gone.ID), Remove{}.Decide)
		f.must(err)
		for name, c := range map[string]struct {
			id     string
			change func(w *Create)
		}{
			"no such organization":          {"ORG-1MRds", func(w *Create) { w.Org = "gone" }},
			"an id that is taken":           {"COMMAND-7yiox1isql", func(w *Create) { w.ID = "mine" }},
			"an id that was removed":        {"COMMAND-7yiox1isql", func(w *Create) { w.ID = "gone" }},
			"an id that another is called":  {"COMMAND-7yiox1isql", func(w *Create) { w.ID = "MINE@acme.example" }},
			"a name that is taken":          {"V3-DKcYh", func(w *Create) { w.UserName = "MINE@acme.example" }},
			"the id of another as a name":   {"V3-DKcYh", func(w *Create) { w.UserName = "mine" }},
			"a domain of another":           {"COMMAND-SFd21", func(w *Create) { w.UserName = "ada@other.example" }},
			"an address of another":         {"COMMAND-SFd21", func(w *Create) { w.Human.Email = "ada@other.example" }},
			"a short password":              {"COMMA-HuJf6", func(w *Create) { w.Human.Password.Plain = "short" }},
			"a hash of an unknown kind":     {"USER-JDk4t", func(w *Create) { w.Human.Password.Hash = "$1$x" }},
			"a language that is none":       {"LANG-jc8Sq", func(w *Create) { w.Human.PreferredLanguage = "?" }},
			"no name":                       {"USER-UCej2", func(w *Create) { w.Human.FirstName = "" }},
			"a machine without a name":      {"COMMAND-bs9Ds", func(w *Create) { w.Human, w.Machine = nil, &AddMachine{} }},
			"what comes with it is refused": {"ORG-1MRds", func(w *Create) { w.Also = func(context.Context, *eventlog.Writer, State) error { return errNoOrg } }},
		} {
			wish := f.human("another")
			c.change(&wish)
			f.refused(c.id, func() error {
				_, codes, err := f.users.Create(f.Context(), "1", "ada", wish)
				if codes != (Codes{}) {
					f.Errorf("%s: codes %+v", name, codes)
				}
				return err
			})
		}
		// The name and the id of a removed user, and of one of another instance, differ: the name is free.
		again := f.human("again")
		again.UserName = "gone@acme.example"
		f.create(again)
		if _, _, err := f.users.Create(f.Context(), "2", "ada", f.human("mine")); err != nil {
			f.Errorf("in another instance: %v", err)
		}
	})
}

// An imported hash is kept as it is.
func TestCreateWithHash(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
		wish := f.human("mine")
		wish.Human.Password.Hash = hash
		if s, _ := f.create(wish); s.PasswordHash != hash {
			f.Errorf("hash %q", s.PasswordHash)
		}
	})
}

func TestUpdate(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(f.human("mine"))
		f.create(f.human("other"))
		f.clock.Advance(time.Minute)
		update := func(u Update) (State, Codes, error) { return f.users.Update(f.Context(), "1", "bob", "mine", u) }

		s, codes, err := update(Update{Change: Change{
			UserName: is("lovelace"), Profile: &Profile{NickName: is("Countess")},
			Email: &Contact{Value: "ada@king.example", Code: true}, Phone: &Contact{Value: "+41791234567", Code: true},
		}})
		f.must(err)
		f.saved(s)
		if s.UserName != "lovelace" || s.NickName != "Countess" || len(codes.Email) != codeSize || len(codes.Phone) != codeSize ||
			!s.ChangedAt.Equal(start.Add(time.Minute)) {
			f.Errorf("updated to %+v with %+v", s, codes)
		}
		verified, err := f.users.Verify(f.Context(), "1", "bob", "mine", ForPhone, codes.Phone)
		f.must(err)
		f.saved(verified)
		if !verified.PhoneVerified || verified.EmailVerified || len(verified.Codes) != 1 {
			f.Errorf("verified to %+v", verified)
		}
		same, _, err := update(Update{Change: Change{UserName: is("lovelace")}})
		f.must(err)
		if same.Sequence != verified.Sequence {
			f.Errorf("nothing changed, and the sequence is %d", same.Sequence)
		}
		f.refused("V3-DKcYh", func() error {
			_, _, err := update(Update{Change: Change{UserName: is("other")}}) // the id of another
			return err
		})
		f.refused("COMMAND-Uch5e", func() error {
			_, _, err := update(Update{Change: Change{Email: &Contact{Value: "ada@king.example"}}, Some: true})
			return err
		})
		f.refused("COMMAND-Uch5e", func() error {
			_, _, err := update(Update{Change: Change{Phone: &Contact{Value: "+41791234567", Verified: true}}, Some: true})
			return err
		})
		f.refused("V3-DKcYh", func() error {
			_, _, err := update(Update{Change: Change{UserName: is("OTHER@acme.example")}})
			return err
		})
		f.refused("COMMAND-SFd21", func() error {
			_, _, err := update(Update{Change: Change{UserName: is("x@other.example")}})
			return err
		})
		f.refused("ORG-1MRds", func() error { // all at once or not at all
			_, _, err := update(Update{
				Change: Change{UserName: is("x")},
				Also:   func(context.Context, *eventlog.Writer, State) error { return errNoOrg },
			})
			return err
		})
		for _, at := range []ident.InstanceID{"1", "2"} {
			f.refused("QUERY-Dfbg2", func() error {
				_, _, err := f.users.Update(f.Context(), at, "bob", map[ident.InstanceID]ident.UserID{"1": "nobody", "2": "mine"}[at], Update{})
				return err
			})
		}
	})
}

func TestCommands(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(Create{Org: "7", ID: "ci", Machine: &AddMachine{Name: "CI"}})
		f.create(f.human("mine"))
		type command = func(context.Context, ident.InstanceID, ident.Actor, ident.UserID) (State, error)
		for _, c := range []struct {
			do     command
			status string
		}{
			{f.users.Deactivate, Inactive},
			{f.users.Reactivate, Active},
			{f.users.Lock, LockedOut},
			{f.users.Unlock, Active},
			{f.users.SkipMFA, Active},
		} {
			s, err := c.do(f.Context(), "1", "bob", "mine")
			f.must(err)
			if f.saved(s); s.Status != c.status {
				f.Errorf("the user is %s, want %s", s.Status, c.status)
			}
		}
		hash := vault.HashSecret("x")
		s, err := f.users.SetSecret(f.Context(), "1", "bob", "ci", hash)
		f.must(err)
		f.saved(s)
		s, err = f.users.RemoveSecret(f.Context(), "1", "bob", "ci")
		f.must(err)
		if f.saved(s); s.SecretHash != nil {
			f.Errorf("secret %x", s.SecretHash)
		}
		f.refused("COMMAND-coi82n", func() error {
			_, err := f.users.RemoveSecret(f.Context(), "1", "bob", "ci")
			return err
		})
		var ids []string
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			ids = nil
			for after := (State{}); ; {
				page, err := PageOfOrg(ctx, tx, f.db.Dialect(), "1", "7", after, 1)
				if err != nil || len(page) == 0 {
					return err
				}
				after, ids = page[0], append(ids, page[0].ID)
			}
		}))
		if !slices.Equal(ids, []string{"ci", "mine"}) {
			f.Errorf("users of the organization: %v", ids)
		}
	})
}
