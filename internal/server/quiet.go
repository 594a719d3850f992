package server

import "time"

// quietTime is how long no call must have come before the server is at rest.
const quietTime = 3 * time.Second

// quiet finds out when the server has come to rest. Then memory goes back to the operating
// system: the runtime keeps what a busy minute needed (19 MiB for each password hash) for much
// longer, and most servers are at rest most of the time.
type quiet struct {
	served uint64 // calls when it looked last
	rested bool   // it has said so since the last call
}

// begins is asked once every [quietTime], with the number of calls that have begun so far. It is
// true once for each time of rest. Streams that stay open are no work, so it is not asked how
// many calls are in flight.
func (q *quiet) begins(served uint64) bool {
	if served != q.served {
		q.served, q.rested = served, false
		return false
	}
	first := !q.rested
	q.rested = true
	return first
}
