package hostname

import (
	"errors"
	"strings"
	"testing"
)

func TestForms(t *testing.T) {
	long, longest := strings.Repeat("a", 63), strings.Repeat("a.", 126)+"a"
	for _, c := range []struct {
		text, ascii, unicode string
		err                  error
	}{
		{text: "example.com", ascii: "example.com", unicode: "example.com"},
		{text: " Login.EXAMPLE.com\n", ascii: "login.example.com", unicode: "login.example.com"},
		{text: "Bücher.example", ascii: "xn--bcher-kva.example", unicode: "bücher.example"},
		{text: "XN--BCHER-KVA.example", ascii: "xn--bcher-kva.example", unicode: "bücher.example"},
		{text: "bu\u0308cher.example", ascii: "xn--bcher-kva.example", unicode: "bücher.example"},
		{text: "日本語。example", ascii: "xn--wgv71a119e.example", unicode: "日本語.example"},
		{text: "localhost", ascii: "localhost", unicode: "localhost"},
		{text: long + ".example", ascii: long + ".example", unicode: long + ".example"},
		{text: "127.0.0.1", err: ErrAddress},
		{text: "[::1]", err: ErrAddress},
		{text: "١٢٧.٠.٠.١", err: ErrSyntax},
		{text: "１２７.０.０.１", err: ErrAddress},
		{text: "a b.example", err: ErrSyntax},
		{text: "https://a.example", err: ErrSyntax},
		{text: "a.example:80", err: ErrSyntax},
		{text: "a_b.example", err: ErrSyntax},
		{text: "\xff.example", err: ErrSyntax},
		{text: "xn--a.example", err: ErrSyntax},
		{text: "", err: ErrLength},
		{text: " \t ", err: ErrLength},
		{text: strings.Repeat("a.", 127), err: ErrLength},
		{text: longest, ascii: longest, unicode: longest},
		{text: "a..example", err: ErrLabel},
		{text: "a.example.", err: ErrLabel},
		{text: "-a.example", err: ErrSyntax},
		{text: long + "a.example", err: ErrLabel},
	} {
		if got, err := ASCII(c.text); got != c.ascii || !errors.Is(err, c.err) {
			t.Errorf("%q is %q, %v; want %q, %v", c.text, got, err, c.ascii, c.err)
		}
		if got, err := Unicode(c.text); got != c.unicode || !errors.Is(err, c.err) {
			t.Errorf("%q is written %q, %v; want %q, %v", c.text, got, err, c.unicode, c.err)
		}
	}
}

// Whatever the text, a name is within the limits and its form is that of itself.
func FuzzForms(f *testing.F) {
	for _, seed := range []string{"example.com", "Bücher.example", "xn--bcher-kva", "a..b", "\xff", "日本語。example", "xn--a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return
		}
		ascii, err := ASCII(text)
		if err != nil {
			return
		}
		if again, err := ASCII(ascii); err != nil || again != ascii || len(ascii) > MaxName {
			t.Fatalf("%q is %q, and that %q, %v", text, ascii, again, err)
		}
		shown, err := Unicode(text)
		if err != nil {
			return
		}
		if back, err := ASCII(shown); err != nil || back != ascii {
			t.Fatalf("%q is shown as %q, which is %q, %v; want %q", text, shown, back, err, ascii)
		}
	})
}
