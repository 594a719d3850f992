package user

import (
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

// Those whose history the tests go on from.
var (
	ada = []eventlog.Payload{HumanAdded{
		UserName: "ada", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Lovelace", Email: "ada@acme.example",
	}}
	ci = []eventlog.Payload{MachineAdded{UserName: "ci", Name: "CI", AccessTokenType: Bearer}}
)

// after is a history with more events.
func after(history []eventlog.Payload, more ...eventlog.Payload) []eventlog.Payload {
	return append(history[:len(history):len(history)], more...)
}

func is[T any](v T) *T { return &v }

var notFound = &logtest.Refusal{Kind: fault.NotFound, ID: "QUERY-Dfbg2"}

func precondition(id string, fields ...string) *logtest.Refusal {
	return &logtest.Refusal{Kind: fault.FailedPrecondition, ID: id, Fields: fields}
}

func TestChangeProfile(t *testing.T) {
	profile := func(p Profile) func(State) ([]eventlog.Payload, error) { return Change{Profile: &p}.Decide }
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "all of it", Given: ada,
			When: profile(Profile{is(" Augusta "), is("King"), is("Countess"), is("Ada King"), is("en_GB"), is(Female)}),
			Then: []eventlog.Payload{ProfileChanged{is("Augusta"), is("King"), is("Countess"), is("Ada King"), is("en-GB"), is(Female)}},
			State: &State{
				Kind: Human, Status: Active, UserName: "ada", FirstName: "Augusta", LastName: "King", NickName: "Countess",
				DisplayName: "Ada King", PreferredLanguage: "en-GB", Gender: Female, Email: "ada@acme.example",
			},
		},
		{Name: "nothing", Given: ada, When: profile(Profile{})},
		{Name: "what it is already", Given: ada, When: profile(Profile{FirstName: is("Ada"), NickName: is(""), Gender: is(GenderUnspecified)})},
		{
			Name: "a blank display name is made of the names", Given: ada, When: profile(Profile{FirstName: is("A."), DisplayName: is(" ")}),
			Then: []eventlog.Payload{ProfileChanged{FirstName: is("A."), DisplayName: is("A. Lovelace")}},
		},
		{Name: "a blank display name that is so", Given: ada, When: profile(Profile{DisplayName: is("")})},
		{
			Name: "a nick name goes", Given: after(ada, ProfileChanged{NickName: is("x")}), When: profile(Profile{NickName: is("")}),
			Then: []eventlog.Payload{ProfileChanged{NickName: is("")}},
		},
		{Name: "no first name", Given: ada, When: profile(Profile{FirstName: is(" ")}), Fault: refused("USER-UCej2", FieldFirstName)},
		{Name: "no last name", Given: ada, When: profile(Profile{LastName: is("")}), Fault: refused("USER-4hB7d", FieldLastName)},
		{Name: "no language", Given: ada, When: profile(Profile{PreferredLanguage: is("klingon!")}), Fault: refused("LANG-jc8Sq", "preferred_language")},
		{Name: "a machine has none", Given: ci, When: profile(Profile{FirstName: is("A")}), Fault: notFound},
	})
}

func TestChangeContacts(t *testing.T) {
	email := func(c Contact) func(State) ([]eventlog.Payload, error) { return Change{Email: &c}.Decide }
	phone := func(c Contact) func(State) ([]eventlog.Payload, error) { return Change{Phone: &c}.Decide }
	called := after(ada, PhoneChanged{"+41791234567"}, PhoneVerified{})
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "another address is not verified", Given: after(ada, EmailVerified{}, EmailCodeAdded{CodeAdded{Sealed: []byte{1}}}),
			When: email(Contact{Value: " ada@king.example "}), Then: []eventlog.Payload{EmailChanged{"ada@king.example"}},
			State: &State{
				Kind: Human, Status: Active, UserName: "ada", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Lovelace",
				Email: "ada@king.example",
			},
		},
		{
			Name: "unless the caller vouches for it", Given: ada, When: email(Contact{Value: "ada@king.example", Verified: true}),
			Then: []eventlog.Payload{EmailChanged{"ada@king.example"}, EmailVerified{}},
		},
		{
			Name: "or for the one that is there", Given: ada, When: email(Contact{Value: "ada@acme.example", Verified: true}),
			Then: []eventlog.Payload{EmailVerified{}},
		},
		{Name: "the same address", Given: after(ada, EmailVerified{}), When: email(Contact{Value: "ada@acme.example", Verified: true})},
		{Name: "no address", Given: ada, When: email(Contact{Value: "ada"}), Fault: refused("EMAIL-599BI", FieldEmail)},
		{Name: "a machine has no address", Given: ci, When: email(Contact{Value: "ada@acme.example"}), Fault: notFound},
		{
			Name: "a number", Given: ada, When: phone(Contact{Value: "0041 79 123 45 67"}), Then: []eventlog.Payload{PhoneChanged{"+41791234567"}},
		},
		{
			Name: "a number the caller vouches for", Given: ada, When: phone(Contact{Value: "+41791234567", Verified: true}),
			Then: []eventlog.Payload{PhoneChanged{"+41791234567"}, PhoneVerified{}},
		},
		{Name: "the same number", Given: called, When: phone(Contact{Value: "+41 (79) 123-45-67", Verified: true})},
		{
			Name: "no number", Given: called, When: phone(Contact{}), Then: []eventlog.Payload{PhoneRemoved{}},
			State: &State{
				Kind: Human, Status: Active, UserName: "ada", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Lovelace",
				Email: "ada@acme.example",
			},
		},
		{Name: "no number where none is", Given: ada, When: phone(Contact{})},
		{Name: "no number, verified", Given: called, When: phone(Contact{Verified: true}), Fault: refused("USERv2-4f3d6", FieldPhone)},
		{Name: "what is no number", Given: ada, When: phone(Contact{Value: "call me"}), Fault: refused("PHONE-so0wa", FieldPhone)},
		{Name: "a machine has no number", Given: ci, When: phone(Contact{Value: "+41791234567"}), Fault: notFound},
	})
}

