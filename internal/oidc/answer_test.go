package oidc

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestAnswersAreWrittenAsEver: an answer is, byte for byte, what encoding/json makes of its fields.
func TestAnswersAreWrittenAsEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.Just("a<&>b"), rapid.String())
		a := tokenAnswer{
			text.Draw(t, "access"), text.Draw(t, "type"), rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "seconds"),
			text.Draw(t, "refresh"), text.Draw(t, "scope"), text.Draw(t, "id"), text.Draw(t, "issued"),
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(a); err != nil {
			t.Fatal(err)
		}
		if got := a.json(nil); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("written is\n%s, want\n%s", got, want.Bytes())
		}
	})
}
