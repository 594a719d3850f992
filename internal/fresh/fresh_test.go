package fresh

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// box is the aggregate of these tests: a name that leads to it, from any instance, and a number in it.
type box struct {
	eventlog.Head

	Name    string
	Number  int64
	Removed bool
}

type (
	boxSet struct {
		Name   string `json:"name"`
		Number int64  `json:"number"`
	}
	boxRemoved struct{}
)

func (boxSet) EventType() string     { return "box.set" }
func (boxRemoved) EventType() string { return "box.removed" }

var boxes = eventlog.NewNoun(eventlog.Noun[box]{
	Type:     "box",
	Payloads: []eventlog.Payload{boxSet{}, boxRemoved{}},
	Apply: func(s box, e eventlog.Event) box {
		s.Head = s.After(e)
		switch p := e.Payload.(type) {
		case boxSet:
			s.Name, s.Number = p.Name, p.Number
		case boxRemoved:
			s.Removed = true
		}
		return s
	},
	Tables: []eventlog.Table[box]{
		{
			Name: "boxes", Key: []string{"instance_id", "box_id"}, Rest: []string{"number", "sequence"},
			Kept: eventlog.Kept{Epoch: eventlog.Access},
			Rows: func(s box) [][]any {
				if s.Removed {
					return nil
				}
				return [][]any{{string(s.Instance), s.ID, s.Number, int64(s.Sequence)}}
			},
		},
		{
			Name: "box_names", Key: []string{"name"}, Rest: []string{"instance_id", "box_id"},
			Kept: eventlog.Kept{Epoch: eventlog.Settings, FoundOnly: true},
			Rows: func(s box) [][]any {
				if s.Removed || s.Name == "" {
					return nil
				}
				return [][]any{{s.Name, string(s.Instance), s.ID}}
			},
		},
		{
			Name: "box_diary", Key: []string{"instance_id", "box_id"}, Rest: []string{"entry"},
			Rows: func(s box) [][]any { return [][]any{{string(s.Instance), s.ID, s.Number}} },
		},
	},
})

const ddl = `CREATE TABLE boxes (instance_id {text} NOT NULL, box_id {text} NOT NULL, number {int} NOT NULL, sequence {int} NOT NULL,
 PRIMARY KEY (instance_id, box_id)) {strict};
CREATE TABLE box_names (name {text} NOT NULL PRIMARY KEY, instance_id {text} NOT NULL, box_id {text} NOT NULL) {strict};
CREATE TABLE box_diary (instance_id {text} NOT NULL, box_id {text} NOT NULL, entry {int} NOT NULL,
 PRIMARY KEY (instance_id, box_id)) {strict}`

// counted is a database that counts what is asked of it outside of transactions, and can hold that up.
type counted struct {
	store.DB
	queries atomic.Int64
	hold    func() // called by each query, when not nil
	mute    bool   // it does not tell its version
}

func (c *counted) Version() (uint64, bool) {
	if c.mute {
		return 0, false
	}
	return c.DB.Version()
}

func (c *counted) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	c.queries.Add(1)
	if c.hold != nil {
		c.hold()
	}
	return c.DB.Query(ctx, sql, args...)
}

// node is one node: its own handle of the database where the engine has such, and its own caches.
type node struct {
	testing.TB
	db     *counted
	log    *eventlog.Log
	epochs *Epochs
	byID   *Cache[boxKey, int64]
	byName *Cache[string, int64]
}

type boxKey struct {
	instance ident.InstanceID
	id       string
}

// eachEngine runs fn with two nodes, which have the instances 1 and 2.
func eachEngine(t *testing.T, fn func(t *testing.T, a, b *node)) {
	t.Helper()
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open(t)
		a := newNode(t, db)
		var b *node
		if d.Engine.MultiNode {
			b = newNode(t, d.Open(t))
		} else {
			b = newNode(t, db)
			b.db.mute = true
		}
		a.must(db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for sql := range strings.SplitSeq(d.Engine.DDL(ddl), ";") {
				if err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		}))
		a.create("1")
		a.create("2")
		fn(t, a, b)
	})
}

