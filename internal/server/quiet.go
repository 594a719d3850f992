package server

import "time"

// quietTime is how long no call must have come before the server is at rest.
const quietTime = 3 * time.Second

// quiet finds out when the server has come to rest, and when it works. Streams that stay open are no work, so
// it is not asked how many calls are in flight.
type quiet struct {
	served uint64 // calls when it looked last
	rested bool   // it has said so since the last call
}

// pace is what a server does at the moment.
type pace int

const (
	resting     pace = iota // as before
	comesToRest             // for the first time since the last call, or since the start
	working                 // a call has begun since the last look
)

// look is asked once every [quietTime], with the number of calls that have begun so far.
func (q *quiet) look(served uint64) pace {
	switch {
	case served != q.served:
		q.served, q.rested = served, false
		return working
	case q.rested:
		return resting
	}
	q.rested = true
	return comesToRest
}
