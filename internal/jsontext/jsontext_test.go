package jsontext

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// FuzzString: a text is written as encoding/json writes it.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", `"\/`, "<a href='x'>&amp;", "\x00\x1f\x7f\n\r\t\b\f", "ü€😀", "\xff\xc3", "\u2028\u2029", "~ "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, literal := range []bool{false, true} {
			w := Writer{Literal: literal}.Begin().String(s, s).End()
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(!literal)
			if err := e.Encode(map[string]string{s: s}); err != nil {
				t.Fatal(err)
			}
			if want := bytes.TrimSuffix(b.Bytes(), []byte("\n")); !bytes.Equal(w.Text, want) {
				t.Errorf("literal %t: %q is written %s, want %s", literal, s, w.Text, want)
			}
		}
	})
}

// TestObjects: so is an object with whatever can be in it.
func TestObjects(t *testing.T) {
	type element struct {
		Text   string `json:"text"`
		Number uint64 `json:"number"`
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		object := struct {
			First   string    `json:"first"`
			Maybe   string    `json:"maybe,omitempty"`
			Int     int64     `json:"int"`
			NotZero int64     `json:"not 0,omitempty"`
			Nil     []string  `json:"nil"`
			None    []string  `json:"none"`
			Texts   []string  `json:"texts"`
			List    []element `json:"list"`
			Any     *element  `json:"any"`
			Last    uint64    `json:"last"`
		}{
			First: text.Draw(t, "first"), Maybe: text.Draw(t, "maybe"), Int: rapid.Int64().Draw(t, "int"), NotZero: rapid.Int64().Draw(t, "not 0"), None: []string{},
			Texts: rapid.SliceOfN(text, 1, 3).Draw(t, "texts"), List: []element{}, Last: rapid.Uint64().Draw(t, "last"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			object.List = append(object.List, element{text.Draw(t, "text"), rapid.Uint64().Draw(t, "number")})
		}
		if rapid.Bool().Draw(t, "any") {
			object.Any = &element{text.Draw(t, "text of any"), 1}
		}
		w := Writer{}.Begin().String("first", object.First).StringUnlessEmpty("maybe", object.Maybe).
			Int("int", object.Int).IntUnlessZero("not 0", object.NotZero).
			Strings("nil", object.Nil).Strings("none", object.None).Strings("texts", object.Texts).BeginList("list")
		for _, e := range object.List {
			w = w.Begin().String("text", e.Text).Uint("number", e.Number).End()
		}
		w = w.EndList().Value("any", object.Any).Uint("last", object.Last).End()
		want, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(w.Text, want) {
			t.Errorf("written is\n%s, want\n%s", w.Text, want)
		}
	})
}