func newNode(t testing.TB, db store.DB) *node {
	n := &node{TB: t, db: &counted{DB: db}}
	keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	n.log = eventlog.New(n.db, keys, ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)), boxes)
	n.epochs = NewEpochs(n.db, n.log)
	n.byID = NewCache[boxKey, int64](n.epochs, 100)
	n.byName = NewCache[string, int64](n.epochs, 100)
	return n
}

func (n *node) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

func (n *node) write(id ident.InstanceID, fn func(ctx context.Context, w *eventlog.Writer) error) error {
	return n.log.Write(context.Background(), id, "ada", fn)
}

func (n *node) create(id ident.InstanceID) {
	n.Helper()
	n.must(n.write(id, func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
}

// set puts a number in a box, and a name on it.
func (n *node) set(key boxKey, name string, number int64) error {
	return n.change(key, boxSet{Name: name, Number: number})
}

func (n *node) change(key boxKey, p eventlog.Payload) error {
	return n.write(key.instance, func(ctx context.Context, w *eventlog.Writer) error {
		// The state is the fold of what the log has: these tests have no rows for it.
		events, err := n.log.Of(ctx, w, key.instance, eventlog.Position{}, 10_000)
		if err != nil {
			return err
		}
		var s box
		for _, e := range events {
			if e.Aggregate.ID == key.id {
				s = boxes.Apply(s, e)
			}
		}
		if s.Exists() {
			_, err = eventlog.Append(ctx, w, boxes, s, p)
		} else {
			_, err = eventlog.Begin(ctx, w, boxes, eventlog.Origin{ID: key.id, Owner: "org"}, p)
		}
		return err
	})
}

func scanNumber(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) }

// get returns the number in a box, 0 when there is no box: also that there is none is kept.
func (n *node) get(ctx context.Context, key boxKey) (int64, error) {
	return n.byID.Get(ctx, key.instance, key, func(ctx context.Context, q store.Querier) (int64, error) {
		all, err := store.All(ctx, q, scanNumber, `SELECT number FROM boxes WHERE instance_id = $1 AND box_id = $2`, key.instance, key.id)
		if err != nil || len(all) == 0 {
			return 0, err
		}
		return all[0], nil
	})
}

// find returns the number in the box with a name, or store.ErrNotFound.
func (n *node) find(ctx context.Context, name string) (int64, error) {
	return n.byName.Find(ctx, name, func(ctx context.Context, q store.Querier) (int64, ident.InstanceID, error) {
		type found struct {
			number   int64
			instance ident.InstanceID
		}
		f, err := store.One(ctx, q, func(row store.Scanner) (f found, err error) { return f, row.Scan(&f.number, &f.instance) },
			`SELECT b.number, b.instance_id FROM box_names n JOIN boxes b ON b.instance_id = n.instance_id AND b.box_id = n.box_id
 WHERE n.name = $1`, name)
		return f.number, f.instance, err
	})
}

// TestNothingIsEverStale compares two nodes with what was written, whatever is done in whatever order.
func TestNothingIsEverStale(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, b *node) {
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			ids := []ident.InstanceID{ident.InstanceID(fmt.Sprintf("%d-x", round)), ident.InstanceID(fmt.Sprintf("%d-y", round))}
			nodes := []*node{a, b}
			for _, id := range ids {
				a.create(id)
			}
			numbers, names := make(map[boxKey]int64), make(map[boxKey]string)
			ended := make(map[ident.InstanceID]bool)
			next := int64(0)
			aNode := func() *node { return rapid.SampledFrom(nodes).Draw(t, "node") }
			aKey := func() boxKey {
				return boxKey{rapid.SampledFrom(ids).Draw(t, "instance"), rapid.SampledFrom([]string{"p", "q"}).Draw(t, "box")}
			}
			aName := func() string {
				return fmt.Sprintf("%d-%s", round, rapid.SampledFrom([]string{"n", "m"}).Draw(t, "name"))
			}
			owner := func(name string) (boxKey, bool) {
				for k, n := range names {
					if n == name {
						return k, true
					}
				}
				return boxKey{}, false
			}
			t.Repeat(map[string]func(*rapid.T){
				"set": func(t *rapid.T) {
					key, name := aKey(), aName()
					next++
					err := aNode().set(key, name, next)
					holder, taken := owner(name)
					switch {
					case ended[key.instance]:
						if !errors.Is(err, eventlog.ErrNoInstance) {
							t.Fatalf("write to an instance that is gone: %v", err)
						}
					case taken && holder != key:
						if !store.ConflictIn(err, "box_names") {
							t.Fatalf("a name that is taken: %v", err)
						}
					case err != nil:
						t.Fatal(err)
					default:
						numbers[key], names[key] = next, name
					}
				},
				"remove": func(t *rapid.T) {
					key := aKey()
					if numbers[key] == 0 {
						return
					}
					if err := aNode().set(key, "", 0); err != nil {
						t.Fatal(err)
					}
					numbers[key] = 0
					delete(names, key)
				},
				"end": func(t *rapid.T) {
					id := rapid.SampledFrom(ids).Draw(t, "instance")
					if ended[id] || rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
						return
					}
					n := aNode()
					for _, box := range []string{"p", "q"} { // as a removal does: the names are free at once
						if names[boxKey{id, box}] != "" {
							n.must(n.set(boxKey{id, box}, "", 0))
						}
						delete(names, boxKey{id, box})
						numbers[boxKey{id, box}] = 0
					}
					n.must(n.write(id, func(ctx context.Context, w *eventlog.Writer) error { return w.Destroy(ctx) }))
					ended[id] = true
				},
				"get": func(t *rapid.T) {
					key := aKey()
					got, err := aNode().get(context.Background(), key)
					if err != nil || got != numbers[key] {
						t.Fatalf("%v: %d, %v; want %d", key, got, err, numbers[key])
					}
				},
				"find": func(t *rapid.T) {
					name := aName()
					got, err := aNode().find(context.Background(), name)
					key, taken := owner(name)
					if !taken && !errors.Is(err, store.ErrNotFound) || taken && (err != nil || got != numbers[key]) {
						t.Fatalf("%s: %d, %v; want %d, %t", name, got, err, numbers[key], taken)
					}
				},
			})
		})
	})
}

