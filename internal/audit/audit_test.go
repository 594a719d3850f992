package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is a log on one database.
type fixture struct {
	*testing.T
	db    store.DB
	clock *ident.ManualClock
	log   *Log
}

func newFixture(t *testing.T, db store.DB, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{T: t, db: db, clock: ident.NewManualClock(start)}
	c := Config{DB: db, Clock: f.clock, Logger: slog.New(slog.DiscardHandler), Retention: time.Hour, Interval: time.Microsecond}
	if change != nil {
		change(&c)
	}
	var err error
	f.log, err = New(c)
	f.must(err)
	return f
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) { fn(newFixture(t, db, nil)) })
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// entry is a call the given number of minutes after the start.
func entry(minutes int) Entry {
	return Entry{
		At: start.Add(time.Duration(minutes) * time.Minute), Actor: "ada", Method: "/a.b.Service/Get", Protocol: "rest",
		Instance: "1", RemoteAddress: "192.0.2.1:4711", RequestID: fmt.Sprint("r", minutes), Outcome: OK, Duration: time.Second,
	}
}

// record queues entries; there must be places for them.
func (f *fixture) record(entries ...Entry) {
	f.Helper()
	for _, e := range entries {
		slot, err := f.log.Reserve(f.Context())
		f.must(err)
		slot.Record(e)
	}
}

// list returns the request ids of a page.
func (f *fixture) list(s Search) []string {
	f.Helper()
	found, err := List(f.Context(), f.db, s)
	f.must(err)
	var ids []string
	for _, r := range found.Records {
		ids = append(ids, r.RequestID)
	}
	return ids
}

func (f *fixture) equal(what string, got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAnEntryIsWrittenAsItWas(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		mine := entry(0)
		mine.ActorInstance, mine.At = "9", start.Add(123456789*time.Nanosecond)
		mine.Duration = 1234567 * time.Nanosecond
		f.record(mine)
		f.equal("before the flush", f.list(Search{}), []string(nil))
		f.must(f.log.Flush(f.Context()))
		found, err := List(f.Context(), f.db, Search{})
		f.must(err)
		mine.At, mine.Duration = start.Add(123456*time.Microsecond), 1234*time.Microsecond
		if len(found.Records) != 1 || found.Next != nil {
			f.Fatalf("found %+v", found)
		}
		f.equal("the entry", found.Records[0].Entry, mine)
		if kind := found.Records[0].Kind(); kind != InstanceUser {
			f.Errorf("kind %v", kind)
		}
		if (Entry{Actor: "op"}).Kind() != SystemUser {
			f.Error("an actor without an instance is no system user")
		}
	})
}

func TestHostileTextsAreBounded(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		long := strings.Repeat("ü", 5000)
		f.record(Entry{
			At: start, Actor: ident.Actor(long), ActorInstance: "a\x00b", Method: long, Protocol: long, Instance: "\xff\xfe1",
			RemoteAddress: long, RequestID: long, Outcome: long,
		})
		f.must(f.log.Flush(f.Context()))
		found, err := List(f.Context(), f.db, Search{})
		f.must(err)
		r := found.Records[0]
		if r.Instance != "?1" || r.ActorInstance != "a?b" {
			f.Errorf("instance %q, actor's %q", r.Instance, r.ActorInstance)
		}
		for text, limit := range map[string]int{
			string(r.Actor): maxName, r.Method: maxName, r.Protocol: maxWord, r.RemoteAddress: maxAddress, r.RequestID: maxID, r.Outcome: maxWord,
		} {
			if len(text) > limit || len(text) < limit-1 {
				f.Errorf("%d bytes, not about %d", len(text), limit)
			}
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("a\x00b", 2)
	f.Add("üü", 3)
	f.Add("\xff\xff\xff", 1)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(max(limit, 0), 1000)
		got := clean(text, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("%q in %d bytes became %q", text, limit, got)
		}
		if _, err := store.Arg(got); err != nil {
			t.Errorf("%q cannot be stored: %v", got, err)
		}
		if len(text) <= limit && utf8.ValidString(text) && !strings.Contains(text, "\x00") && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestRunWritesWhatComesAndWhatIsLeft(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ctx, stop := context.WithCancel(f.Context())
		done := make(chan error, 1)
		committed, unsubscribe := f.db.Committed()
		defer unsubscribe()
		go func() { done <- f.log.Run(ctx) }()
		for i := range 3 {
			f.record(entry(i))
			for len(f.list(Search{})) <= i {
				<-committed
			}
		}
		stop()
		f.must(<-done)
		f.equal("written", f.list(Search{}), []string{"r2", "r1", "r0"})
	})
}

func TestAnOrderlyStopWritesTheQueue(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.log.config.Interval = time.Hour // none of the entries is written before the stop
		ctx, stop := context.WithCancel(f.Context())
		done := make(chan error, 1)
		f.record(entry(0), entry(1))
		go func() { done <- f.log.Run(ctx) }()
		stop()
		f.must(<-done)
		f.equal("written", f.list(Search{}), []string{"r1", "r0"})
	})
}

