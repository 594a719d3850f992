package server

import (
	"time"

	"castellan/internal/api/lifecycle"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/systemuser"
	"castellan/internal/vault"
)

const (
	// maxWatches is how many streams of changes a node serves at once.
	maxWatches = 100
	// heartbeat is how often such a stream says that it is there.
	heartbeat = 20 * time.Second
	// lookInterval is how often the one that follows the log for them looks without a signal, see
	// eventlog.Log.Follow.
	lookInterval = time.Second
)

// lifecycle composes the operators' own service.
func (s *Server) lifecycle(keyring *vault.Keyring, clock ident.Clock) *lifecycle.Service {
	return &lifecycle.Service{
		DB:         s.db,
		Instances:  &instance.Service{DB: s.db, Log: s.events},
		Operators:  &systemuser.Service{DB: s.db, Log: s.events, Users: s.users, Clock: clock},
		Log:        s.events,
		Tail:       eventlog.NewTail(s.events, every(lookInterval)),
		Positions:  keyring.Positions(),
		Clock:      clock,
		Beat:       every(heartbeat),
		MaxWatches: maxWatches,
		Retention:  limit.Retention,
		Written:    s.audit.Flush,
	}
}

// every returns a function that makes tickers.
func every(interval time.Duration) func() (<-chan time.Time, func()) {
	return func() (<-chan time.Time, func()) {
		t := time.NewTicker(interval)
		return t.C, t.Stop
	}
}
