package systemuser

import (
	"strings"
	"testing"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// callerWith is a caller with one membership.
func callerWith(m Membership) Caller { return Caller{Name: "caller", Memberships: []Membership{m}} }

var (
	owner  = callerWith(Membership{Type: System, Roles: []string{"SYSTEM_OWNER"}})
	reads  = []Membership{{Type: System, Roles: []string{"SYSTEM_OWNER_VIEWER"}}}
	ofOne  = Membership{Type: IAM, AggregateID: "1", Roles: []string{"SYSTEM_OWNER"}}
	ofOrg  = Membership{Type: Organization, AggregateID: "10", Roles: []string{"IAM_ORG_MANAGER"}}
	robots = []Membership{{Type: IAM, AggregateID: "1", Roles: []string{"SYSTEM_OWNER_VIEWER"}}}
)

// added is the event of a user with a key of the set.
func added(t testing.TB, memberships ...Membership) Added {
	return Added{PublicKey: publicPEM(t, keys().P256), Memberships: memberships}
}

func TestAdd(t *testing.T) {
	add := func(change func(*Add), by Caller) func(State) ([]eventlog.Payload, error) {
		return func(s State) ([]eventlog.Payload, error) {
			a := Add{Name: "robot", PublicKey: publicPEM(t, keys().P256), Memberships: robots}
			change(&a)
			return a.Decide(s, by, testNow)
		}
	}
	as := func(memberships ...Membership) func(*Add) { return func(a *Add) { a.Memberships = memberships } }
	key := func(text string) func(*Add) { return func(a *Add) { a.PublicKey = text } }
	named := func(name string) func(*Add) { return func(a *Add) { a.Name = name } }
	granted := []eventlog.Payload{added(t, robots...)}
	certificate := certificatePEM(t, keys().RSA, testNow, testNow.Add(time.Hour))
	private, _, err := GenerateKey(KindEd25519)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]Membership, maxMemberships+1)
	for i := range many {
		many[i] = robots[0]
	}
	badKey := &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SYSUSER-key01", Fields: []string{"public_key"}}
	badName := &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SYSUSER-name1", Fields: []string{"id"}}
	badRole := func(field string) *logtest.Refusal {
		return &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SYSUSER-role1", Fields: []string{field}}
	}
	tooMuch := func(field string) *logtest.Refusal {
		return &logtest.Refusal{Kind: fault.PermissionDenied, ID: "SYSUSER-grant", Fields: []string{field}}
	}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "new", When: add(func(*Add) {}, owner), Then: granted,
			State: &State{PublicKey: publicPEM(t, keys().P256), Memberships: robots},
		},
		{
			Name: "again after it was removed", Given: []eventlog.Payload{added(t, reads...), Removed{}},
			When: add(func(*Add) {}, owner), Then: granted,
			State: &State{PublicKey: publicPEM(t, keys().P256), Memberships: robots},
		},
		{
			Name: "is there", Given: granted, When: add(func(*Add) {}, owner),
			Fault: &logtest.Refusal{Kind: fault.AlreadyExists, ID: "SYSUSER-have1", Fields: []string{"id"}},
		},
		{Name: "a certificate", When: add(key(certificate), owner), Then: []eventlog.Payload{Added{PublicKey: certificate, Memberships: robots}}},
		{
			Name: "a key with a comment", When: add(key("of ada\n"+publicPEM(t, keys().P256)+"\n"), owner), Then: granted,
		},
		{Name: "no name", When: add(named(""), owner), Fault: badName},
		{Name: "a name with a space at its end", When: add(named("robot "), owner), Fault: badName},
		{Name: "a name with a line break", When: add(named("ro\nbot"), owner), Fault: badName},
		{Name: "a name that is too long", When: add(named(strings.Repeat("ä", 201)), owner), Fault: badName},
		{Name: "no key", When: add(key(""), owner), Fault: badKey},
		{Name: "a private key", When: add(key(string(private)), owner), Fault: badKey},
		{Name: "two keys", When: add(key(publicPEM(t, keys().P256)+publicPEM(t, keys().RSA)), owner), Fault: badKey},
		{Name: "an endless key", When: add(key(strings.Repeat("x", assertion.MaxKeyFile+1)), owner), Fault: badKey},
		{
			Name: "a certificate of yesterday", Fault: badKey,
			When: add(key(certificatePEM(t, keys().P256, testNow.Add(-2*time.Hour), testNow.Add(-time.Hour))), owner),
		},
		{
			Name: "a certificate of tomorrow", Fault: badKey,
			When: add(key(certificatePEM(t, keys().P256, testNow.Add(time.Hour), testNow.Add(2*time.Hour))), owner),
		},
		{Name: "no membership", When: add(as(), owner), Fault: badRole("memberships")},
		{Name: "too many memberships", When: add(as(many...), owner), Fault: badRole("memberships")},
		{Name: "of nothing", When: add(as(Membership{Roles: []string{"SYSTEM_OWNER"}}), owner), Fault: badRole("memberships[0]")},
		{Name: "no role", When: add(as(reads[0], Membership{Type: System}), owner), Fault: badRole("memberships[1]")},
		{Name: "too many roles", When: add(as(Membership{Type: System, Roles: make([]string, maxRoles+1)}), owner), Fault: badRole("memberships[0]")},
		{Name: "an unknown role", When: add(as(Membership{Type: System, Roles: []string{"X"}}), owner), Fault: badRole("memberships[0]")},
		{Name: "a role that grants nothing", When: add(as(Membership{Type: System, Roles: []string{"ORG_OWNER"}}), owner), Fault: badRole("memberships[0]")},
		{Name: "an instance without an id", When: add(as(Membership{Type: IAM, Roles: []string{"SYSTEM_OWNER"}}), owner), Fault: badRole("memberships[0]")},
		{
			Name: "what is no instance", Fault: badRole("memberships[0]"),
			When: add(as(Membership{Type: IAM, AggregateID: string(ident.System), Roles: []string{"SYSTEM_OWNER"}}), owner),
		},
		{
			Name: "everything, for an organization", Fault: badRole("memberships[0]"),
			When: add(as(Membership{Type: Organization, AggregateID: "10", Roles: []string{"SYSTEM_OWNER"}}), owner),
		},
		{
			Name: "an id for the system is dropped", When: add(as(Membership{Type: System, AggregateID: "1", Roles: reads[0].Roles}), owner),
			Then: []eventlog.Payload{added(t, reads...)},
		},
		{Name: "as much as the caller, of an instance", When: add(as(ofOne), callerWith(ofOne)), Then: []eventlog.Payload{added(t, ofOne)}},
		{Name: "less than the caller, of an instance", When: add(func(*Add) {}, callerWith(ofOne)), Then: granted},
		{Name: "of an organization", When: add(as(ofOrg), callerWith(ofOrg)), Then: []eventlog.Payload{added(t, ofOrg)}},
		{Name: "more than a viewer", When: add(as(ofOne), callerWith(reads[0])), Fault: tooMuch("memberships[0]")},
		{Name: "the second is too much", When: add(as(reads[0], ofOne), callerWith(reads[0])), Fault: tooMuch("memberships[1]")},
		{Name: "a wider scope", When: add(as(reads...), callerWith(ofOne)), Fault: tooMuch("memberships[0]")},
		{
			Name: "another instance", Fault: tooMuch("memberships[0]"),
			When: add(as(Membership{Type: IAM, AggregateID: "2", Roles: reads[0].Roles}), callerWith(ofOne)),
		},
		{
			Name: "an organization with the id of the instance", Fault: tooMuch("memberships[0]"),
			When: add(as(Membership{Type: Organization, AggregateID: "1", Roles: []string{"IAM_USER_MANAGER"}}),
				callerWith(Membership{Type: IAM, AggregateID: "1", Roles: []string{"IAM_USER_MANAGER"}})),
		},
		{
			Name: "what owners of the system do not have themselves", Fault: tooMuch("memberships[0]"),
			When: add(as(Membership{Type: IAM, AggregateID: "1", Roles: []string{"IAM_OWNER"}}), owner),
		},
		{Name: "by nobody", When: add(func(*Add) {}, Caller{}), Fault: tooMuch("memberships[0]")},
	})
}