// TestAnswersUnderRace: whoever asks after a write was answered sees it or a later one, while many write and
// ask on both nodes.
func TestAnswersUnderRace(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, b *node) {
		const writers, askers, writes = 2, 6, 40
		nodes := []*node{a, b}
		var boxesOf [writers]struct {
			key      boxKey
			answered atomic.Int64 // the last number whose write was answered
		}
		for i := range boxesOf {
			boxesOf[i].key = boxKey{ident.InstanceID(fmt.Sprint(1 + i%2)), fmt.Sprint("box", i)}
		}
		stop := make(chan struct{})
		var writing, asking sync.WaitGroup
		for i := range boxesOf {
			writing.Go(func() {
				for number := int64(1); number <= writes; number++ {
					if err := nodes[rand.IntN(2)].set(boxesOf[i].key, fmt.Sprint("name", i), number); err != nil {
						t.Error(err)
						return
					}
					boxesOf[i].answered.Store(number)
				}
			})
		}
		for i := range askers {
			asking.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					at, one := nodes[(i+n)%2], &boxesOf[rand.IntN(writers)]
					before := one.answered.Load()
					got, err := at.get(t.Context(), one.key)
					if err != nil || got < before {
						t.Errorf("get: %d, %v, after %d was answered", got, err, before)
						return
					}
					before = one.answered.Load()
					got, err = at.find(t.Context(), "name"+strings.TrimPrefix(one.key.id, "box"))
					if before > 0 && (err != nil || got < before) {
						t.Errorf("find: %d, %v, after %d was answered", got, err, before)
						return
					}
				}
			})
		}
		writing.Wait()
		close(stop)
		asking.Wait()
	})
}

