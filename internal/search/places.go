package search

import (
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"

	"castellan/internal/ident"
)

const (
	// maxPlaces is how many places are remembered.
	maxPlaces = 10_000
	// placeLife is how long one is, at most: long enough for whoever reads page after page.
	placeLife = time.Minute
)

// Places remembers which row a page of a list ended with, so that the page that begins there is found
// without a walk from the beginning of the list. It forgets: what is not there is found by walking. It
// does not know whether the list has changed since: what is kept must let its noun find that out.
// It is safe for concurrent use.
type Places struct {
	clock ident.Clock
	cache *otter.Cache[[sha256.Size]byte, *place]
}

type place struct {
	row   []byte
	until time.Time
}

// NewPlaces returns an empty memory.
func NewPlaces(clock ident.Clock) *Places {
	return &Places{
		clock: clock,
		cache: otter.Must(&otter.Options[[sha256.Size]byte, *place]{MaximumSize: maxPlaces}),
	}
}

// Keep remembers the row before an offset, in whatever form its noun gives it. list names the list
// with everything about the search but its page; caller is who read it, and who alone finds it again.
func (p *Places) Keep(caller, list string, offset uint64, row []byte) {
	p.cache.Set(placeKey(caller, list, offset), &place{row, p.clock.Now().Add(placeLife)})
}

// Find returns the row that was kept last, nil when there is none.
func (p *Places) Find(caller, list string, offset uint64) []byte {
	found, ok := p.cache.GetIfPresent(placeKey(caller, list, offset))
	if !ok || !p.clock.Now().Before(found.until) {
		return nil
	}
	return found.row
}

// placeKey is of one size however long a search is. The lengths keep its parts apart.
func placeKey(caller, list string, offset uint64) [sha256.Size]byte {
	b := strconv.AppendInt(nil, int64(len(caller)), 10)
	b = append(b, ':')
	b = append(b, caller...)
	b = append(b, list...)
	b = append(b, ':')
	return sha256.Sum256(strconv.AppendUint(b, offset, 10))
}