func TestChangeTheRest(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "user name", Given: ci, When: Change{UserName: is(" robot ")}.Decide, Then: []eventlog.Payload{NameChanged{"robot"}}},
		{Name: "the same user name", Given: ci, When: Change{UserName: is("ci")}.Decide},
		{Name: "in another case", Given: ci, When: Change{UserName: is("CI")}.Decide, Then: []eventlog.Payload{NameChanged{"CI"}}},
		{Name: "no user name", Given: ci, When: Change{UserName: is(" ")}.Decide, Fault: refused("COMMAND-00p2b", "username")},
		{
			Name: "password", Given: after(ada, PasswordCodeAdded{CodeAdded{Sealed: []byte{1}}}),
			When: Change{Password: &NewPassword{Hash: "$h", ChangeRequired: true}}.Decide,
			Then: []eventlog.Payload{PasswordChanged{"$h", true}},
			State: &State{
				Kind: Human, Status: Active, UserName: "ada", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Lovelace",
				Email: "ada@acme.example", PasswordHash: "$h", PasswordChangeRequired: true, PasswordChangedAt: logtest.At(3),
			},
		},
		{Name: "a machine has no password", Given: ci, When: Change{Password: &NewPassword{Hash: "$h"}}.Decide, Fault: notFound},
		{
			Name: "machine", Given: ci, When: Change{Machine: &MachineProfile{is("Robot"), is(" builds "), is(JWT)}}.Decide,
			Then:  []eventlog.Payload{MachineChanged{is("Robot"), is("builds"), is(JWT)}},
			State: &State{Kind: Machine, Status: Active, UserName: "ci", Name: "Robot", Description: "builds", AccessTokenType: JWT},
		},
		{Name: "the same machine", Given: ci, When: Change{Machine: &MachineProfile{is("CI"), is(""), is(Bearer)}}.Decide},
		{Name: "a machine without a name", Given: ci, When: Change{Machine: &MachineProfile{Name: is(" ")}}.Decide, Fault: refused("COMMAND-bs9Ds", "machine.name")},
		{Name: "a human is no machine", Given: ada, When: Change{Machine: &MachineProfile{Name: is("x")}}.Decide, Fault: notFound},
	})
}

func TestPhone(t *testing.T) {
	for phone, want := range map[string]string{
		"+41791234567": "+41791234567", " +41 79-123.45/67 ": "+41791234567", "0041791234567": "+41791234567",
		"+1 (415) 555‑2671": "+14155552671", "+6832000": "+6832000", "+123456789012345": "+123456789012345",
		"0791234567": "", "791234567": "", "+0791234567": "", "+123456": "", "+1234567890123456": "", "+4179+1234567": "",
		"++41791234567": "", "+41791234567x1": "", "tel:+41791234567": "", "+٤١٧٩١٢٣٤٥٦٧": "", "": "", "+": "", "00": "",
	} {
		got, err := checkPhone(phone)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q became %q, %v", phone, got, err)
		}
	}
}

func FuzzPhone(f *testing.F) {
	for _, p := range []string{"+41791234567", "0041 79 (123) 45-67", "+", "00", "abc", "+0"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, phone string) {
		if len(phone) > 1000 {
			return
		}
		got, err := checkPhone(phone)
		if err != nil {
			logtest.CheckRefusal(t, err, *refused("PHONE-so0wa", FieldPhone))
			return
		}
		if again, err := checkPhone(got); err != nil || again != got || got[0] != '+' || len(got) > 1+maxDigits {
			t.Fatalf("%q became %q, which becomes %q, %v", phone, got, again, err)
		}
	})
}