// TestWhatIsKeptCostsOneStatement counts what the database is asked.
func TestWhatIsKeptCostsOneStatement(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, _ *node) {
		a.db.mute = true
		key := boxKey{"1", "p"}
		a.must(a.set(key, "n", 7))
		costs := func(name string, want int64, ask func() (int64, error)) {
			t.Helper()
			before := a.db.queries.Load()
			if got, err := ask(); err != nil || got != 7 {
				t.Errorf("%s: %d, %v", name, got, err)
			}
			if asked := a.db.queries.Load() - before; asked != want {
				t.Errorf("%s costs %d statements, want %d", name, asked, want)
			}
		}
		get := func() (int64, error) { return a.get(t.Context(), key) }
		find := func() (int64, error) { return a.find(t.Context(), "n") }
		costs("the first get", 2, get)
		costs("another get", 1, get)
		costs("the first find", 1, find)
		costs("the second find", 2, find)
		costs("another find", 1, find)
		a.must(a.set(boxKey{"2", "p"}, "", 1))
		costs("a get after a change of another instance", 1, get)
		costs("a find after that", 1, find)
		a.must(a.set(boxKey{"1", "q"}, "m", 1))
		costs("a get after a change", 2, get)
		costs("a find after a change", 2, find)
		costs("another find", 1, find)
		if got, ok := a.byID.Stale(key); got != 7 || !ok {
			t.Errorf("stale: %d, %t", got, ok)
		}
		if _, ok := a.byID.Stale(boxKey{"2", "x"}); ok {
			t.Error("there is a stale value of what nobody asked for")
		}
	})
}

// TestAVersionSparesTheStatement: an engine that knows of all commits need not be asked while there are none.
func TestAVersionSparesTheStatement(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, _ *node) {
		if _, ok := a.db.Version(); !ok {
			t.Skip("the engine has no version")
		}
		key := boxKey{"1", "p"}
		a.must(a.set(key, "n", 7))
		ask := func(want int64) {
			t.Helper()
			got, err := a.get(t.Context(), key)
			found, err2 := a.find(t.Context(), "n")
			if errors.Join(err, err2) != nil || got != want || found != want {
				t.Errorf("%d, %d, %v, %v", got, found, err, err2)
			}
		}
		costs := func(name string, want, statements int64) {
			t.Helper()
			ask(want)
			ask(want)
			before := a.db.queries.Load()
			ask(want)
			if asked := a.db.queries.Load() - before; asked != statements {
				t.Errorf("%s: %d statements", name, asked)
			}
		}
		costs("at rest", 7, 0)
		a.must(a.set(boxKey{"2", "p"}, "", 1))
		before := a.db.queries.Load()
		ask(7)
		if asked := a.db.queries.Load() - before; asked != 2 {
			t.Errorf("after a commit: %d statements", asked)
		}
		costs("at rest again", 7, 0)
		a.must(a.set(key, "n", 8))
		ask(8)
	})
}

// TestOneRequestAsksOnce: what a request has been told is good for the rest of it, until it writes.
func TestOneRequestAsksOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, b *node) {
		a.db.mute = true
		p, q := boxKey{"1", "p"}, boxKey{"1", "q"}
		a.must(a.set(p, "n", 7))
		ask := func(ctx context.Context, key boxKey, want int64) {
			t.Helper()
			if got, err := a.get(ctx, key); err != nil || got != want {
				t.Errorf("%v: %d, %v, want %d", key, got, err, want)
			}
		}
		ask(t.Context(), p, 7)
		ask(t.Context(), q, 0)
		before := a.db.queries.Load()
		request := eventlog.WithMoment(t.Context())
		ask(request, p, 7)
		ask(request, q, 0)
		if asked := a.db.queries.Load() - before; asked != 1 {
			t.Errorf("%d statements", asked)
		}
		a.must(b.set(p, "n", 8))
		ask(request, q, 0) // it began before that
		ask(eventlog.WithMoment(t.Context()), p, 8)
		a.must(a.log.Write(request, "2", "ada", func(context.Context, *eventlog.Writer) error { return nil }))
		ask(request, p, 8)
	})
}

