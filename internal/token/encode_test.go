package token

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"castellan/internal/ident"
	"castellan/internal/session"
)

// drawToken makes any token that can be issued.
func drawToken(t *rapid.T) Token {
	text := rapid.String()
	texts := rapid.SliceOfN(text, 1, 5)
	seconds := rapid.Int64Range(0, maxSeconds)
	when := func(label string) time.Time { return time.Unix(seconds.Draw(t, label), 0).UTC() }
	list := func(label string) []string {
		if rapid.Bool().Draw(t, label+" empty") {
			return nil
		}
		return texts.Draw(t, label)
	}
	tok := Token{
		Session: ident.SessionID(text.Draw(t, "session")), Number: rapid.Uint64Min(1).Draw(t, "number"),
		Issued: when("issued"), Expires: when("expires"),
		Facts: session.Facts{
			User: ident.UserID(text.Draw(t, "user")), Client: text.Draw(t, "client"),
			Audience: list("audience"), Scopes: list("scopes"), Methods: list("methods"),
			AuthTime: when("auth time"), Thumbprint: text.Draw(t, "thumbprint"),
		},
	}
	for range rapid.IntRange(0, 3).Draw(t, "actors") {
		tok.Actor = &session.Actor{User: ident.UserID(text.Draw(t, "actor")), Issuer: text.Draw(t, "issuer"), Actor: tok.Actor}
	}
	for range rapid.IntRange(1, session.MaxGrounds).Draw(t, "grounds") {
		tok.Grounds = append(tok.Grounds, session.Ground{
			Kind: rapid.SampledFrom(kinds[1:]).Draw(t, "kind"), User: ident.UserID(text.Draw(t, "holder")),
			Client: text.Draw(t, "of"), ID: text.Draw(t, "id"),
			Session: ident.SessionID(text.Draw(t, "source")), Number: rapid.Uint64().Draw(t, "of number"),
		})
	}
	tok.ID = session.AccessID(tok.Session, tok.Number)
	return tok
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawToken(t)
		content := want.encode(nil)
		got, err := decode(content)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-written +read)\n%s", diff)
		}
		for i := range content {
			if part, err := decode(content[:i]); err == nil {
				t.Fatalf("the first %d of %d bytes are read as %+v", i, len(content), part)
			}
		}
		if more, err := decode(append(content, 0)); err == nil {
			t.Fatalf("with a byte more it is read as %+v", more)
		}
	})
}

// TestEveryKindHasANumber: a ground of a kind without one could not be written.
func TestEveryKindHasANumber(t *testing.T) {
	for kind := range statements {
		known := false
		for _, k := range kinds[1:] {
			known = known || k == kind
		}
		if known == (kind == userOnly) {
			t.Errorf("kind %q has a number: %v", kind, known)
		}
	}
	if len(statements) != len(kinds) {
		t.Errorf("%d statements for %d kinds", len(statements), len(kinds)-1)
	}
}

func FuzzDecode(f *testing.F) {
	tok := Token{Session: "1", Number: 1, Facts: facts()}
	tok.Actor = &session.Actor{User: "a", Actor: &session.Actor{User: "b"}}
	f.Add(tok.encode(nil))
	f.Add([]byte{format})
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, content []byte) {
		tok, err := decode(content)
		if err != nil {
			if diff := cmp.Diff(Token{}, tok); diff != "" {
				t.Errorf("something beside an error: %s", diff)
			}
			return
		}
		if again := tok.encode(nil); !bytes.Equal(again, content) {
			t.Errorf("%x is read as what is written %x", content, again)
		}
	})
}
