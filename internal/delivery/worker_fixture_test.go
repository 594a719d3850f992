package delivery

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"castellan/internal/egress"
	"castellan/internal/ident"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// alarms ring when the manual clock has come to their time.
type alarms struct {
	clock   *ident.ManualClock
	mu      sync.Mutex
	set     map[chan time.Time]time.Time
	changed chan struct{} // receives after an alarm was set
}

func newAlarms(clock *ident.ManualClock) *alarms {
	return &alarms{clock: clock, set: make(map[chan time.Time]time.Time), changed: make(chan struct{}, 1)}
}

func (a *alarms) at(t time.Time) (ring <-chan time.Time, stop func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := make(chan time.Time, 1)
	if t.After(a.clock.Now()) {
		a.set[c] = t
	} else {
		c <- t
	}
	select {
	case a.changed <- struct{}{}:
	default:
	}
	return c, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.set, c)
	}
}

// advance moves the clock and rings what is due.
func (a *alarms) advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock.Advance(d)
	for c, t := range a.set {
		if !t.After(a.clock.Now()) {
			c <- t
			delete(a.set, c)
		}
	}
}

// sleeps waits until a worker has looked and sleeps until one of these times.
func (a *alarms) sleeps(t testing.TB, until ...time.Time) {
	t.Helper()
	is := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, at := range a.set {
			if slices.ContainsFunc(until, at.Equal) {
				return true
			}
		}
		return false
	}
	for deadline := time.After(patience); !is(); {
		select {
		case <-a.changed:
		case <-deadline:
			t.Fatalf("no worker sleeps until %v", until)
		}
	}
}

// working is a fixture with a worker.
type working struct {
	*fixture
	*alarms
	worker *Worker
	logs   *syncBuffer
}

// syncBuffer is a buffer that goroutines share.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// worker returns a worker that may call this machine under one of its addresses, 127.0.0.1, and
// does not run yet. No time passes but what the test says.
func (f *fixture) worker() *working {
	f.Helper()
	w := &working{fixture: f, alarms: newAlarms(f.clock), logs: &syncBuffer{}}
	client := egress.New(egress.Config{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	f.Cleanup(client.Close)
	w.worker = &Worker{
		Deliveries: f.service(), Client: client, Clock: f.clock, Random: rand.Reader,
		Logger: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Alarm: w.at,
	}
	return w
}

// start runs the worker until the test ends or stop is called, which waits for it.
func (w *working) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	stopping, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		w.worker.Run(ctx, stopping)
	}()
	stop = sync.OnceFunc(func() {
		close(stopping)
		<-ended
		cancel()
	})
	w.Cleanup(func() {
		cancel() // a test that failed leaves no attempt behind
		stop()
	})
	return stop
}

// until waits for commits until a condition holds.
func (w *working) until(what string, holds func() bool) {
	w.Helper()
	committed, stop := w.db.Committed()
	defer stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-committed:
		case <-deadline:
			w.Fatalf("waited in vain until %s; logged:\n%s", what, w.logs)
		}
	}
}

// ended waits until a delivery has no row any more.
func (w *working) ended(instance ident.InstanceID, id ident.DeliveryID) {
	w.Helper()
	w.until("delivery "+string(id)+" has ended", func() bool {
		_, err := Get(w.Context(), w.db, instance, id)
		return err != nil
	})
}

// failures waits until a delivery has failed n times, and returns it.
func (w *working) failures(instance ident.InstanceID, id ident.DeliveryID, n int) (s State) {
	w.Helper()
	w.until("delivery "+string(id)+" has failed", func() bool {
		var err error
		s, err = Get(w.Context(), w.db, instance, id)
		w.must(err)
		return s.Failures >= n
	})
	return s
}

// receiver is a server that messages are sent to.
type receiver struct {
	*httptest.Server
	got    chan message // each message, before it is answered
	answer chan int     // the status of each
}

type message struct {
	id, contentType, agent, body string
}

// receive starts a receiver. It answers with 200 once answers, when there are any, are used up.
func receive(t testing.TB, answers ...int) *receiver {
	t.Helper()
	r := &receiver{got: make(chan message, 1000), answer: make(chan int, 1000)}
	for _, status := range answers {
		r.answer <- status
	}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil || req.Method != http.MethodPost {
			t.Errorf("%s, %v", req.Method, err)
		}
		r.got <- message{req.Header.Get(IDHeader), req.Header.Get("Content-Type"), req.Header.Get("User-Agent"), string(body)}
		select {
		case status := <-r.answer:
			if status == holding { // until the client has left, or the test is over
				<-req.Context().Done()
				return
			}
			w.WriteHeader(status)
		default:
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// holding is the answer that never comes.
const holding = -1

// next waits for a message.
func (r *receiver) next(t testing.TB) message {
	t.Helper()
	select {
	case m := <-r.got:
		return m
	case <-time.After(patience):
		t.Fatal("no message comes")
		return message{}
	}
}

// to is a message for a receiver.
func (r *receiver) to(body string) Due {
	return Due{Kind: "hook", URL: r.URL + "/hook?token=hunter2", ContentType: "text/plain", Body: []byte(body)}
}

// quiet fails when the log tells what nobody should know.
func (w *working) quiet() {
	w.Helper()
	if logs := w.logs.String(); strings.Contains(logs, "hunter2") || strings.Contains(logs, "/hook") {
		w.Errorf("the log shows the URL:\n%s", logs)
	}
}
