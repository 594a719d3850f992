package storetest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"castellan/internal/store"
)

// valueCases are about what is stored, and how it comes back.
var valueCases = []conformanceCase{
	{"ValuesComeBack", valuesComeBack},
	{"AnyValueComesBack", anyValueComesBack},
	{"NullNeedsAPointer", nullNeedsAPointer},
	{"NamedTypes", namedTypes},
	{"OutOfRangeIsAnError", outOfRangeIsAnError},
	{"ScanErrorEndsTheRows", scanErrorEndsTheRows},
	{"ImpossibleTextIsRefused", impossibleTextIsRefused},
	{"TextSortsByBytes", textSortsByBytes},
	{"Truth", truth},
	{"PortableSQL", portableSQL},
	{"Lists", lists},
}

// thing is a row of the table things.
type thing struct {
	id    string
	n     *int64
	label *string
	data  []byte
	yes   *bool
}

func (s *suite) put(t testing.TB, v thing) {
	t.Helper()
	err := s.exec(`INSERT INTO things (id, n, label, data, yes) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET n = excluded.n, label = excluded.label, data = excluded.data, yes = excluded.yes`,
		v.id, v.n, v.label, v.data, v.yes)
	if err != nil {
		t.Fatal(err)
	}
}

func (s *suite) get(t testing.TB, id string) thing {
	t.Helper()
	v, err := store.One(s.Context(), s.db, func(row store.Scanner) (v thing, err error) {
		return v, row.Scan(&v.id, &v.n, &v.label, &v.data, &v.yes)
	}, `SELECT id, n, label, data, yes FROM things WHERE id = $1`, id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// same compares pointers by what they point to, and tells nil from empty.
func same(a, b thing) bool {
	return a.id == b.id && equal(a.n, b.n) && equal(a.label, b.label) && equal(a.yes, b.yes) &&
		bytes.Equal(a.data, b.data) && (a.data == nil) == (b.data == nil)
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// valuesComeBack stores the ends of every range.
func valuesComeBack(s *suite) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for i, v := range []thing{
		{},
		{n: new(int64), label: new(string), data: []byte{}, yes: new(bool)},
		{n: ptr[int64](math.MaxInt64), label: ptr("Zürich ☃ 漢字 \U0001f511 \u0301"), data: all, yes: ptr(true)},
		{n: ptr[int64](math.MinInt64), label: ptr("'quotes' \"double\" \\ $1 ? %"), data: bytes.Repeat(all, 400)},
	} {
		v.id = key(i)
		s.put(s, v)
		if got := s.get(s, v.id); !same(got, v) {
			s.Errorf("%+v came back as %+v", v, got)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// anyValueComesBack is the same for generated values.
func anyValueComesBack(s *suite) {
	text := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 }))
	rapid.Check(s, func(t *rapid.T) {
		v := thing{
			id:    "id-" + text.Draw(t, "id"),
			n:     rapid.Ptr(rapid.Int64(), true).Draw(t, "n"),
			label: rapid.Ptr(text, true).Draw(t, "label"),
			data:  rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
			yes:   rapid.Ptr(rapid.Bool(), true).Draw(t, "yes"),
		}
		if v.label != nil {
			*v.label = v.id + *v.label // unique
		}
		err := s.exec(`DELETE FROM things`)
		if err != nil {
			t.Fatal(err)
		}
		s.put(s, v)
		if got := s.get(s, v.id); !same(got, v) {
			t.Fatalf("%+v came back as %+v", v, got)
		}
	})
}

// nullNeedsAPointer scans NULL where there is no way to tell it from zero.
func nullNeedsAPointer(s *suite) {
	s.put(s, thing{id: "a"})
	for column, dest := range map[string]any{"n": new(int64), "label": new(string), "yes": new(bool)} {
		_, err := store.One(s.Context(), s.db, func(row store.Scanner) (any, error) { return dest, row.Scan(dest) },
			`SELECT `+column+` FROM things`)
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			s.Errorf("NULL of column %s into %T: %v, want an error", column, dest, err)
		}
	}
}

// namedTypes are what ids are.
func namedTypes(s *suite) {
	type (
		name  string
		count int64
		small uint16
		flag  bool
	)
	s.mustExec(`INSERT INTO things (id, n, label, yes) VALUES ($1, $2, $3, $4)`,
		name("a"), count(7), ptr(name("b")), flag(true))
	type row struct {
		id     name
		n      count
		as     small
		plain  int
		size   uint64
		label  *name
		absent *name
		yes    flag
	}
	got, err := store.One(s.Context(), s.db, func(sc store.Scanner) (r row, err error) {
		return r, sc.Scan(&r.id, &r.n, &r.as, &r.plain, &r.size, &r.label, &r.absent, &r.yes)
	}, `SELECT id, n, n, n, n, label, NULLIF(id, 'a'), yes FROM things`)
	if err != nil {
		s.Fatal(err)
	}
	label := got.label
	got.label = nil
	if want := (row{id: "a", n: 7, as: 7, plain: 7, size: 7, yes: true}); got != want || label == nil || *label != "b" {
		s.Errorf("got %+v and label %v", got, label)
	}
}

// outOfRangeIsAnError loses no digit in silence.
func outOfRangeIsAnError(s *suite) {
	s.mustExec(insert, "negative", -1)
	s.mustExec(insert, "large", int64(math.MaxInt64))
	for id, dest := range map[string]any{"negative": new(uint64), "large": new(int16)} {
		_, err := store.One(s.Context(), s.db, func(row store.Scanner) (any, error) { return dest, row.Scan(dest) },
			`SELECT n FROM things WHERE id = $1`, id)
		if err == nil {
			s.Errorf("the %s number fits %T", id, dest)
		}
	}
	if err := s.exec(insert, "b", uint64(math.MaxUint64)); err == nil || errors.Is(err, store.ErrUnavailable) {
		s.Errorf("a number over 63 bits: %v, want an error", err)
	}
}

// scanErrorEndsTheRows scans into the wrong type, in a transaction and outside.
func scanErrorEndsTheRows(s *suite) {
	for i := range 3 {
		s.mustExec(insert, key(i), i)
	}
	check := func(ctx context.Context, q store.Querier) error {
		rows, err := q.Query(ctx, `SELECT id FROM things`)
		if err != nil {
			return err
		}
		defer rows.Close()
		if !rows.Next() {
			return errors.New("no rows")
		}
		if err := rows.Scan(new(bool)); err == nil {
			s.Error("text was scanned into a bool")
		}
		if rows.Next() || rows.Err() == nil {
			s.Errorf("the rows go on after the error, or forget it: %v", rows.Err())
		}
		if err := rows.Scan(new(string)); err == nil {
			s.Error("scanned without a row")
		}
		return nil
	}
	if err := check(s.Context(), s.db); err != nil {
		s.Error(err)
	}
	err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error { return check(ctx, tx) })
	if err == nil || errors.Is(err, store.ErrUnavailable) {
		s.Errorf("Update returns %v, want the scan's error", err)
	}
}

