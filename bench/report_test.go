package main

import (
	"strings"
	"testing"
	"time"
)

func TestDigits(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0.00", 0.2345: "0.23", 1.999: "2.00", 9.5: "9.50", 12.34: "12.3", 123.4: "123", 12345: "12345", -0.5: "-0.50",
	} {
		if got := digits(x); got != want {
			t.Errorf("%v is shown as %s, want %s", x, got, want)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		is   target
		want target
	}{
		{atMost(3, 3, "3 ms"), target{"≤ 3 ms", true}},
		{atMost(3.01, 3, "3 ms"), target{"≤ 3 ms", false}},
		{atLeast(0.5, 0.5, "0.5"), target{"≥ 0.5", true}},
		{atLeast(0.49, 0.5, "0.5"), target{"≥ 0.5", false}},
	} {
		if c.is != c.want {
			t.Errorf("%+v, want %+v", c.is, c.want)
		}
	}
}

func TestReportCountsAndNamesTargets(t *testing.T) {
	r := report{begun: time.Unix(0, 0)}
	s := r.section("SQLite")
	s.add(figure{what: "a", value: "1 ms", target: atMost(1, 2, "2 ms")})
	s.add(figure{what: "b", value: "3 ms", ratio: 1.5, target: atMost(3, 2, "2 ms")})
	s.add(figure{what: "c", value: "9"})
	if hold, all := r.score(); hold != 1 || all != 2 {
		t.Errorf("%d of %d hold, want 1 of 2", hold, all)
	}
	if got := r.missed(); len(got) != 1 || got[0] != "SQLite: b: 3 ms, not ≤ 2 ms" {
		t.Errorf("missed %q", got)
	}
	text := r.markdown()
	for _, want := range []string{
		"1 of 2 targets hold", "1970-01-01", "\n## SQLite\n",
		"\n| a | 1 ms |  |  | ≤ 2 ms | yes |  |\n", "\n| b | 3 ms |  | 1.50 | ≤ 2 ms | **no** |  |\n", "\n| c | 9 |  |  |  |  |  |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}
