package instance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// Found is a page of a list of instances.
type Found struct {
	Total     uint64 // instances on all pages
	Instances []State
	// Next is where the next page begins, for [Reading]; empty when this page is not full, which
	// is where the list ends.
	Next string
}

// Reading is who reads a list, and which page of it.
type Reading struct {
	Caller ident.Actor
	// Page is the Next of an earlier page of the same search and caller. It stands in place of the
	// offset; empty: the offset says where the page begins.
	Page string
}

// Lister lists instances, page after page at the same cost. It is safe for concurrent use.
type Lister struct {
	db        store.DB
	log       *eventlog.Log
	clock     ident.Clock
	positions *vault.Positions
	places    *search.Places
	counted   atomic.Pointer[count]
}

// NewLister returns a lister that seals the beginnings of pages with positions.
func NewLister(db store.DB, log *eventlog.Log, positions *vault.Positions, clock ident.Clock) *Lister {
	return &Lister{db: db, log: log, clock: clock, positions: positions, places: search.NewPlaces(clock)}
}

// List returns a page of the instances that are searched for, each with all its domains, as
// they are at one moment. At most search.MaxPage of them are held in memory.
//
// A page that begins at an offset is always the one there is at that moment: what comes or goes
// before it shifts what follows. It is found by a walk along an index, past all that is before it.
// Not so when the same caller has read the page before it, of the same search, on this node
// within the last minute, and nothing has come or gone since, nor, in a list by name, been renamed:
// then it begins behind the last row of that page, without a walk. A search among ids or domains has few to
// walk past.
//
// A page that begins at a [Reading.Page] begins behind the last row of the page before it, wherever
// that row stands by now, on any node and at any time. Who reads in this way, up to a page that is
// not full, misses no instance and sees none twice that is there all the time and is not renamed in
// a list by name, whatever comes and goes meanwhile.
//
// It returns VAULT-pos01 for a Page that was not given out to this caller for this search.
func (l *Lister) List(ctx context.Context, r Reading, s Search) (Found, error) {
	list := s.name()
	from, err := l.open(r, list)
	if err != nil {
		return Found{}, err
	}
	known := l.counted.Load() // before the snapshot, which must not be older than it
	var found Found
	var page []place
	err = l.db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		ids, filtered, err := s.candidates(ctx, q, l.db.Dialect())
		if err != nil || filtered && len(ids) == 0 {
			return err
		}
		among, counted := (*[]string)(nil), r.Page == "" && !filtered
		if filtered {
			among = &ids
		}
		if counted {
			if from, err = l.remembered(ctx, q, r.Caller, s); err != nil {
				return err
			}
		}
		if page, err = s.places(ctx, q, l.db.Dialect(), from, among); err != nil {
			return err
		}
		if counted {
			if err = l.remember(ctx, q, r.Caller, s, page); err != nil {
				return err
			}
		}
		if found.Instances, err = whole(ctx, q, l.db.Dialect(), page); err != nil {
			return err
		}
		if last := len(page) < s.Page.Size() && (len(page) > 0 || s.Page.Offset == 0); last && from == nil {
			found.Total = s.Page.Offset + uint64(len(page))
			return nil
		}
		found.Total, err = l.total(ctx, q, known, among)
		return err
	})
	if err != nil {
		return Found{}, fmt.Errorf("list instances: %w", err)
	}
	if len(page) > 0 && len(page) == s.Page.Size() {
		found.Next = l.positions.Seal(list, string(r.Caller), page[len(page)-1].text())
	}
	return found, nil
}

// open returns the row behind which the page of a [Reading.Page] begins, nil when there is none.
func (l *Lister) open(r Reading, list string) (*place, error) {
	if r.Page == "" {
		return nil, nil
	}
	row, err := l.positions.Open(list, string(r.Caller), r.Page)
	if err != nil {
		return nil, fault.Renamed(err, "position", call.PageHeader) // no such list has a field of that name
	}
	from := new(place)
	if err := json.Unmarshal(row, from); err != nil {
		return nil, fmt.Errorf("read where a page begins: %w", err)
	}
	return from, nil
}

// mark is the row before an offset, for as long as the list has not changed.
type mark struct {
	Row     place
	Settled eventlog.Position // what may have changed the list since stands behind it
}

// remembered returns the row before the offset of a page, as it is in a snapshot; nil when it has to
// be walked to.
func (l *Lister) remembered(ctx context.Context, q store.Querier, caller ident.Actor, s Search) (*place, error) {
	if s.Page.Offset == 0 {
		return nil, nil
	}
	text := l.places.Find(string(caller), s.name(), s.Page.Offset)
	if text == nil {
		return nil, nil
	}
	var kept mark
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("read the place of a page: %w", err)
	}
	changes := []string{Added{}.EventType(), Removed{}.EventType()}
	if s.column() == columns[ByName] {
		changes = append(changes, Changed{}.EventType())
	}
	quiet, err := l.log.Quiet(ctx, q, kept.Settled, changes...)
	if err != nil || !quiet {
		return nil, err
	}
	return &kept.Row, nil
}

// remember keeps the row with which a page ends in a snapshot, for the page that begins there.
func (l *Lister) remember(ctx context.Context, q store.Querier, caller ident.Actor, s Search, page []place) error {
	if len(page) == 0 {
		return nil
	}
	settled, err := l.log.Settled(ctx, q)
	if err != nil {
		return err
	}
	text, err := json.Marshal(mark{page[len(page)-1], settled})
	if err != nil {
		panic("instance: a mark that JSON cannot say: " + err.Error()) // it is texts and numbers
	}
	l.places.Keep(string(caller), s.name(), s.Page.Offset+uint64(len(page)), text)
	return nil
}