// broken is a database that cannot be written.
type broken struct {
	store.DB
	refused chan struct{} // one for each attempt
}

func (b broken) Update(context.Context, func(context.Context, store.Tx) error) error {
	b.refused <- struct{}{}
	return fmt.Errorf("broken: %w", store.ErrUnavailable)
}

func TestWhatCannotBeWrittenGoesToTheLogOfTheProcess(t *testing.T) {
	t.Parallel()
	var text lockedBuffer
	db := broken{refused: make(chan struct{})}
	f := newFixture(t, db, func(c *Config) { c.Logger = slog.New(slog.NewJSONHandler(&text, nil)) })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.log.Run(ctx) }()
	f.record(entry(1))
	<-db.refused
	<-db.refused // it is tried again
	if f.log.Len() != 1 {
		t.Errorf("%d entries wait, want 1", f.log.Len())
	}
	stop()
	var err error
	for stopped := false; !stopped; {
		select {
		case <-db.refused:
		case err = <-done:
			stopped = true
		}
	}
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Run returned %v", err)
	}
	late, err := f.log.Reserve(t.Context())
	f.must(err)
	last := entry(2)
	last.Actor = "bob"
	late.Record(last)
	got := text.String()
	for _, want := range []string{`"request_id":"r1"`, `"request_id":"r2"`, `"actor":"bob"`, "trying again"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%s is not there once in\n%s", want, got)
		}
	}
	if len(f.log.places) != 0 || f.log.Len() != 0 {
		t.Errorf("%d places are taken, %d entries wait", len(f.log.places), f.log.Len())
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAFullQueueMakesCallsWait(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, func(c *Config) { c.Queue = 2 })
		f.record(entry(0))
		held, err := f.log.Reserve(t.Context())
		f.must(err)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if slot, err := f.log.Reserve(ctx); !errors.Is(err, context.Canceled) || slot.Held() {
			t.Errorf("a place in a full queue: %v", err)
		}
		waited := make(chan error, 1)
		go func() {
			slot, err := f.log.Reserve(t.Context())
			slot.Record(entry(1))
			waited <- err
		}()
		select {
		case err := <-waited:
			t.Fatalf("a call did not wait: %v", err)
		default:
		}
		held.Release()
		f.must(<-waited) // a place that is given back is taken by who waits
		f.must(f.log.Flush(t.Context()))
		f.equal("written", f.list(Search{}), []string{"r1", "r0"})

		held.Record(entry(9)) // a place that was given back is none
		f.record(entry(2), entry(3))
		f.must(f.log.Flush(t.Context()))
		f.equal("written", f.list(Search{}), []string{"r3", "r2", "r1", "r0"})
		if len(f.log.places) != 0 {
			t.Errorf("%d places are taken by nobody", len(f.log.places))
		}
	})
}

func TestEntriesOfManyCallersAreAllWritten(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, func(c *Config) { c.Queue = 7 })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.log.Run(ctx) }()
		const callers, calls = 8, 25
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				for range calls {
					slot, err := f.log.Reserve(ctx)
					if err != nil {
						t.Error(err)
					}
					slot.Record(entry(0)) // all at the same time
				}
			})
		}
		group.Wait()
		stop()
		f.must(<-done)
		if n := len(f.list(Search{Page: Page{Limit: 1000}})); n != callers*calls {
			t.Errorf("%d entries, want %d", n, callers*calls)
		}
	})
}

func TestAnEntryThatIsWrittenTwiceIsFoundOnce(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.record(entry(0), entry(0))
		f.log.mu.Lock()
		again := append([]numbered(nil), f.log.pending...)
		f.log.mu.Unlock()
		f.must(f.log.Flush(f.Context()))
		// As after a commit whose answer was lost.
		for range again {
			f.log.places <- struct{}{}
		}
		f.log.pending = again
		f.must(f.log.Flush(f.Context()))
		f.equal("written", f.list(Search{}), []string{"r0", "r0"})
	})
}

func TestTwoNodesDoNotMeet(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		one := newFixture(t, db, nil)
		two := newFixture(t, db, nil)
		one.record(entry(0))
		two.record(entry(0))
		one.must(one.log.Flush(t.Context()))
		two.must(two.log.Flush(t.Context()))
		one.equal("written", one.list(Search{}), []string{"r0", "r0"})
	})
}

func TestNoRandomnessNoLog(t *testing.T) {
	if _, err := New(Config{Random: bytes.NewReader(nil)}); !errors.Is(err, io.EOF) {
		t.Errorf("err = %v", err)
	}
}

