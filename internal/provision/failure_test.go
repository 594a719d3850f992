package provision

import (
	"context"
	"crypto/rsa"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// wantsUnchanged fails unless nothing in the database has changed since before was dumped.
func (f *fixture) wantsUnchanged(what string, before map[string][]string) {
	f.Helper()
	if diff := cmp.Diff(before, f.dump()); diff != "" {
		f.Errorf("%s has left (-before +after):\n%s", what, diff)
	}
}

func invalid(id string, fields ...string) *logtest.Refusal {
	return &logtest.Refusal{Kind: fault.InvalidArgument, ID: id, Fields: fields}
}

const noOwner = "INSTANCE-z1yi2q2ot7"

var past = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// badWishes are changes of a good wish, and the fault each ends with.
var badWishes = map[string]struct {
	base   func() SetUp
	change func(*SetUp)
	want   *logtest.Refusal
}{
	"no owner":     {machine, func(w *SetUp) { w.Machine = nil }, invalid(noOwner, "owner")},
	"two owners":   {machine, func(w *SetUp) { w.Human = human().Human }, invalid(noOwner, "owner")},
	"no name":      {machine, func(w *SetUp) { w.InstanceName = "" }, invalid("INST-092mid", "instance_name")},
	"blank name":   {machine, func(w *SetUp) { w.InstanceName = " \t" }, invalid("INST-092mid", "instance_name")},
	"blank org":    {machine, func(w *SetUp) { w.OrgName = " " }, invalid("ORG-mruNY", "first_org_name")},
	"bad domain":   {machine, func(w *SetUp) { w.CustomDomain = "a_b" }, invalid("INST-S3v3w", "custom_domain")},
	"bad language": {machine, func(w *SetUp) { w.DefaultLanguage = "?" }, invalid("LANG-jc8Sq", "default_language")},
	"language that is not supported": {
		machine, func(w *SetUp) { w.DefaultLanguage = "tlh" }, invalid("LANG-lg4DP", "default_language"),
	},
	"machine without name": {machine, func(w *SetUp) { w.Machine.Name = "" }, invalid("COMMAND-bs9Ds", "machine.name")},
	"machine without user name": {
		machine, func(w *SetUp) { w.Machine.UserName = "" }, invalid("COMMAND-bm9Ds", "machine.user_name"),
	},
	"machine without both": {
		machine, func(w *SetUp) { w.Machine.UserName, w.Machine.Name = "", "" },
		&logtest.Refusal{Kind: fault.FailedPrecondition, ID: "PROJE-hzxwo", Fields: []string{"machine.user_name", "machine.name"}},
	},
	"token that has ended": {
		machine, func(w *SetUp) { w.Machine.Token.ExpiresAt = past },
		invalid("DOMAIN-dv3t5", "machine.personal_access_token.expiration_date"),
	},
	"key that has ended": {
		machine, func(w *SetUp) { w.Machine.Key.ExpiresAt = past },
		invalid("DOMAIN-dv3t5", "machine.machine_key.expiration_date"),
	},
	"human without first name": {
		human, func(w *SetUp) { w.Human.FirstName = "" }, invalid("USER-UCej2", "human.profile.first_name"),
	},
	"human without last name": {
		human, func(w *SetUp) { w.Human.LastName = "" }, invalid("USER-4hB7d", "human.profile.last_name"),
	},
	"human without address": {human, func(w *SetUp) { w.Human.Email = "" }, invalid("EMAIL-spblu", "human.email.email")},
	"human with bad address": {
		human, func(w *SetUp) { w.Human.Email = "ada" }, invalid("EMAIL-599BI", "human.email.email"),
	},
	"weak password": {
		human, func(w *SetUp) { w.Human.Password = "secret1!" }, invalid("COMMA-VoaRj", "human.password.password"),
	},
}

// A bad wish is refused as a whole, before anything slow is done, and leaves nothing.
func TestRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		before := f.dump()
		for name, c := range badWishes {
			wish := c.base()
			c.change(&wish)
			k := key(name, "request")
			r, err := f.service.SetUp(f.Context(), actor, wish, &k)
			logtest.CheckRefusal(f, err, *c.want)
			if diff := cmp.Diff(Result{}, r); diff != "" {
				f.Errorf("%s: refused, yet returned:\n%s", name, diff)
			}
			f.wantsUnchanged(name, before)
		}
		if p, k := f.passwords.calls.Load(), f.keys.calls.Load(); p != 0 || k != 0 {
			f.Errorf("%d passwords were hashed and %d keys taken for nothing", p, k)
		}
	})
}

