// Package listing finds the page of a list that is searched for, in SQL.
//
// It owns no table. A noun says what its list is made of, which conditions its rows must meet and
// what they are sorted by; listing counts the rows and returns the ids of those on one page, which
// the noun then reads whole. Beside it: search has the terms in which a list is asked for.
//
// It guarantees that texts compare as package search says, on every engine;
// and that of all rows only the ids of one page are held in memory.
package listing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"castellan/internal/search"
	"castellan/internal/store"
)

// List is a list of which a page is wanted. Make one with [New], say what is asked of its rows, and
// then [List.Find]. It is for one goroutine and one search.
type List struct {
	// Where are the conditions that the database finds the rows of, beside those of Among.
	search.Where

	dialect *store.Dialect
	from    string
	id      string
	sets    []set
	texts   []text
	spans   []span
	checks  []check
}

// set is a condition that a column has one of some values.
type set struct {
	column string
	values []string
}

// text are conditions on a column that are not left to the database.
type text struct {
	column string
	match  []func(string) bool
}

// span is the condition that a column has a number from first to last.
type span struct {
	column      string
	first, last int64
}

// check is a condition on the texts of several columns that is not left to the database.
type check struct {
	columns []string
	meets   func(texts []*string) bool
}

// New returns a list of all that from names: tables and how they are joined, in SQL. id is the column
// that holds the id of a row, which also decides between rows that are sorted as equals. Both are
// constants of the program.
func New(dialect *store.Dialect, from, id string) *List {
	return &List{dialect: dialect, from: from, id: id}
}

// Among adds the condition that a column has one of some values; none is met by no row. Asked of the
// same column again, both must hold.
func (l *List) Among(column string, values ...string) {
	for i := range l.sets {
		if s := &l.sets[i]; s.column == column {
			s.values = slices.DeleteFunc(slices.Clone(s.values), func(v string) bool { return !slices.Contains(values, v) })
			return
		}
	}
	l.sets = append(l.sets, set{column, values})
}

// Each adds, for each of some ids, the condition that a column has it: two different ones are met by no row,
// none is met by all.
func Each[T ~string](l *List, column string, ids []T) {
	for _, id := range ids {
		l.Among(column, string(id))
	}
}

// Compare adds conditions on a text, all of which must hold, where there is no column with its folded form
// for [search.Where.Text]. A column that is NULL meets none.
func (l *List) Compare(column string, conditions ...search.Text) {
	for _, c := range conditions {
		if c.Method == search.Equals {
			l.Among(column, c.Value)
			continue
		}
		i := slices.IndexFunc(l.texts, func(t text) bool { return t.column == column })
		if i < 0 {
			i = len(l.texts)
			l.texts = append(l.texts, text{column: column})
		}
		l.texts[i].match = append(l.texts[i].match, c.Matcher())
	}
}

// Moment adds conditions on a column with a time, all of which must hold.
func (l *List) Moment(column string, conditions ...search.Moment) {
	for _, c := range conditions {
		first, last := c.Bounds()
		i := slices.IndexFunc(l.spans, func(s span) bool { return s.column == column })
		if i < 0 {
			l.spans = append(l.spans, span{column, first, last})
			continue
		}
		s := &l.spans[i]
		s.first, s.last = max(s.first, first), min(s.last, last)
	}
}

// Check adds a condition that is not left to the database: meets is given the texts of some columns, nil
// for NULL, and reports whether the row is wanted. It is for what has no bound, such as conditions within
// conditions.
func (l *List) Check(meets func(texts []*string) bool, columns ...string) {
	l.checks = append(l.checks, check{columns, meets})
}

// Find returns how many rows the list has, and the ids of those on a page. by is the column the list is
// sorted by, a constant of the program. q must be one moment for both to agree: that of a Snapshot.
//
// The database counts, and walks along to the page; unless there is something to [List.Compare]: then it
// sends every row that meets the other conditions. It returns the errors of store.Querier.
func (l *List) Find(ctx context.Context, q store.Querier, page search.Page, by string) (total int, ids []string, err error) {
	for _, s := range l.sets {
		if len(s.values) == 0 {
			return 0, nil, nil
		}
	}
	where := l.conditions()
	direction := " DESC"
	if page.Ascending {
		direction = ""
	}
	order := " ORDER BY " + by + direction
	if by != l.id {
		order += ", " + l.id + direction
	}
	if len(l.texts)+len(l.checks) > 0 {
		return l.compare(ctx, q, page, where+order)
	}
	total, err = store.One(ctx, q, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`SELECT count(*) FROM `+l.from+where, l.Args()...)
	if err != nil {
		return 0, nil, fmt.Errorf("count a list: %w", err)
	}
	if total <= page.From() {
		return total, nil, nil
	}
	limit := " LIMIT " + l.Arg(page.Size()) + " OFFSET " + l.Arg(page.From())
	ids, err = store.All(ctx, q, func(row store.Scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT `+l.id+` FROM `+l.from+where+order+limit, l.Args()...)
	if err != nil {
		return 0, nil, fmt.Errorf("find a page: %w", err)
	}
	return total, ids, nil
}

// conditions is the WHERE of the list.
func (l *List) conditions() string {
	for _, s := range l.sets {
		l.And(l.dialect.InList(s.column, l.Arg(s.values)))
	}
	for _, s := range l.spans {
		l.And(s.column + " >= " + l.Arg(s.first) + " AND " + s.column + " <= " + l.Arg(s.last))
	}
	return l.SQL()
}

// compare reads every row with the texts on which there are conditions.
func (l *List) compare(ctx context.Context, q store.Querier, page search.Page, rest string) (total int, ids []string, err error) {
	columns := []string{l.id}
	for _, t := range l.texts {
		columns = append(columns, t.column)
	}
	for _, c := range l.checks {
		columns = append(columns, c.columns...)
	}
	values := make([]*string, len(columns)-1)
	var id string
	dest := []any{&id}
	for i := range values {
		dest = append(dest, &values[i])
	}
	_, err = store.All(ctx, q, func(row store.Scanner) (none struct{}, err error) {
		if err := row.Scan(dest...); err != nil || !l.meets(values) {
			return none, err
		}
		if total++; total > page.From() && len(ids) < page.Size() {
			ids = append(ids, id)
		}
		return none, nil
	}, `SELECT `+strings.Join(columns, ", ")+` FROM `+l.from+rest, l.Args()...)
	if err != nil {
		return 0, nil, fmt.Errorf("search a list: %w", err)
	}
	return total, ids, nil
}

// meets reports whether the texts of a row meet all conditions.
func (l *List) meets(values []*string) bool {
	for i, t := range l.texts {
		if values[i] == nil {
			return false
		}
		for _, match := range t.match {
			if !match(*values[i]) {
				return false
			}
		}
	}
	values = values[len(l.texts):]
	for _, c := range l.checks {
		if !c.meets(values[:len(c.columns):len(c.columns)]) {
			return false
		}
		values = values[len(c.columns):]
	}
	return true
}

// Sort puts what has been read of a page into the order of its ids. id says which one an entry is; one
// that is not on the page, which a list read at one moment has not, is left out.
func Sort[T any](ids []string, entries []T, id func(T) string) []T {
	at := make(map[string]int, len(entries))
	for i, e := range entries {
		at[id(e)] = i
	}
	sorted := make([]T, 0, len(ids))
	for _, wanted := range ids {
		if i, found := at[wanted]; found {
			sorted = append(sorted, entries[i])
		}
	}
	return sorted
}