// impossibleTextIsRefused stores what PostgreSQL cannot: no engine may.
func impossibleTextIsRefused(s *suite) {
	for _, text := range []string{"nul\x00", "not \xff UTF-8", strings.Repeat("x", 100) + "\xc3"} {
		if err := s.exec(insert, text, 1); err == nil || errors.Is(err, store.ErrUnavailable) {
			s.Errorf("storing %q: %v, want an error", text, err)
		}
		if _, err := one[int64](s.Context(), s.db, `SELECT n FROM things WHERE id = $1`, text); err == nil ||
			errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotFound) {
			s.Errorf("looking for %q: %v, want an error", text, err)
		}
	}
	s.wantThings(0)
}

// textSortsByBytes needs pages of a list to be the same on every engine.
func textSortsByBytes(s *suite) {
	words := []string{"b", "B", "a", "ä", "_", "a b", "ab", "10", "9", "Z", "é", "e\u0301"}
	for _, w := range words {
		s.mustExec(insert, w, 1)
	}
	slices.Sort(words)
	got, err := column[string](s.Context(), s.db, `SELECT id FROM things ORDER BY id`)
	if err != nil || !slices.Equal(got, words) {
		s.Errorf("sorted %q, %v, want %q", got, err, words)
	}
	after, err := column[string](s.Context(), s.db, `SELECT id FROM things WHERE id > $1 ORDER BY id`, "a")
	if want := words[slices.Index(words, "a")+1:]; err != nil || !slices.Equal(after, want) {
		s.Errorf("after a: %q, %v, want %q", after, err, want)
	}
}

