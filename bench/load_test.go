package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestDriveStopsAtTheCount(t *testing.T) {
	var seen [2][]int
	clients := make([]call, len(seen))
	for i := range clients {
		clients[i] = func(_ context.Context, n int) error {
			seen[i] = append(seen[i], n)
			return nil
		}
	}
	s, err := drive(t.Context(), clients, limit{calls: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.took) != 6 || s.elapsed <= 0 {
		t.Errorf("%d calls in %v, want 6", len(s.took), s.elapsed)
	}
	for i := range seen {
		if !slices.Equal(seen[i], []int{0, 1, 2}) {
			t.Errorf("client %d made calls %v", i, seen[i])
		}
	}
}

func TestDriveStopsWhenTheTimeIsOver(t *testing.T) {
	s, err := drive(t.Context(), []call{func(context.Context, int) error { return nil }}, limit{time: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.took) == 0 || s.elapsed < time.Millisecond {
		t.Errorf("%d calls in %v", len(s.took), s.elapsed)
	}
}

func TestDriveReturnsTheErrorAndEndsTheOthers(t *testing.T) {
	broken := errors.New("broken")
	_, err := drive(t.Context(), []call{
		func(context.Context, int) error { return broken },
		func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() },
	}, limit{time: time.Minute})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestDriveRefusesNoLimit(t *testing.T) {
	if _, err := drive(t.Context(), nil, limit{}); err == nil {
		t.Error("a round without a limit began")
	}
}

func TestAlternateTakesTurns(t *testing.T) {
	var order []string
	sides := make([]side, 2)
	for i, name := range []string{"a", "b"} {
		sides[i] = side{
			name: name,
			warm: func(context.Context) error { order = append(order, "warm "+name); return nil },
			run: func(context.Context) (sample, error) {
				order = append(order, name)
				return upTo(i + 1), nil
			},
		}
	}
	all, err := alternate(t.Context(), 2, sides...)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"warm a", "a", "warm b", "b", "warm b", "b", "warm a", "a"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	for i := range all {
		if len(all[i]) != 2 || len(all[i][0].took) != i+1 {
			t.Errorf("series %d is %v", i, all[i])
		}
	}
}
