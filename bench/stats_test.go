package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

// upTo returns a sample with calls of 1 to n ms, the longest first.
func upTo(n int) sample {
	s := sample{elapsed: time.Second}
	for i := range n {
		s.took = append(s.took, time.Duration(n-i)*time.Millisecond)
	}
	return s
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	for _, c := range []struct {
		n    int
		p    float64
		want float64
	}{
		{1, 0.5, 1}, {1, 0.99, 1}, {2, 0.5, 1}, {3, 0.5, 2}, {100, 0.5, 50}, {100, 0.99, 99},
		{101, 0.99, 100}, {1000, 0.99, 990}, {4, 0, 1}, {4, 1, 4},
	} {
		if got := upTo(c.n).quantile(c.p); got != c.want {
			t.Errorf("quantile %v of 1 to %d ms is %v, want %v", c.p, c.n, got, c.want)
		}
	}
	if got := (sample{}).quantile(0.5); !math.IsNaN(got) {
		t.Errorf("quantile of nothing is %v, want NaN", got)
	}
}

func TestQuantileLeavesTheOrderAlone(t *testing.T) {
	s := upTo(5)
	before := slices.Clone(s.took)
	s.quantile(0.5)
	if !slices.Equal(s.took, before) {
		t.Errorf("the sample became %v", s.took)
	}
}

func TestRate(t *testing.T) {
	s := sample{took: make([]time.Duration, 30), elapsed: 1500 * time.Millisecond}
	if got := s.rate(); got != 20 {
		t.Errorf("30 calls in 1.5 s are %v a second, want 20", got)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}, {[]float64{1, 1, 1000}, 1},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing is %v, want NaN", got)
	}
}

func TestRatioComparesWithinRounds(t *testing.T) {
	// The machine gets slower from round to round; a is always twice b.
	var a, b series
	for _, n := range []int{10, 30, 90} {
		b, a = append(b, upTo(n)), append(a, upTo(2*n))
	}
	if got := ratio(a, b, p50); got != 2 {
		t.Errorf("ratio is %v, want 2", got)
	}
	if got := difference(a, b, p50); got != 15 {
		t.Errorf("difference is %v, want that of the second round, 15", got)
	}
	if got := a.median(p50); got != 30 {
		t.Errorf("median of the rounds is %v, want 30", got)
	}
	if got := ratio(nil, b, p50); !math.IsNaN(got) {
		t.Errorf("ratio without rounds is %v, want NaN", got)
	}
}

func TestPooledKeepsEveryCall(t *testing.T) {
	all := series{upTo(10), upTo(30)}.pooled()
	if len(all.took) != 40 || all.elapsed != 2*time.Second {
		t.Errorf("pooled %d calls in %v", len(all.took), all.elapsed)
	}
	if got := all.quantile(1); got != 30 {
		t.Errorf("the longest is %v ms, want 30", got)
	}
}
