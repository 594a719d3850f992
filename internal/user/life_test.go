package user

import (
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
)

// Every change of state in every state: the event, or the id of the refusal.
func TestLife(t *testing.T) {
	type decide = func(State) ([]eventlog.Payload, error)
	changes := []struct {
		name   string
		decide decide
		event  eventlog.Payload
	}{
		{"deactivate", Deactivate{}.Decide, Deactivated{}},
		{"reactivate", Reactivate{}.Decide, Reactivated{}},
		{"lock", Lock{}.Decide, Locked{}},
		{"unlock", Unlock{}.Decide, Unlocked{}},
		{"remove", Remove{}.Decide, Removed{}},
	}
	states := []struct {
		name    string
		history []eventlog.Payload
		want    [5]string // of each change: the state afterwards, or the id of the refusal
	}{
		{"active", ada, [5]string{Inactive, "COMMAND-s5qqcz97hf", LockedOut, "COMMAND-olb9vb0oca", "removed"}},
		{"inactive", after(ada, Deactivated{}), [5]string{"COMMAND-5gunjw0cd7", Active, "COMMAND-lgws8wtsqf", "COMMAND-olb9vb0oca", "removed"}},
		{"locked", after(ada, Locked{}), [5]string{Inactive, "COMMAND-s5qqcz97hf", "COMMAND-lgws8wtsqf", Active, "removed"}},
	}
	for _, s := range states {
		for i, c := range changes {
			t.Run(c.name+" "+s.name, func(t *testing.T) {
				given := logtest.Case[State]{Given: s.history, When: c.decide, Then: []eventlog.Payload{c.event}}
				state := logtest.Fold(t, Noun, after(s.history, c.event)...)
				switch want := s.want[i]; want {
				case Active, Inactive, LockedOut:
					if state.Status != want {
						t.Errorf("the user is %s, want %s", state.Status, want)
					}
				case "removed":
					if rows := tables[0].Rows(state); rows != nil {
						t.Errorf("a removed user has rows: %v", rows)
					}
				default:
					given.Then, given.Fault = nil, precondition(want)
				}
				logtest.Check(t, Noun, given)
			})
		}
	}
}

func TestImpersonate(t *testing.T) {
	wish := Impersonate{Client: "7", Actor: Actor{User: "8", Issuer: "https://a.example", Actor: &Actor{User: "9"}}}
	event := Impersonated{Client: "7", Actor: wish.Actor}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "active", Given: ada, When: wish.Decide, Then: []eventlog.Payload{event}},
		{Name: "locked", Given: after(ada, Locked{}), When: wish.Decide, Fault: precondition("COMMAND-imp1e")},
	})
}

func TestSecret(t *testing.T) {
	set := SecretSet{Hash: []byte{1}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "set", Given: ci, When: SetSecret{Hash: []byte{1}}.Decide, Then: []eventlog.Payload{set},
			State: &State{Kind: Machine, Status: Active, UserName: "ci", Name: "CI", AccessTokenType: Bearer, SecretHash: []byte{1}},
		},
		{Name: "another", Given: after(ci, set), When: SetSecret{Hash: []byte{2}}.Decide, Then: []eventlog.Payload{SecretSet{Hash: []byte{2}}}},
		{
			Name: "removed", Given: after(ci, set), When: RemoveSecret{}.Decide, Then: []eventlog.Payload{SecretRemoved{}},
			State: &State{Kind: Machine, Status: Active, UserName: "ci", Name: "CI", AccessTokenType: Bearer},
		},
		{Name: "none to remove", Given: ci, When: RemoveSecret{}.Decide, Fault: precondition("COMMAND-coi82n")},
		{Name: "of a human", Given: ada, When: SetSecret{Hash: []byte{1}}.Decide, Fault: precondition("COMMAND-x8910n")},
		{Name: "removed of a human", Given: ada, When: RemoveSecret{}.Decide, Fault: precondition("COMMAND-x8910n")},
	})
}

func TestSkipMFA(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "human", Given: ada, When: SkipMFA{}.Decide, Then: []eventlog.Payload{MFAInitSkipped{}},
			State: &State{
				Kind: Human, Status: Active, UserName: "ada", FirstName: "Ada", LastName: "Lovelace", DisplayName: "Ada Lovelace",
				Email: "ada@acme.example", MFASkippedAt: logtest.At(2),
			},
		},
		{Name: "machine", Given: ci, When: SkipMFA{}.Decide, Fault: notFound},
	})
}