// truth is stored differently and must read the same.
func truth(s *suite) {
	s.mustExec(`INSERT INTO things (id, yes) VALUES ('argument', $1), ('literal', TRUE), ('no', $2), ('unknown', NULL)`, true, false)
	for condition, want := range map[string]string{
		"yes": "argument literal", "NOT yes": "no", "yes = $1": "argument literal", "yes IS NULL": "unknown",
		"yes IS NOT DISTINCT FROM $1": "argument literal", "coalesce(yes, FALSE) = FALSE": "no unknown",
	} {
		var args []any
		if strings.Contains(condition, "$1") {
			args = []any{true}
		}
		got, err := column[string](s.Context(), s.db, `SELECT id FROM things WHERE `+condition+` ORDER BY id`, args...)
		if err != nil || strings.Join(got, " ") != want {
			s.Errorf("WHERE %s: %q, %v, want %q", condition, got, err, want)
		}
	}
	computed, err := one[bool](s.Context(), s.db, `SELECT EXISTS (SELECT 1 FROM things WHERE id = 'no')`)
	if err != nil || !computed {
		s.Errorf("a computed truth: %v, %v", computed, err)
	}
}

// portableSQL is what statements written for both engines may use.
func portableSQL(s *suite) {
	ctx := s.Context()
	s.mustExec(`INSERT INTO things (id, n) VALUES ($2, $1), ($3, $1 + 1)`, 1, "a", "b") // any order
	s.mustExec(`INSERT INTO things (id, n) VALUES ('a', 9) ON CONFLICT DO NOTHING`)
	err := s.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		n, err := one[int64](ctx, tx, `INSERT INTO things (id, n) VALUES ('a', 5)
ON CONFLICT (id) DO UPDATE SET n = things.n + excluded.n RETURNING n`)
		if err == nil && n != 6 {
			s.Errorf("ON CONFLICT DO UPDATE RETURNING gives %d, want 6", n)
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	if got := s.number(s.db, `SELECT count(*) FROM things WHERE (n, id) > ($1, $2)`, 2, "b"); got != 1 {
		s.Errorf("a row value compares to %d rows, want 1", got)
	}
	if got := s.number(s.db, `SELECT count(*) FILTER (WHERE n > 2) FROM things`); got != 1 {
		s.Errorf("FILTER counts %d, want 1", got)
	}
	if got := s.number(s.db, `SELECT coalesce(sum(n), 0) FROM things`); got != 8 {
		s.Errorf("sum is %d, want 8", got)
	}
	if _, err := one[int64](ctx, s.db, `SELECT n FROM things WHERE id = 'nobody'`); !errors.Is(err, store.ErrNotFound) {
		s.Errorf("no row: %v, want ErrNotFound", err)
	}
	err = s.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		_, err := one[int64](ctx, tx, `SELECT n FROM things WHERE id = $1`+s.db.Dialect().ForUpdate, "a")
		return err
	})
	if err != nil {
		s.Errorf("a locking read: %v", err)
	}
}

// lists are looked for by every length, and their texts are what they are.
func lists(s *suite) {
	odd := []string{"", "a", `"`, `\`, `\u0061`, "[]", "null", "1", "<&>", "a,b", "漢字 \U0001f511", "\u2028", "é", "e\u0301"}
	for _, id := range odd {
		s.mustExec(insert, id, len(id))
	}
	long := make([]string, 5000)
	for i := range long {
		long[i] = key(i)
	}
	sql := `SELECT id FROM things WHERE ` + s.db.Dialect().InList("id", "$2") + ` AND n >= $1 ORDER BY id`
	find := func(list []string) []string {
		s.Helper()
		got, err := column[string](s.Context(), s.db, sql, 0, list)
		if err != nil {
			s.Errorf("%d texts from %q: %v", len(list), list[:min(len(list), 1)], err)
		}
		return got
	}
	for _, id := range odd {
		if got := find([]string{id}); len(got) != 1 || got[0] != id {
			s.Errorf("looked for %q, found %q", id, got)
		}
	}
	if got := find(append(long, odd...)); len(got) != len(odd) {
		s.Errorf("of all, found %q", got)
	}
	if got := find([]string{"a", "a", "A", "b"}); len(got) != 1 {
		s.Errorf("with one twice, found %q", got)
	}
	for _, none := range [][]string{nil, {}, {"%"}, {"A"}} {
		if got := find(none); len(got) != 0 {
			s.Errorf("looked for %q, found %q", none, got)
		}
	}
	if _, err := column[string](s.Context(), s.db, sql, 0, []string{"nul\x00"}); err == nil {
		s.Error("a list with a NUL is looked for")
	}
}
