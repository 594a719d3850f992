package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The heap in use is a few MB. By the runtime's own rule, to collect when it has doubled, it would be collected
// dozens of times a second under load, at a price that does not depend on how much there is to find.
const (
	// restPercent is by how many percent the heap grows before it is collected.
	restPercent = 200
	// workSpare is how many bytes it may grow beyond that while there is work, when so many as leastLive or
	// more are in use.
	workSpare = 24 << 20
	leastLive = 16 << 20
)

// heap decides how far the heap grows before it is collected. An operator who sets GOGC has decided already.
type heap struct{ decided bool }

func newHeap() heap {
	h := heap{decided: os.Getenv("GOGC") != ""}
	if !h.decided {
		debug.SetGCPercent(restPercent)
	}
	return h
}

// follow fits the heap to the pace of the server. Most servers are at rest most of the time: then memory goes
// back to the operating system. The runtime keeps what a busy minute needed (19 MiB for each password hash) for
// much longer.
func (h heap) follow(p pace) {
	switch p {
	case working:
		if !h.decided {
			debug.SetGCPercent(workPercent(liveHeap()))
		}
	case comesToRest:
		if !h.decided {
			debug.SetGCPercent(restPercent)
		}
		runtime.GC() // pools keep what they hold for one collection
		debug.FreeOSMemory()
	case resting:
	}
}

// workPercent is by how many percent a heap of so many bytes in use may grow.
func workPercent(live uint64) int {
	return restPercent + int(100*workSpare/max(live, leastLive))
}

// liveHeap returns how many bytes the last collection has found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