// TestAMomentDoesNotVouchForLater: a reading that a request has from its beginning says nothing about the
// version of the database since.
func TestAMomentDoesNotVouchForLater(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, b *node) {
		p, q := boxKey{"1", "p"}, boxKey{"1", "q"}
		a.must(a.set(p, "", 1))
		for _, key := range []boxKey{p, q} {
			_, err := a.get(t.Context(), key)
			a.must(err)
		}
		a.must(a.set(boxKey{"2", "p"}, "", 1)) // another version
		request := eventlog.WithMoment(t.Context())
		_, err := a.get(request, q)
		a.must(err)
		a.must(b.set(p, "", 2))
		_, err = a.get(request, p)
		a.must(err)
		if got, err := a.get(t.Context(), p); err != nil || got != 2 {
			t.Errorf("%d, %v", got, err)
		}
	})
}

// TestManyShareStatements: a hundred who ask while a statement is on its way share the next one.
func TestManyShareStatements(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, _ *node) {
		for i := range 5 {
			a.must(a.set(boxKey{"1", fmt.Sprint(i)}, "", int64(i)))
		}
		for i := range 5 {
			if _, err := a.get(t.Context(), boxKey{"1", fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		a.db.mute = true
		const askers = 100
		held, proceed := make(chan struct{}), make(chan struct{})
		var once sync.Once
		a.db.hold = func() {
			once.Do(func() { close(held) })
			<-proceed
		}
		before := a.db.queries.Load()
		answers := make(chan error, askers)
		ask := func(i int) {
			got, err := a.get(t.Context(), boxKey{"1", fmt.Sprint(i % 5)})
			if err == nil && got != int64(i%5) {
				err = fmt.Errorf("box %d has %d", i%5, got)
			}
			answers <- err
		}
		go ask(0)
		<-held
		for i := 1; i < askers; i++ {
			go ask(i)
		}
		for waiting := 0; waiting < askers-1; {
			a.epochs.mu.Lock()
			if b := a.epochs.next; b != nil {
				waiting = b.waiting
			}
			a.epochs.mu.Unlock()
		}
		close(proceed)
		for range askers {
			a.must(<-answers)
		}
		if asked := a.db.queries.Load() - before; asked != 2 {
			t.Errorf("%d statements for %d who asked", asked, askers)
		}
	})
}

// stuck is a database that answers nothing until ctx ends.
type stuck struct{ store.DB }

func (stuck) Query(ctx context.Context, _ string, _ ...any) (store.Rows, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (stuck) Version() (uint64, bool) { return 0, false }

func (stuck) Dialect() *store.Dialect { return &store.Dialect{MemberOf: "IN LIST"} }

// TestAStuckDatabase: nobody waits for longer than the limit for a read, be it the own one or the one before it, and
// who leaves is not waited for.
func TestAStuckDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := stuck{}
		e := NewEpochs(db, eventlog.New(db, nil, ident.SystemClock{}, boxes))
		begin := time.Now()
		ask := func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() {
				_, err := e.of(ctx, "1")
				done <- err
			}()
			synctest.Wait()
			return done
		}
		leader := ask(t.Context())
		gone, going := context.WithCancel(t.Context())
		left, waiting := ask(gone), ask(t.Context())
		going()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
		if err := <-leader; !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != readLimit {
			t.Errorf("the leader got %v after %s", err, time.Since(begin))
		}
		if err := <-waiting; !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 2*readLimit {
			t.Errorf("who waited got %v after %s", err, time.Since(begin))
		}
		synctest.Wait()
		if e.reading || e.next != nil {
			t.Error("somebody reads for nobody")
		}
	})
}

