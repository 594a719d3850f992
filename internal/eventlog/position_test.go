package eventlog_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"castellan/internal/eventlog"
)

func TestParsePosition(t *testing.T) {
	for _, p := range []eventlog.Position{
		{}, {Number: 7}, {Commit: 12, Number: 7}, {Commit: math.MaxInt64, Number: math.MaxInt64},
	} {
		got, err := eventlog.ParsePosition(p.String())
		if err != nil || got != p {
			t.Errorf("%q became %v, %v", p.String(), got, err)
		}
	}
	for _, bad := range []string{
		"", ".", "1", "1.", ".1", "1.2.3", "-1.2", "1.-2", "+1.2", "01.2", "1.02", " 1.2", "1.2 ", "1,2", "0x1.2", "1_0.2",
		"1e3.2", "9223372036854775808.0", "0.9223372036854775808", "1.2\x00", "١.٢",
	} {
		if got, err := eventlog.ParsePosition(bad); !errors.Is(err, eventlog.ErrPosition) || got != (eventlog.Position{}) {
			t.Errorf("%q became %v, %v, want it refused", bad, got, err)
		}
	}
}

func TestPositionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := eventlog.Position{Commit: rapid.Int64Min(0).Draw(t, "commit"), Number: rapid.Int64Min(0).Draw(t, "number")}
		if got, err := eventlog.ParsePosition(p.String()); err != nil || got != p {
			t.Fatalf("%v became %v, %v", p, got, err)
		}
	})
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"0.0", "1.2", "9223372036854775807.9223372036854775807", "01.2", "1.", "-1.-1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1000 {
			return
		}
		p, err := eventlog.ParsePosition(s)
		if err != nil {
			if !errors.Is(err, eventlog.ErrPosition) || len(err.Error()) > 500 {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if p.String() != s || p.Commit < 0 || p.Number < 0 {
			t.Fatalf("%q became %+v", s, p)
		}
	})
}