func TestCustomDomainTaken(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := machine()
		wish.CustomDomain = "login.acme.example"
		r := f.mustSetUp(wish)
		before, keys := f.dump(), f.keys.calls.Load()
		for _, again := range []string{"login.acme.example", "LOGIN.acme.Example", f.get(r.Instance).Domains[0].Name} {
			wish.CustomDomain = again
			_, err := f.service.SetUp(f.Context(), actor, wish, nil)
			logtest.CheckRefusal(f, err, logtest.Refusal{
				Kind: fault.AlreadyExists, ID: "V3-DKcYh", Fields: []string{"custom_domain"},
			})
			f.wantsUnchanged("a taken domain", before)
		}
		person := human()
		person.CustomDomain = wish.CustomDomain
		_, err := f.service.SetUp(f.Context(), actor, person, nil)
		logtest.CheckRefusal(f, err, logtest.Refusal{
			Kind: fault.AlreadyExists, ID: "V3-DKcYh", Fields: []string{"custom_domain"},
		})
		if p, k := f.passwords.calls.Load(), f.keys.calls.Load()-keys; p != 0 || k != 0 {
			f.Errorf("%d passwords were hashed and %d keys taken for taken domains", p, k)
		}

		// What is wrong with the wish itself is told first.
		person.Human.FirstName = ""
		_, err = f.service.SetUp(f.Context(), actor, person, nil)
		logtest.CheckRefusal(f, err, *invalid("USER-UCej2", "human.profile.first_name"))
	})
}

// A domain that is taken after the look at it is refused by its table, and a call whose twin has
// taken it gets the answer of the twin.
func TestCustomDomainTakenMeanwhile(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := machine()
		wish.CustomDomain = "login.acme.example"
		whole := f.service
		f.service.Keys = afterKey{f.keys, func() {
			_, err := whole.SetUp(f.Context(), actor, wish, nil)
			f.must(err)
		}}
		_, err := f.service.SetUp(f.Context(), actor, wish, nil)
		logtest.CheckRefusal(f, err, logtest.Refusal{
			Kind: fault.AlreadyExists, ID: "V3-DKcYh", Fields: []string{"custom_domain"},
		})
		if n := f.instances(); n != 1 {
			f.Errorf("%d instances, want that of the other call", n)
		}

		// The twin comes between the first look for an answer and the look at the domain.
		wish.CustomDomain = "twin.acme.example"
		k := key("k", "request")
		var twin Result
		f.service = whole
		f.service.IDs = ident.NewSource(grantsAfter(func(ctx context.Context) error {
			var err error
			twin, err = whole.SetUp(ctx, actor, wish, &k)
			return err
		}), f.clock)
		r, err := f.service.SetUp(f.Context(), actor, wish, &k)
		f.must(err)
		if diff := cmp.Diff(twin, r); diff != "" || r.Instance == "" {
			f.Errorf("the twins' results differ (-first +second):\n%s", diff)
		}
		logtest.CheckFold(f, f.service.DB, f.service.Log)
	})
}

// grantsAfter gives a grant of its own once it has been called.
type grantsAfter func(ctx context.Context) error

func (g grantsAfter) Claim(ctx context.Context, now time.Time) (ident.Grant, error) {
	if err := g(ctx); err != nil {
		return ident.Grant{}, err
	}
	return grants(99).Claim(ctx, now)
}

// What fails on the way, before the transaction or during it, comes back as it is and leaves
// nothing.
func TestFailures(t *testing.T) {
	busy := fault.New(fault.ResourceExhausted, "VAULT-busy1", "busy")
	broken := errors.New("broken")
	fails := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	cases := map[string]struct {
		wish SetUp
		flaw func(f *fixture, cancel func())
		want error
	}{
		"hasher is busy": {human(), func(f *fixture, _ func()) { f.passwords.fail = fails(busy) }, busy},
		"no key":         {machine(), func(f *fixture, _ func()) { f.keys.fail = fails(broken) }, broken},
		"no ids": {machine(), func(f *fixture, _ func()) {
			f.service.IDs = ident.NewSource(noGrants{}, f.clock)
		}, store.ErrUnavailable},
		"no randomness": {machine(), func(f *fixture, _ func()) { f.service.Random = iotest.ErrReader(broken) }, broken},
		"randomness ends": {machine(), func(f *fixture, _ func()) {
			f.service.Random = &script{bytes: []byte{1, 2}, after: iotest.ErrReader(io.EOF)}
		}, io.EOF},
		"context ended before":         {machine(), func(_ *fixture, cancel func()) { cancel() }, context.Canceled},
		"context ended before, no key": {machine(), func(_ *fixture, cancel func()) { cancel() }, context.Canceled},
		"context ends while hashing": {human(), func(f *fixture, cancel func()) {
			f.passwords.fail = func(ctx context.Context) error { cancel(); return ctx.Err() }
		}, context.Canceled},
		"context ends before the transaction": {machine(), func(f *fixture, cancel func()) {
			f.service.Keys = afterKey{f.keys, cancel}
		}, context.Canceled},
	}
	eachEngine(t, func(f *fixture) {
		f.mustSetUp(machine())
		before := f.dump()
		whole := f.service
		for name, c := range cases {
			f.service = whole
			f.passwords.fail, f.keys.fail = nil, nil
			ctx, cancel := context.WithCancel(f.Context())
			c.flaw(f, cancel)
			k := key(name, "request")
			using := &k
			if name == "context ended before, no key" {
				using = nil
			}
			r, err := f.service.SetUp(ctx, actor, c.wish, using)
			cancel()
			if !errors.Is(err, c.want) {
				f.Errorf("%s: SetUp = %v, want %v", name, err, c.want)
			}
			if diff := cmp.Diff(Result{}, r); diff != "" {
				f.Errorf("%s: failed, yet returned:\n%s", name, diff)
			}
			f.wantsUnchanged(name, before)
		}
	})
}

