package kit

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for something that must happen soon. It is long enough
// for a busy machine: waiting costs nothing when all is well.
const Patience = 30 * time.Second

// Logs keeps what a program logs, and wakes those who wait for a line.
type Logs struct {
	mu    sync.Mutex
	text  []byte
	grown chan struct{} // closed and replaced when text grows
}

// NewLogs returns empty logs.
func NewLogs() *Logs { return &Logs{grown: make(chan struct{})} }

// Write implements io.Writer.
func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	close(l.grown)
	l.grown = make(chan struct{})
	return len(p), nil
}

// Bytes returns everything logged so far.
func (l *Logs) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.text)
}

// Wait returns the first whole line with the given text, waiting for it if need be. ended, when
// it is not nil, is closed when no more lines can come.
func (l *Logs) Wait(t testing.TB, text string, ended <-chan struct{}) string {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for last := false; ; {
		l.mu.Lock()
		line, grown := find(l.text, text), l.grown
		l.mu.Unlock()
		if line != "" {
			return line
		}
		if last {
			t.Fatalf("the program ended without logging %q; it logged:\n%s", text, l.Bytes())
		}
		select {
		case <-grown:
		case <-ended:
			last = true // look once more at what it said last
		case <-deadline.C:
			t.Fatalf("nothing logged has %q; logged:\n%s", text, l.Bytes())
		}
	}
}

// find returns the first whole line of log with text, or the empty string.
func find(log []byte, text string) string {
	for line := range strings.Lines(string(log)) {
		if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
			return line
		}
	}
	return ""
}