func TestSearch(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const service = "/castellan.test.v1.Service/"
		at := func(minutes int, change func(*Entry)) Entry {
			e := entry(minutes)
			change(&e)
			return e
		}
		f.record(
			at(0, func(e *Entry) { e.Method = service + "Create" }),
			at(1, func(e *Entry) { e.Method = service + "Remove" }),
			at(2, func(e *Entry) { e.Method, e.Actor = service+"Remove", "bob" }),
			at(3, func(e *Entry) { e.Instance = "2" }),
			at(4, func(e *Entry) { e.Outcome = "PermissionDenied" }),
			at(5, func(e *Entry) { e.Outcome, e.Method = "PermissionDenied", service+"Remove" }),
		)
		f.must(f.log.Flush(f.Context()))
		minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
		tests := map[string]struct {
			search Search
			want   []string
		}{
			"all":              {Search{}, []string{"r5", "r4", "r3", "r2", "r1", "r0"}},
			"actor":            {Search{Actor: "bob"}, []string{"r2"}},
			"no such actor":    {Search{Actor: "bo"}, nil},
			"method":           {Search{Method: search.Text{Value: service + "Create"}}, []string{"r0"}},
			"methods begin":    {Search{Method: search.Text{Value: service, Method: search.StartsWith}}, []string{"r5", "r2", "r1", "r0"}},
			"methods contain":  {Search{Method: search.Text{Value: "re", Method: search.ContainsIgnoreCase}}, []string{"r5", "r2", "r1", "r0"}},
			"case counts":      {Search{Method: search.Text{Value: "/remove", Method: search.Contains}}, nil},
			"no wildcards":     {Search{Method: search.Text{Value: "%", Method: search.Contains}}, nil},
			"instance":         {Search{Instance: "2"}, []string{"r3"}},
			"from":             {Search{From: minute(4)}, []string{"r5", "r4"}},
			"until":            {Search{Until: minute(2)}, []string{"r1", "r0"}},
			"from until":       {Search{From: minute(2), Until: minute(3)}, []string{"r2"}},
			"from after until": {Search{From: minute(3), Until: minute(2)}, nil},
			"refused":          {Search{Outcome: "PermissionDenied"}, []string{"r5", "r4"}},
			"succeeded":        {Search{Outcome: OK, From: minute(2)}, []string{"r3", "r2"}},
			"all conditions": {Search{
				Actor: "ada", Method: search.Text{Value: "Remove", Method: search.EndsWith}, Instance: "1", From: minute(0),
				Until: minute(6), Outcome: "PermissionDenied",
			}, []string{"r5"}},
		}
		for name, tt := range tests {
			f.equal(name, f.list(tt.search), tt.want)
		}
	})
}

// TestPages goes through the log in pages of every size, with entries of one microsecond, and
// finds each entry once, newest first.
func TestPages(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		var want []string
		for i := range 9 {
			e := entry(i / 3) // three at a time
			e.RequestID = fmt.Sprint("r", i)
			e.Method = fmt.Sprint("/s/", i%2)
			f.record(e)
			want = append([]string{e.RequestID}, want...)
		}
		f.must(f.log.Flush(f.Context()))
		for _, method := range []search.Text{{}, {Value: "/s/", Method: search.StartsWith}} {
			for size := uint32(1); size <= 10; size++ {
				var got []string
				s := Search{Method: method, Page: Page{Limit: size}}
				for {
					found, err := List(f.Context(), f.db, s)
					f.must(err)
					for _, r := range found.Records {
						got = append(got, r.RequestID)
					}
					if len(found.Records) > int(size) {
						f.Errorf("%d entries on a page of %d", len(found.Records), size)
					}
					if found.Next == nil {
						break
					}
					s.Page.After = found.Next
				}
				f.equal(fmt.Sprintf("pages of %d", size), got, want)
			}
		}
		late := Search{Until: start.Add(time.Minute), Page: Page{After: &Position{At: start.Add(2 * time.Minute), Number: 1}}}
		f.equal("a page after the end of the search", f.list(late), []string{"r2", "r1", "r0"})
		if n := (Page{}).size(); n != DefaultPage {
			f.Errorf("a page holds %d", n)
		}
		if n := (Page{Limit: 1 << 31}).size(); n != MaxPage {
			f.Errorf("the largest page holds %d", n)
		}
	})
}

func TestSweep(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const old = 2*sweepBatch + 1
		f.log.places = make(chan struct{}, 2*old)
		for range old {
			f.record(entry(0))
		}
		f.record(entry(60), entry(61))
		f.must(f.log.Flush(f.Context()))
		f.clock.Advance(2 * time.Hour) // an hour is kept, and what is exactly as old
		f.must(f.log.Sweep(f.Context()))
		f.equal("kept", f.list(Search{}), []string{"r61", "r60"})
		f.must(f.log.Sweep(f.Context()))
		f.clock.Advance(time.Minute)
		f.must(f.log.Sweep(f.Context()))
		f.equal("kept a minute later", f.list(Search{}), []string{"r61"})
		f.log.config.Retention = 0
		f.clock.Advance(1000 * time.Hour)
		f.must(f.log.Sweep(f.Context()))
		f.equal("kept for ever", f.list(Search{}), []string{"r61"})
	})
}
