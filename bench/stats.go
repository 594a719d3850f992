package main

import (
	"math"
	"slices"
	"time"
)

// sample is what one side did in one round.
type sample struct {
	took    []time.Duration // of each call
	elapsed time.Duration   // of the round
}

// quantile returns the duration in milliseconds below which the part p of the calls lies, by
// the nearest rank; NaN without calls.
func (s sample) quantile(p float64) float64 {
	if len(s.took) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s.took))
	rank := int(math.Ceil(p*float64(len(sorted)))) - 1
	return milliseconds(sorted[min(max(rank, 0), len(sorted)-1)])
}

// rate returns calls in a second.
func (s sample) rate() float64 { return float64(len(s.took)) / s.elapsed.Seconds() }

// Figures of a sample.
func p50(s sample) float64  { return s.quantile(0.50) }
func p99(s sample) float64  { return s.quantile(0.99) }
func rate(s sample) float64 { return s.rate() }

// series is what one side did, round by round.
type series []sample

// median returns the median of a figure over the rounds.
func (s series) median(figure func(sample) float64) float64 {
	values := make([]float64, len(s))
	for i, round := range s {
		values[i] = figure(round)
	}
	return median(values)
}

// pooled returns all rounds as one: for the tails, of which a round has too little.
func (s series) pooled() (all sample) {
	for _, round := range s {
		all.took = append(all.took, round.took...)
		all.elapsed += round.elapsed
	}
	return all
}

// ratio returns the median, over the rounds, of a figure of a divided by that of b in the same
// round. A machine that changes between rounds changes both.
func ratio(a, b series, figure func(sample) float64) float64 {
	return pairwise(a, b, func(x, y sample) float64 { return figure(x) / figure(y) })
}

// difference is ratio for the figure of a less that of b.
func difference(a, b series, figure func(sample) float64) float64 {
	return pairwise(a, b, func(x, y sample) float64 { return figure(x) - figure(y) })
}

// pairwise returns the median of what is made of the two samples of each round.
func pairwise(a, b series, of func(x, y sample) float64) float64 {
	values := make([]float64, min(len(a), len(b)))
	for i := range values {
		values[i] = of(a[i], b[i])
	}
	return median(values)
}

// median returns the middle value, or the mean of the two in the middle; NaN of none.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// milliseconds returns d in milliseconds.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
