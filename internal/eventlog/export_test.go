package eventlog

// Keep makes a tail that has no readers keep fewer events.
func (t *Tail) Keep(size int) { t.size = size }

// Kept is how many events a tail keeps.
func (t *Tail) Kept() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	return len(t.run.events)
}

// SetRebuildBatch makes transactions of a rebuild smaller, so that a test has many of them.
func (l *Log) SetRebuildBatch(events, instances int) {
	l.rebuildEvents, l.rebuildInstances = events, instances
}

// Occupy takes all places of readers that read the log; release gives them back.
func (t *Tail) Occupy() (release func()) {
	for range cap(t.reads) {
		t.reads <- struct{}{}
	}
	return func() {
		for range cap(t.reads) {
			<-t.reads
		}
	}
}
