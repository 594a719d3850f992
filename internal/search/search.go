// Package search has the terms in which all lists are searched: which page of a list is wanted,
// where it was found before, and how a text is compared.
//
// It owns no list. What can be searched for, and how it is sorted, belongs to the noun; the
// numbers and names of the interface belong to the wire. It guarantees that texts compare the
// same on every engine, for it compares them itself: engines differ in what the case of a
// letter is beyond ASCII, and in how they escape a pattern.
package search

import (
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/text/cases"

	"castellan/internal/fault"
)

// MaxPage is how much of a list one answer holds at most. The interface knows no limit, and
// counts everything there is in every answer, so a caller sees that there is more; but an
// answer is built in memory, and clients refuse those above 4 MiB unless told otherwise.
const MaxPage = 10_000

// Page is the part of a list that is wanted (contract section 2.1). The zero Page is its
// beginning, from the greatest down.
type Page struct {
	Offset    uint64
	Limit     uint32 // 0: no limit but MaxPage
	Ascending bool
}

// Size is how many entries the page holds at most.
func (p Page) Size() int {
	if p.Limit == 0 || p.Limit > MaxPage {
		return MaxPage
	}
	return int(p.Limit)
}

// From is the number of entries before the page; no list has as many as it can be.
func (p Page) From() int {
	return int(min(p.Offset, math.MaxInt64/2))
}

// Of returns the page of a list that is sorted already.
func Of[T any](p Page, list []T) []T {
	from := min(p.From(), len(list))
	return list[from:min(from+p.Size(), len(list))]
}

// Limits of what a search may ask for at once. The interface knows none; a search beyond them is
// refused, because what it costs would be for others to bear.
const (
	// MaxConditions is how many conditions a search has at most.
	MaxConditions = 100
	// MaxValues is how many values one condition lists at most.
	MaxValues = 1000
)

// TooMany returns a fault (SEARCH-max01) when a list in a request has more than limit entries; field
// names it.
func TooMany(field string, entries, limit int) error {
	if entries <= limit {
		return nil
	}
	return fault.Invalid("SEARCH-max01", "Errors.Query.InvalidRequest", field,
		fmt.Sprintf("must have at most %d entries", limit))
}

// Method is how a text is compared. Its values are those of the interface (contract section 2.6).
type Method uint8

// The methods. Each is followed by the one that ignores case.
const (
	Equals Method = iota
	EqualsIgnoreCase
	StartsWith
	StartsWithIgnoreCase
	Contains
	ContainsIgnoreCase
	EndsWith
	EndsWithIgnoreCase
)

// Text is a condition on a text.
type Text struct {
	Value  string
	Method Method
}

// Matcher returns a function that reports whether a text meets the condition. No character of
// the value has a special meaning. What ignores case compares folded text (Unicode section
// 5.18.4), in which STRASSE and straße are the same. The function is for one goroutine.
func (t Text) Matcher() func(text string) bool {
	fold := func(s string) string { return s }
	if t.Method%2 == 1 {
		fold = cases.Fold().String // which keeps what it needs for each text
	}
	value := fold(t.Value)
	switch t.Method {
	case StartsWith, StartsWithIgnoreCase:
		return func(text string) bool { return strings.HasPrefix(fold(text), value) }
	case Contains, ContainsIgnoreCase:
		return func(text string) bool { return strings.Contains(fold(text), value) }
	case EndsWith, EndsWithIgnoreCase:
		return func(text string) bool { return strings.HasSuffix(fold(text), value) }
	default:
		return func(text string) bool { return fold(text) == value }
	}
}

// TimeMethod is how a time is compared. Its values are those of the interface
// (zitadel.filter.v2.TimestampFilterMethod).
type TimeMethod uint8

// The methods of times.
const (
	At TimeMethod = iota
	After
	AfterOrAt
	Before
	BeforeOrAt
)

// Moment is a condition on a time.
type Moment struct {
	Time   time.Time
	Method TimeMethod
}

// Bounds returns the first and the last microsecond since 1970 that meet the condition. A method that is
// not declared is At.
func (m Moment) Bounds() (first, last int64) {
	at := m.Time.UnixMicro()
	switch m.Method {
	case After:
		return at + 1, math.MaxInt64
	case AfterOrAt:
		return at, math.MaxInt64
	case Before:
		return math.MinInt64, at - 1
	case BeforeOrAt:
		return math.MinInt64, at
	default:
		return at, at
	}
}
