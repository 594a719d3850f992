// Package scratch lends buffers for bodies of requests and answers, which are read or written whole and then not
// needed any more.
//
// It owns [Borrow] and [Return], a pool. It has no neighbours; transport and oidc borrow from it. Whoever is given the
// bytes of a buffer to write keeps nothing of them, as io.Writer demands; net/http does so for a stream of HTTP/2
// that its client resets, too.
package scratch

import (
	"bytes"
	"sync"
)

// maxKept is the size of the largest buffer worth keeping, in bytes.
const maxKept = 64 << 10

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Borrow returns a buffer that is empty and may have room. It is safe for concurrent use.
func Borrow() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

// Return takes a buffer back. The caller has copied what it still needs of it.
func Return(b *bytes.Buffer) {
	if b.Cap() <= maxKept {
		b.Reset()
		buffers.Put(b)
	}
}
