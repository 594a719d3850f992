package rows

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"castellan/internal/store"
)

// Read is a point read.
type Read struct {
	SQL  string
	Args []string
	// Bytes is one more argument, after the others, unless it is empty.
	Bytes []byte
	// Columns are the types of what it returns, a letter each: s for text, i for an integer, b for a truth,
	// y for bytes. All of them may be NULL.
	Columns string
}

// Page is what a request for a path is worth: the reads that have to be made for it, and what castellan
// answered, with the headers it said itself.
type Page struct {
	Reads  []Read
	Header map[string][]string
	Answer []byte
}

// Serve makes the reads of a page and returns its answer.
func (p Page) Serve(ctx context.Context, q store.Querier) ([]byte, error) {
	for i := range p.Reads {
		if err := p.Reads[i].run(ctx, q); err != nil {
			return nil, err
		}
	}
	return p.Answer, nil
}

// run reads all rows.
func (r *Read) run(ctx context.Context, q store.Querier) error {
	args := make([]any, len(r.Args), len(r.Args)+1)
	for i, a := range r.Args {
		args[i] = a
	}
	if len(r.Bytes) > 0 {
		args = append(args, r.Bytes)
	}
	found, err := q.Query(ctx, r.SQL, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	dest := make([]any, len(r.Columns))
	for i, c := range r.Columns {
		switch c {
		case 's':
			dest[i] = new(*string)
		case 'i':
			dest[i] = new(*int64)
		case 'b':
			dest[i] = new(*bool)
		case 'y':
			dest[i] = new([]byte)
		default:
			return fmt.Errorf("rows: there is no type %q", c)
		}
	}
	for found.Next() {
		if err := found.Scan(dest...); err != nil {
			return err
		}
	}
	return found.Err()
}

// SavePages writes pages, by their paths, to a file.
func SavePages(path string, pages map[string]Page) error {
	text, err := json.Marshal(pages)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// LoadPages reads what SavePages has written.
func LoadPages(path string) (pages map[string]Page, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return pages, json.Unmarshal(text, &pages)
}
