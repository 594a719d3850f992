package store_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"castellan/internal/store"
)

func TestArg(t *testing.T) {
	type (
		name  string
		count uint32
		flag  bool
		blob  []byte
	)
	text, null := "pointed to", (*string)(nil)
	pointer := &text
	for _, c := range []struct{ arg, want any }{
		{"text", "text"},
		{"", ""},
		{name("named"), "named"},
		{7, int64(7)},
		{int8(-7), int64(-7)},
		{int64(math.MinInt64), int64(math.MinInt64)},
		{count(math.MaxUint32), int64(math.MaxUint32)},
		{uint64(math.MaxInt64), int64(math.MaxInt64)},
		{true, true},
		{flag(true), true},
		{[]byte{1}, []byte{1}},
		{[]byte{}, []byte{}},
		{[]byte(nil), nil},
		{blob{2}, []byte{2}},
		{blob(nil), nil},
		{[]string{"a", `"\`, "<漢字>"}, `["a","\"\\","\u003c漢字\u003e"]`},
		{[]string{}, `[]`},
		{[]string(nil), `[]`},
		{nil, nil},
		{null, nil},
		{&text, "pointed to"},
		{&pointer, "pointed to"},
		{&null, nil},
	} {
		got, err := store.Arg(c.arg)
		if err != nil || fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", c.want, c.want) {
			t.Errorf("%T %v becomes %T %v, %v; want %T %v", c.arg, c.arg, got, got, err, c.want, c.want)
		}
	}
}

func TestArgRefuses(t *testing.T) {
	const secret = "hunter2"
	for _, arg := range []any{
		secret + "\x00", secret + "\xff", uint64(math.MaxUint64), 1.5, struct{ S string }{secret}, []string{secret, "\x00"}, []string{secret, "\xff"},
		map[string]string{}, &struct{ S string }{secret}, make(chan int), func() {},
	} {
		got, err := store.Arg(arg)
		if err == nil {
			t.Errorf("%T becomes %v", arg, got)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

// FuzzArg checks that text and bytes are kept as they are or refused.
func FuzzArg(f *testing.F) {
	f.Add("", []byte(nil))
	f.Add("nul\x00", []byte{0})
	f.Add("\xff", []byte{0xff})
	f.Add("漢字", []byte("漢字"))
	f.Fuzz(func(t *testing.T, s string, b []byte) {
		got, err := store.Arg(s)
		possible := utf8.ValidString(s) && !strings.Contains(s, "\x00")
		if possible != (err == nil) || possible && got != s {
			t.Errorf("text %q becomes %q, %v", s, got, err)
		}
		if got, err := store.Arg(b); err != nil || b != nil && !bytes.Equal(got.([]byte), b) {
			t.Errorf("bytes %x become %x, %v", b, got, err)
		}
	})
}