func TestWhatMayNotBeKept(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, _ *node) {
		c := NewCache[string, int64](a.epochs, 10)
		for sql, want := range map[string]string{
			`SELECT entry FROM box_diary WHERE instance_id = $1`:                                                      "table box_diary is read into a cache",
			`SELECT b.number FROM boxes b JOIN box_diary d ON d.instance_id = b.instance_id WHERE b.instance_id = $1`: "table box_diary is read into a cache",
			`SELECT b.number FROM boxes b LEFT JOIN box_names n ON n.box_id = b.box_id WHERE b.instance_id = $1`:      "that table box_names has no row",
			`SELECT b.number FROM boxes b WHERE EXISTS (SELECT 1 FROM box_names n WHERE n.box_id = b.box_id)`:         "that table box_names has no row",
			`SELECT number FROM boxes WHERE instance_id = $1`:                                                         "",
			`SELECT count(*) FROM (SELECT name FROM box_names WHERE instance_id = $1) AS x`:                           "that table box_names has no row",
			`SELECT count(*) FROM (SELECT number FROM boxes WHERE instance_id = $1) AS x`:                             "",
			`SELECT length(sealed_key) FROM instance_keys WHERE instance_id = $1`:                                     "",
		} {
			for range 2 {
				_, err := c.Get(t.Context(), "1", sql, func(ctx context.Context, q store.Querier) (int64, error) {
					_, err := store.All(ctx, q, scanNumber, sql, "1")
					return 0, err
				})
				if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
					t.Errorf("%s: %v", sql, err)
				}
			}
		}
	})
}

func TestErrorsAreNotKept(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, _ *node) {
		a.db.mute = true
		broken := errors.New("broken")
		c := NewCache[string, int64](a.epochs, 10)
		var fail error
		get := func(ctx context.Context, q store.Querier) (int64, error) {
			n, err := store.One(ctx, q, scanNumber, `SELECT count(*) FROM boxes WHERE instance_id = $1`, "1")
			return n, errors.Join(fail, err)
		}
		find := func(ctx context.Context, q store.Querier) (int64, ident.InstanceID, error) {
			n, err := get(ctx, q)
			return n, "1", err
		}
		for i, want := range []error{broken, nil, nil, broken, nil} {
			fail = want
			if i == 3 {
				a.must(a.set(boxKey{"1", "p"}, "", 1)) // what is kept is of no use any more
			}
			if _, err := c.Get(t.Context(), "1", "get", get); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("get %d: %v, want %v", i, err, want)
			}
			if _, err := c.Find(t.Context(), "find", find); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("find %d: %v, want %v", i, err, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Get(ctx, "1", "get", get); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that has left: %v", err)
		}
	})
}

// TestMemoryIsBounded: the size is the limit, whatever is asked.
func TestMemoryIsBounded(t *testing.T) {
	eachEngine(t, func(t *testing.T, a, _ *node) {
		c := NewCache[int, int64](a.epochs, 50)
		for i := range 1000 {
			if _, err := c.Get(t.Context(), "1", i, func(context.Context, store.Querier) (int64, error) { return int64(i), nil }); err != nil {
				t.Fatal(err)
			}
		}
		c.entries.CleanUp()
		if n := c.entries.EstimatedSize(); n > 50 {
			t.Errorf("%d values are kept", n)
		}
	})
}

func BenchmarkEpochs(b *testing.B) {
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		b.Run(e.Name, func(b *testing.B) {
			n := newNode(b, e.New(b).Open(b))
			n.db.mute = true
			n.create("1")
			b.Run("alone", func(b *testing.B) {
				for b.Loop() {
					if _, err := n.epochs.of(b.Context(), "1"); err != nil {
						b.Fatal(err)
					}
				}
			})
			for _, askers := range []int{4, 16, 64} {
				b.Run(fmt.Sprint(askers), func(b *testing.B) {
					before := n.db.queries.Load()
					b.SetParallelism(askers / 2)
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if _, err := n.epochs.of(b.Context(), "1"); err != nil {
								b.Error(err)
							}
						}
					})
					b.ReportMetric(float64(n.db.queries.Load()-before)/float64(b.N), "statements/op")
				})
			}
		})
	}
}
