package journal

import (
	"slices"
	"strings"
	"testing"
)

// declared is an event of a test.
type declared struct {
	Name   string `json:"name"`
	Secret string `json:"secret,omitempty"`
	typ    string
}

func (d declared) EventType() string { return d.typ }

func TestShown(t *testing.T) {
	before := Decisions
	t.Cleanup(func() { Decisions = before })
	Decisions = mustParse("some\tname\tsecret\nnone\t\tname secret\n")
	for _, c := range []struct {
		typ, want string
	}{
		{"some", `{"name":"n"}`},
		{"none", ""},
		{"undecided", ""},
	} {
		got, err := shown(declared{"n", "s", c.typ})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v", c.typ, got, err)
		}
	}
	if got, err := shown(nil); got != nil || err != nil {
		t.Errorf("of nothing %s, %v is shown", got, err)
	}
}

func TestParse(t *testing.T) {
	got, err := parse("a\tx y\tz\nb\t\t\n")
	want := map[string]Decision{"a": {Shown: []string{"x", "y"}, Hidden: []string{"z"}}, "b": {}}
	if err != nil || len(got) != 2 || !slices.Equal(got["a"].Shown, want["a"].Shown) || !slices.Equal(got["a"].Hidden, want["a"].Hidden) {
		t.Errorf("%v, %v", got, err)
	}
	for text, says := range map[string]string{
		"a\tx":         "two lists",
		"a\tx\ty\tz":   "two lists",
		"\tx\ty":       "two lists",
		"":             "two lists",
		"a\t\t\na\t\t": "again",
		"a\tx\tx":      "shows and hides",
	} {
		if all, err := parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a table that is none does not stop the program")
		}
	}()
	mustParse("a")
}

// The names of what must not be shown are hidden wherever they stand.
func TestSecretsAreHidden(t *testing.T) {
	for typ, d := range Decisions {
		for _, name := range d.Shown {
			lower := strings.ToLower(name)
			for _, bad := range []string{"hash", "secret", "password", "private", "sealed", "hashed", "callurl"} {
				policy := bad == "password" && strings.HasPrefix(typ, "instance.policy.")
				branding := name == "privateLabelingSetting" // whose pages are shown, not a secret
				if strings.Contains(lower, bad) && !policy && !branding {
					t.Errorf("%s shows %s", typ, name)
				}
			}
		}
	}
}
