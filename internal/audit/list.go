package audit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Limits of a page.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// Position is the place of an entry in the log, newest first. Whoever shows it seals it: it tells
// how many entries there are.
type Position struct {
	At     time.Time
	Number int64
}

// Page is the part of a list that is wanted.
type Page struct {
	// After is the last entry of the page before; nil: begin at the newest.
	After *Position
	// Limit is how many entries the page holds at most: DefaultPage when 0, never more than MaxPage.
	Limit uint32
}

// size is how many entries the page holds at most.
func (p Page) size() int { return int(min(cmp.Or(p.Limit, DefaultPage), MaxPage)) }

// Search says which entries are wanted. All conditions must hold; the zero value of each is none.
type Search struct {
	// Actor is the name of a system user or the id of an instance's user, exactly.
	Actor ident.Actor
	// Method is compared with the full name of the method; no condition when its value is empty.
	Method search.Text
	// Instance is what the call was about.
	Instance ident.InstanceID
	// From and Until bound when the call came in: at or after From, before Until.
	From, Until time.Time
	// Outcome is the name of a gRPC code, exactly.
	Outcome string
	Page    Page
}

// Record is an entry as it was written, with its place.
type Record struct {
	Entry
	Position Position
}

// Found is a page of the log, newest first.
type Found struct {
	Records []Record
	// Next is where the next page begins; nil when this is the last.
	Next *Position
}

// List returns a page of the entries that are searched for, as they are at one moment. It costs
// the reading of the page along one index, or of one page for each method that is searched for;
// entries that meet some conditions and not others are read over. Entries that are written while
// a caller goes from page to page are newer than all that it has seen, but for those that other
// nodes wrote late, which may be missed. It returns the errors of store.DB.Snapshot.
func List(ctx context.Context, db store.DB, s Search) (Found, error) {
	var found Found
	err := db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		found = Found{}
		methods, err := s.methods(ctx, q)
		if err != nil {
			return err
		}
		for _, method := range methods {
			sql, args := s.statement(method)
			records, err := store.All(ctx, q, scan, sql, args...)
			if err != nil {
				return err
			}
			found.Records = newest(append(found.Records, records...), s.Page.size()+1)
		}
		return nil
	})
	if err != nil {
		return Found{}, fmt.Errorf("list the audit log: %w", err)
	}
	if size := s.Page.size(); len(found.Records) > size {
		found.Records = found.Records[:size]
		next := found.Records[size-1].Position
		found.Next = &next
	}
	return found, nil
}

// newest returns the n newest records, in order.
func newest(records []Record, n int) []Record {
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Position.Number, a.Position.Number))
	})
	return records[:min(n, len(records))]
}

// methodsSQL returns every method there is once, by one step along its index for each.
const methodsSQL = `WITH RECURSIVE known (method) AS (
 SELECT min(method) FROM audit_log
 UNION ALL SELECT (SELECT min(a.method) FROM audit_log a WHERE a.method > k.method) FROM known k WHERE k.method IS NOT NULL
) SELECT method FROM known WHERE method IS NOT NULL`

// methods returns the names of the methods that are wanted; one empty name when all are. There
// are only as many as there are RPCs, and looking at each is what makes a rare one found at once.
func (s Search) methods(ctx context.Context, q store.Querier) ([]string, error) {
	if s.Method.Value == "" {
		return []string{""}, nil
	}
	known, err := store.All(ctx, q, func(row store.Scanner) (m string, err error) { return m, row.Scan(&m) }, methodsSQL)
	meets := s.Method.Matcher()
	return slices.DeleteFunc(known, func(m string) bool { return !meets(m) }), err
}

// statement returns the query for a page of the entries of one method, or of all, and for the
// first entry after it. Its text is one of a few.
func (s Search) statement(method string) (sql string, args []any) {
	var b strings.Builder
	from := int64(math.MinInt64)
	if !s.From.IsZero() {
		from = store.Micros(s.From)
	}
	at, number := s.before()
	args = []any{from, at, number, s.Page.size() + 1}
	b.WriteString(`SELECT at, number, actor, actor_instance_id, method, protocol, instance_id, remote_address,
 request_id, outcome, duration FROM audit_log WHERE at >= $1 AND (at, number) < ($2, $3)`)
	for _, is := range []struct{ column, value string }{
		{"actor", string(s.Actor)}, {"method", method}, {"instance_id", string(s.Instance)}, {"outcome", s.Outcome},
	} {
		if is.value == "" {
			continue
		}
		args = append(args, is.value)
		b.WriteString(" AND " + is.column + " = $" + strconv.Itoa(len(args)))
	}
	if s.Outcome != "" && s.Outcome != OK {
		b.WriteString(" AND outcome <> 'OK'") // says that the index on failures will do
	}
	b.WriteString(" ORDER BY at DESC, number DESC LIMIT $4")
	return b.String(), args
}

// before returns the place before which all entries of the page lie.
func (s Search) before() (at, number int64) {
	at = math.MaxInt64
	if !s.Until.IsZero() {
		at = store.Micros(s.Until) // and any number: numbers are not negative
	}
	if after := s.Page.After; after != nil && store.Micros(after.At) < at {
		return store.Micros(after.At), after.Number
	}
	return at, 0
}

// scan reads one entry.
func scan(row store.Scanner) (r Record, err error) {
	var at, took int64
	err = row.Scan(&at, &r.Position.Number, &r.Actor, &r.ActorInstance, &r.Method, &r.Protocol, &r.Instance,
		&r.RemoteAddress, &r.RequestID, &r.Outcome, &took)
	r.At, r.Duration = store.Time(at), time.Duration(took)*time.Microsecond
	r.Position.At = r.At
	return r, err
}