func TestRotate(t *testing.T) {
	other := publicPEM(t, keys().Ed25519)
	rotate := func(r Rotate, by Caller) func(State) ([]eventlog.Payload, error) {
		return func(s State) ([]eventlog.Payload, error) { return r.Decide(s, by, testNow) }
	}
	given := []eventlog.Payload{added(t, reads...)}
	itself := Caller{Name: logtest.ID}
	none := &logtest.Refusal{Kind: fault.NotFound, ID: "SYSUSER-none1", Fields: []string{"id"}}
	badKeep := &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SYSUSER-keep1", Fields: []string{"keep_previous_for"}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "at once", Given: given, When: rotate(Rotate{PublicKey: other}, owner),
			Then:  []eventlog.Payload{KeyRotated{PublicKey: other}},
			State: &State{PublicKey: other, Memberships: reads},
		},
		{
			Name: "with the one before for a day", Given: given, When: rotate(Rotate{PublicKey: other, Keep: MaxKeep}, owner),
			Then: []eventlog.Payload{KeyRotated{PublicKey: other, PreviousUntil: testNow.Add(24 * time.Hour)}},
			State: &State{
				PublicKey: other, Memberships: reads,
				PreviousKey: publicPEM(t, keys().P256), PreviousUntil: testNow.Add(24 * time.Hour),
			},
		},
		{
			Name:  "a second time, at once",
			Given: append(given, KeyRotated{PublicKey: publicPEM(t, keys().RSA), PreviousUntil: testNow.Add(time.Hour)}),
			When:  rotate(Rotate{PublicKey: other}, owner), Then: []eventlog.Payload{KeyRotated{PublicKey: other}},
			State: &State{PublicKey: other, Memberships: reads},
		},
		{Name: "by itself", Given: given, When: rotate(Rotate{PublicKey: other}, itself), Then: []eventlog.Payload{KeyRotated{PublicKey: other}}},
		{
			Name: "of one who may more", Given: given, When: rotate(Rotate{PublicKey: other}, callerWith(ofOne)),
			Fault: &logtest.Refusal{Kind: fault.PermissionDenied, ID: "SYSUSER-grant", Fields: []string{"memberships[0]"}},
		},
		{Name: "of nobody", When: rotate(Rotate{PublicKey: other}, owner), Fault: none},
		{Name: "of one who is removed", Given: append(given, Removed{}), When: rotate(Rotate{PublicKey: other}, owner), Fault: none},
		{Name: "kept for less than nothing", Given: given, When: rotate(Rotate{PublicKey: other, Keep: -1}, owner), Fault: badKeep},
		{Name: "kept for too long", Given: given, When: rotate(Rotate{PublicKey: other, Keep: MaxKeep + 1}, owner), Fault: badKeep},
		{
			Name: "no key", Given: given, When: rotate(Rotate{PublicKey: "x"}, owner),
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SYSUSER-key01", Fields: []string{"public_key"}},
		},
	})
}