type noGrants struct{}

func (noGrants) Claim(context.Context, time.Time) (ident.Grant, error) {
	return ident.Grant{}, store.ErrUnavailable
}

// afterKey does something, such as ending a context, when a key has been taken.
type afterKey struct {
	keys *keys
	do   func()
}

func (c afterKey) Take(ctx context.Context) (*rsa.PrivateKey, error) {
	defer c.do()
	return c.keys.Take(ctx)
}

// A transaction that fails at any of its statements leaves nothing, and the same key can be
// used for the next try.
func TestFailureAtAnyStatement(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.mustSetUp(machine())
		before := f.dump()
		sound := f.service.DB
		k := key("k", "request")
		wish := machine()
		wish.CustomDomain = "login.acme.example"
		for statement := int64(0); ; statement++ {
			broken := &flawed{DB: sound}
			broken.left.Store(statement)
			f.use(broken)
			_, err := f.service.SetUp(f.Context(), actor, wish, &k)
			f.use(sound)
			if err == nil {
				// As many statements as it has: keys, 24 events, rows, the answer.
				if statement < 40 || statement > 80 {
					f.Errorf("a set-up has %d statements", statement)
				}
				break
			}
			if !errors.Is(err, errFlaw) {
				f.Fatalf("at statement %d: %v", statement, err)
			}
			f.wantsUnchanged("a failure", before)
		}
		logtest.CheckFold(f, f.service.DB, f.service.Log)
	})
}

// A generated domain that another instance has gets another suffix; a source that only
// repeats itself is given up on.
func TestGeneratedDomainCollides(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := human()
		wish.Human.Password = ""
		f.service.Random = &script{bytes: make([]byte, 6), after: iotest.ErrReader(io.EOF)}
		first := f.mustSetUp(wish)
		if d := f.get(first.Instance).Domains[0].Name; d != "acme-aaaaaa.id.example" {
			f.Fatalf("domain %s", d)
		}
		f.service.Random = &script{
			bytes: []byte{0, 0, 0, 0, 0, 0, 36, 72, 252, 255, 1, 1, 1, 35}, after: iotest.ErrReader(io.EOF),
		}
		second := f.mustSetUp(wish)
		if d := f.get(second.Instance).Domains[0].Name; d != "acme-aabbb9.id.example" {
			f.Errorf("domain %s, want the second suffix without what would favour some letters", d)
		}
		before := f.dump()
		zeros := &script{bytes: make([]byte, 18), after: iotest.ErrReader(io.EOF)}
		f.service.Random = zeros
		_, err := f.service.SetUp(f.Context(), actor, wish, nil)
		logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.Aborted, ID: "V3-DKcYh"})
		f.wantsUnchanged("a collision", before)
		if len(zeros.bytes) != 0 {
			f.Errorf("given up with %d of 18 bytes left, want 3 tries", len(zeros.bytes))
		}

		// The custom domain is free, the generated one is not: only the latter changes.
		wish.CustomDomain = "login.acme.example"
		f.service.Random = &script{bytes: []byte{0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2}, after: iotest.ErrReader(io.EOF)}
		third := f.mustSetUp(wish)
		if s := f.get(third.Instance); len(s.Domains) != 2 || s.Domains[0].Name != "acme-cccccc.id.example" {
			f.Errorf("domains %+v", s.Domains)
		}
	})
}