// name names the list that a search makes, whatever page of it is asked for: the same for the same
// search, and for no other.
func (s Search) name() string {
	said, err := json.Marshal([]any{s.Page.Ascending, s.column(), s.IDs, s.Domains})
	if err != nil {
		panic("instance: a search that JSON cannot say: " + err.Error()) // it is texts and a bool
	}
	digest := sha256.Sum256(said)
	return "instances " + hex.EncodeToString(digest[:])
}

// column is what the list is sorted by.
func (s Search) column() string {
	if int(s.By) < len(columns) {
		return columns[s.By]
	}
	return columns[ByID]
}

// place is a row of the list, by what it is sorted by: a name, a time, or only the id.
type place struct {
	Name string `json:"n,omitempty"`
	Time int64  `json:"t,omitempty"` // microseconds
	ID   string `json:"i"`
}

// text is p as it is sealed.
func (p place) text() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		panic("instance: a place that JSON cannot say: " + err.Error()) // it is texts and a number
	}
	return text
}

// key is the value of the column the list is sorted by, which is not the id.
func (p place) key(column string) any {
	if column == columns[ByCreation] {
		return p.Time
	}
	return p.Name
}

// places returns the rows of a page, in its order: behind a row, or else at the offset; among some ids,
// or else among all. They come from an index alone; there are eight texts for each column.
func (s Search) places(ctx context.Context, q store.Querier, dialect *store.Dialect, from *place, among *[]string) ([]place, error) {
	column, direction, behind := s.column(), " DESC", " < "
	if s.Page.Ascending {
		direction, behind = "", " > "
	}
	sql, where := `SELECT instance_id, `+column+` FROM instances`, " WHERE "
	args := []any{s.Page.Size()}
	param := func(arg any) string {
		args = append(args, arg)
		return "$" + strconv.Itoa(len(args))
	}
	if among != nil {
		sql, where = sql+where+dialect.InList("instance_id", param(*among)), " AND "
	}
	if from != nil && column == columns[ByID] {
		sql += where + `instance_id` + behind + param(from.ID)
	} else if from != nil {
		sql += where + `(` + column + `, instance_id)` + behind + `(` + param(from.key(column)) + `, ` + param(from.ID) + `)`
	}
	sql += ` ORDER BY ` + column + direction + `, instance_id` + direction + ` LIMIT $1`
	if from == nil {
		sql += ` OFFSET ` + param(s.Page.From())
	}
	return store.All(ctx, q, func(row store.Scanner) (p place, err error) {
		switch column {
		case columns[ByName]:
			err = row.Scan(&p.ID, &p.Name)
		case columns[ByCreation]:
			err = row.Scan(&p.ID, &p.Time)
		default:
			err = row.Scan(&p.ID, &p.ID)
		}
		return p, err
	}, sql, args...)
}

// wholeSQL reads instances with their domains: one row a domain. CROSS JOIN is the join that keeps
// SQLite to the order in which it is written.
const wholeSQL = `SELECT ` + selected + ` FROM instances i CROSS JOIN instance_domains d
 WHERE d.instance_id = i.instance_id AND `

// whole returns the instances of a page, in its order. It asks for them by their ids, as a list of any
// length for which the engines make one plan that suits it; a join with the page would be planned for
// a page of a length nobody has said.
func whole(ctx context.Context, q store.Querier, dialect *store.Dialect, page []place) ([]State, error) {
	if len(page) == 0 {
		return nil, nil
	}
	ids, at := make([]string, len(page)), make(map[string]int, len(page))
	for i, p := range page {
		ids[i], at[p.ID] = p.ID, i
	}
	found, err := collect(ctx, q, wholeSQL+dialect.InList("i.instance_id", "$1")+
		` ORDER BY i.instance_id, d.created_at, d.domain`, ids)
	if err != nil {
		return nil, err
	}
	ordered := make([]State, len(page))
	for _, s := range found {
		ordered[at[s.ID]] = s
	}
	// One without any domain, which only a damaged table holds, is not listed (contract section 2.3).
	return slices.DeleteFunc(ordered, func(s State) bool { return s.ID == "" }), nil
}

// count is how many instances there are as long as none comes or goes.
type count struct {
	instances uint64
	settled   eventlog.Position // what the count does not know stands behind it
	until     time.Time
}

// countLife is how long a count is believed at most, should the table have been repaired meanwhile,
// which leaves no event.
const countLife = 2 * time.Second

// total counts the instances on all pages. Those among some ids are few. Counting all of them takes
// longer than reading a page, so it is done again only when the log says that one has come or gone
// since, which known may be, or be nil.
func (l *Lister) total(ctx context.Context, q store.Querier, known *count, among *[]string) (n uint64, err error) {
	scan := func(row store.Scanner) (n uint64, err error) { return n, row.Scan(&n) }
	if among != nil {
		return store.One(ctx, q, scan, `SELECT count(*) FROM instances WHERE `+l.db.Dialect().InList("instance_id", "$1"), *among)
	}
	now := l.clock.Now()
	if known != nil && now.Before(known.until) {
		quiet, err := l.log.Quiet(ctx, q, known.settled, Added{}.EventType(), Removed{}.EventType())
		if quiet || err != nil {
			return known.instances, err
		}
	}
	fresh := &count{until: now.Add(countLife)}
	if fresh.settled, err = l.log.Settled(ctx, q); err != nil {
		return 0, err
	}
	if fresh.instances, err = store.One(ctx, q, scan, `SELECT count(*) FROM instances`); err != nil {
		return 0, err
	}
	l.counted.Store(fresh)
	return fresh.instances, nil
}