func TestRemove(t *testing.T) {
	remove := func(stays bool) func(State) ([]eventlog.Payload, error) {
		return func(s State) ([]eventlog.Payload, error) { return Remove{}.Decide(s, stays) }
	}
	given := []eventlog.Payload{added(t, reads...)}
	none := &logtest.Refusal{Kind: fault.NotFound, ID: "SYSUSER-none1", Fields: []string{"id"}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "there", Given: given, When: remove(true), Then: []eventlog.Payload{Removed{}}, State: &State{Removed: true}},
		{
			Name: "the last one", Given: given, When: remove(false),
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "SYSUSER-last1", Fields: []string{"id"}},
		},
		{Name: "nobody", When: remove(true), Fault: none},
		{Name: "gone already", Given: append(given, Removed{}), When: remove(true), Fault: none},
	})
}

// TestMemberTypesKeepTheirNames: they are in the log.
func TestMemberTypesKeepTheirNames(t *testing.T) {
	for want, typ := range map[string]MemberType{"system": System, "iam": IAM, "organization": Organization} {
		text, err := typ.MarshalText()
		var back MemberType
		if err != nil || string(text) != want || back.UnmarshalText(text) != nil || back != typ {
			t.Errorf("%d is %q and then %d, %v; want %q", typ, text, back, err, want)
		}
	}
	if _, err := MemberType(0).MarshalText(); err == nil {
		t.Error("the zero type has a name")
	}
	if err := new(MemberType).UnmarshalText([]byte("project")); err == nil {
		t.Error("an unknown type is read")
	}
}
