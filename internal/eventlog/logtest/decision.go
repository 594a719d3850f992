package logtest

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// The aggregate that [Fold] and [Run] fold events of.
const (
	Instance ident.InstanceID = "1001"
	ID                        = "2002"
	Owner                     = "3003"
	Actor    ident.Actor      = "logtest"
)

// At is the time of the event with a sequence: one minute after the one before.
func At(sequence uint64) time.Time {
	return time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(sequence) * time.Minute)
}

// Refusal is the fault a decision is expected to end with.
type Refusal struct {
	Kind fault.Kind
	ID   string
	// Fields are those of the violations, in order.
	Fields []string
}

// Case is one decision. Then and Fault exclude each other.
type Case[S eventlog.State] struct {
	Name  string
	Given []eventlog.Payload
	When  func(S) ([]eventlog.Payload, error)
	Then  []eventlog.Payload
	Fault *Refusal
	// State is what Given and Then fold into, but for the head; nil checks nothing.
	State *S
}

// Run checks each case in a subtest of its name.
func Run[S eventlog.State](t *testing.T, n *eventlog.Noun[S], cases []Case[S]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { Check(t, n, c) })
	}
}

// Check fails t unless the decision of c ends as expected.
func Check[S eventlog.State](t testing.TB, n *eventlog.Noun[S], c Case[S]) {
	t.Helper()
	got, err := c.When(Fold(t, n, c.Given...))
	if c.Fault != nil {
		CheckRefusal(t, err, *c.Fault)
		if got != nil {
			t.Errorf("refused, yet decided %v", got)
		}
		return
	}
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	if diff := cmp.Diff(c.Then, got); diff != "" {
		t.Fatalf("other events than expected (-want +got):\n%s", diff)
	}
	after := Fold(t, n, append(append([]eventlog.Payload(nil), c.Given...), got...)...)
	if c.State == nil {
		return
	}
	want := *c.State
	reflect.ValueOf(&want).Elem().FieldByName("Head").Set(reflect.ValueOf(after.Stream()))
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("other state than expected (-want +got):\n%s", diff)
	}
}

// Fold returns the state that payloads fold into, as the events of one aggregate from its
// first. It fails t when a payload is not declared by n, when one does not survive being
// written and read back, when the head does not advance, or when folding changes a state
// that was folded before.
func Fold[S eventlog.State](t testing.TB, n *eventlog.Noun[S], payloads ...eventlog.Payload) S {
	t.Helper()
	var direct, read S
	for i, p := range payloads {
		e := eventlog.Event{
			Instance: Instance, Aggregate: eventlog.Aggregate{Type: n.Type, ID: ID}, Owner: Owner, Actor: Actor,
			Sequence: uint64(i + 1), At: At(uint64(i + 1)), Type: p.EventType(), Payload: p,
		}
		before := cmp.Diff(direct, read)
		kept := direct
		direct = n.Apply(direct, e)
		if again := cmp.Diff(kept, read); again != before {
			t.Errorf("folding %s changed the state before it:\n%s", e.Type, again)
		}
		e.Payload = readBack(t, n, p)
		read = n.Apply(read, e)
		if h := direct.Stream(); h.Sequence != e.Sequence || h.ID != ID || !h.ChangedAt.Equal(e.At) {
			t.Errorf("after %s the head is %+v", e.Type, h)
		}
	}
	if diff := cmp.Diff(direct, read); diff != "" {
		t.Errorf("events that were written and read back fold into another state (-written +read):\n%s", diff)
	}
	return direct
}

// readBack writes a payload as the log does and reads it into the type n declares.
func readBack[S eventlog.State](t testing.TB, n *eventlog.Noun[S], p eventlog.Payload) eventlog.Payload {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatalf("write %s: %v", p.EventType(), err)
	}
	for _, declared := range n.Payloads {
		if declared.EventType() != p.EventType() {
			continue
		}
		v := reflect.New(reflect.TypeOf(declared))
		if err := json.Unmarshal(data, v.Interface()); err != nil {
			t.Fatalf("read %s: %v", p.EventType(), err)
		}
		return v.Elem().Interface().(eventlog.Payload)
	}
	t.Fatalf("%s does not declare %s", n.Type, p.EventType())
	return nil
}

// CheckRefusal fails t unless err is the expected fault and each violation says its rule.
func CheckRefusal(t testing.TB, err error, want Refusal) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("err = %v, want fault %s", err, want.ID)
	}
	var fields []string
	for _, v := range f.Violations {
		fields = append(fields, v.Field)
		if v.Rule == "" {
			t.Errorf("the violation of %s names no rule", v.Field)
		}
	}
	if diff := cmp.Diff(want, Refusal{Kind: f.Kind, ID: f.ID, Fields: fields}); diff != "" {
		t.Errorf("other fault than expected (-want +got):\n%s\n%v", diff, f)
	}
	if f.Message == "" {
		t.Errorf("fault %s has no message", f.ID)
	}
}
