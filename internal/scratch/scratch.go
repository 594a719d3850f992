// Package scratch lends buffers for bodies of requests and answers, which are read or written whole and then not
// needed any more.
//
// It owns [Borrow], [Return] and [Send], a pool. It has no neighbours; transport and oidc borrow from it.
//
// It guarantees that nobody's bytes are in the answer to somebody else: a buffer is lent again only when nobody can
// read it any more.
package scratch

import (
	"bytes"
	"io"
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

// Send writes what is in a buffer and takes it back. After an error of w, which it returns, the buffer is not lent
// again: net/http may still be reading what it was given when it says so, as of a stream of HTTP/2 that the client
// has reset.
func Send(w io.Writer, b *bytes.Buffer) error {
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	Return(b)
	return nil
}
