// Package rows copies what one instance has left in a database, and writes rows of the same
// shape again, under other ids. It is how a benchmark knows what the least work is that a
// creation could be: the same rows in the same tables through the same engine.
//
// It owns the reading of tables it does not know, by way of the database's own catalogue.
// What the rows mean belongs to the nouns, which it does not import. Beside it, bare serves
// what is copied here.
package rows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"castellan/internal/store"
)

// Shape is the rows of one instance, made ready to be written under other ids.
type Shape struct {
	Tables []Table
	// IDs is how many different ids the rows hold; First is the smallest of them.
	IDs   int
	First uint64
	// Answer is what the creation answered, in bytes; for whoever serves the shape.
	Answer []byte
}

// Table is the rows of one table.
type Table struct {
	Name    string
	Columns []string
	Rows    [][]Value
}

// Value is one value of a row; all fields nil is NULL.
type Value struct {
	Text  []Part  `json:",omitempty"`
	Int   *int64  `json:",omitempty"`
	Bool  *bool   `json:",omitempty"`
	Bytes *[]byte `json:",omitempty"`
}

// Part is a piece of a text: one that stays, or one that is different in every instance.
type Part struct {
	Stays string `json:",omitempty"`
	// ID is the number of an id, from 1; 0 is none.
	ID int `json:",omitempty"`
	// Suffix says that this is the random part of a generated domain.
	Suffix bool `json:",omitempty"`
}

var (
	// idText matches ids as ident.Source makes them.
	idText = regexp.MustCompile(`[0-9]{17,20}`)
	// suffixText matches the random part of a generated domain, castellan's or one of these rows.
	suffixText = regexp.MustCompile(`-([a-z0-9]{6,7})\.`)
)

// suffixLength is that of the random part in these rows: one more than castellan's.
const suffixLength = 7

// auditLog is a table of the operator: its rows say which instance a call was about, and are no part
// of that. They are written apart from what the call does, under keys of their own.
const auditLog = "audit_log"

// Columns an engine fills by itself, and the one it has an expression for.
const (
	logNumber = "log_number"
	commitID  = "commit_id"
)

// Capture reads the rows of an instance. It returns an error when there are none.
func Capture(ctx context.Context, db store.DB, instance string) (Shape, error) {
	tables, err := catalogue(ctx, db)
	if err != nil {
		return Shape{}, err
	}
	var s Shape
	c := capture{ids: make(map[string]int), shape: &s}
	for _, t := range tables {
		if err := c.table(ctx, db, t, instance); err != nil {
			return Shape{}, fmt.Errorf("read table %s: %w", t.name, err)
		}
	}
	if len(s.Tables) == 0 {
		return Shape{}, fmt.Errorf("instance %s has no rows", instance)
	}
	s.IDs = len(c.ids)
	return s, nil
}

// Count is how many rows the shape has, and how many of them are events.
func (s Shape) Count() (rows, events int) {
	for _, t := range s.Tables {
		rows += len(t.Rows)
		if t.Name == "events" {
			events = len(t.Rows)
		}
	}
	return rows, events
}

// intBytes is what a number counts as in Bytes.
const intBytes = 8

// Bytes is the sum of the sizes of all values: text and bytes as they are, numbers as 8, truth as 1.
func (s Shape) Bytes() (n int) {
	for _, t := range s.Tables {
		for _, row := range t.Rows {
			for _, v := range row {
				n += v.size()
			}
		}
	}
	return n
}

func (v Value) size() (n int) {
	switch {
	case v.Int != nil:
		return intBytes
	case v.Bool != nil:
		return 1
	case v.Bytes != nil:
		return len(*v.Bytes)
	}
	for _, p := range v.Text {
		switch {
		case p.ID > 0:
			n += len("300000000000000000")
		case p.Suffix:
			n += suffixLength - 1 // as castellan writes it
		default:
			n += len(p.Stays)
		}
	}
	return n
}

// Save writes the shape to a file.
func (s Shape) Save(path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// Load reads what Save has written.
func Load(path string) (s Shape, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// table is a table as the catalogue knows it.
type table struct {
	name    string
	columns []column
}

type column struct{ name, kind string }

// catalogues list tables, columns and types, by the name of the engine's dialect.
var catalogues = map[string]string{
	"sqlite": `SELECT m.name, p.name, lower(p.type) FROM sqlite_schema m JOIN pragma_table_info(m.name) p
 WHERE m.type = 'table' ORDER BY m.name, p.cid`,
	"postgres": `SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
 WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`,
}

// catalogue returns the tables whose rows belong to an instance.
func catalogue(ctx context.Context, db store.DB) ([]table, error) {
	sql, ok := catalogues[db.Dialect().Name]
	if !ok {
		return nil, fmt.Errorf("no catalogue is known for %s", db.Dialect().Name)
	}
	type entry struct{ table, column, kind string }
	entries, err := store.All(ctx, db, func(row store.Scanner) (e entry, err error) {
		return e, row.Scan(&e.table, &e.column, &e.kind)
	}, sql)
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	var all, owned []table
	for _, e := range entries {
		if len(all) == 0 || all[len(all)-1].name != e.table {
			all = append(all, table{name: e.table})
		}
		t := &all[len(all)-1]
		if e.column != logNumber {
			t.columns = append(t.columns, column{e.column, e.kind})
		}
	}
	for _, t := range all {
		for _, c := range t.columns {
			if c.name == "instance_id" && t.name != auditLog {
				owned = append(owned, t)
			}
		}
	}
	return owned, nil
}

// capture is the reading of one instance.
type capture struct {
	ids   map[string]int
	shape *Shape
}

// table reads the rows of one table; a table without any is left out.
func (c *capture) table(ctx context.Context, db store.DB, t table, instance string) error {
	names := make([]string, len(t.columns))
	for i, col := range t.columns {
		names[i] = col.name
	}
	sql := "SELECT " + strings.Join(names, ", ") + " FROM " + t.name + " WHERE instance_id = $1"
	rows, err := store.All(ctx, db, func(row store.Scanner) ([]Value, error) { return c.row(row, t) }, sql, instance)
	if err != nil || len(rows) == 0 {
		return err
	}
	c.shape.Tables = append(c.shape.Tables, Table{Name: t.name, Columns: names, Rows: rows})
	return nil
}

// row reads one row of columns whose types the catalogue has named.
func (c *capture) row(row store.Scanner, t table) ([]Value, error) {
	values, texts := make([]Value, len(t.columns)), make([]*string, len(t.columns))
	dest := make([]any, len(t.columns))
	bytes := make([][]byte, len(t.columns))
	for i, col := range t.columns {
		switch col.kind {
		case "text":
			dest[i] = &texts[i]
		case "integer", "bigint":
			dest[i] = &values[i].Int
		case "boolean":
			dest[i] = &values[i].Bool
		case "blob", "bytea":
			dest[i] = &bytes[i]
		default:
			return nil, fmt.Errorf("column %s has the unknown type %s", col.name, col.kind)
		}
	}
	if err := row.Scan(dest...); err != nil {
		return nil, err
	}
	for i, col := range t.columns {
		if texts[i] != nil {
			values[i].Text = c.parts(*texts[i], t.name == "instance_domains" && col.name == "domain")
		}
		if bytes[i] != nil {
			values[i].Bytes = &bytes[i]
		}
	}
	return values, nil
}

// parts takes a text apart. An empty text is one part that stays.
func (c *capture) parts(text string, domain bool) (parts []Part) {
	if domain {
		if at := suffixText.FindStringSubmatchIndex(text); at != nil {
			return []Part{{Stays: text[:at[2]]}, {Suffix: true}, {Stays: text[at[3]:]}}
		}
	}
	last := 0
	for _, at := range idText.FindAllStringIndex(text, -1) {
		if at[0] > last {
			parts = append(parts, Part{Stays: text[last:at[0]]})
		}
		parts = append(parts, Part{ID: c.number(text[at[0]:at[1]])})
		last = at[1]
	}
	if last < len(text) || text == "" {
		parts = append(parts, Part{Stays: text[last:]})
	}
	return parts
}

// number returns the number of an id.
func (c *capture) number(id string) int {
	if c.ids[id] == 0 {
		c.ids[id] = len(c.ids) + 1
		if n, err := strconv.ParseUint(id, 10, 64); err == nil && (c.shape.First == 0 || n < c.shape.First) {
			c.shape.First = n
		}
	}
	return c.ids[id]
}

// Writer writes the rows of a shape, as often as wanted.
type Writer struct {
	shape Shape
	sql   []string // for each table
}

// NewWriter returns a writer for databases of a dialect. It returns an error when the shape
// has no rows.
func NewWriter(s Shape, d *store.Dialect) (*Writer, error) {
	if len(s.Tables) == 0 || s.IDs == 0 {
		return nil, errors.New("the shape is empty")
	}
	w := &Writer{shape: s}
	for _, t := range s.Tables {
		marks, n := make([]string, len(t.Columns)), 0
		for i, name := range t.Columns {
			if name == commitID {
				marks[i] = d.CommitID
				continue
			}
			n++
			marks[i] = "$" + strconv.Itoa(n)
		}
		w.sql = append(w.sql, "INSERT INTO "+t.Name+" ("+strings.Join(t.Columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+")")
	}
	return w, nil
}

// Write queues all rows for the n-th time, n counting from 1: its ids follow those of n-1.
func (w *Writer) Write(ctx context.Context, tx store.Tx, n uint64) error {
	ids := make([]string, w.shape.IDs+1)
	base := w.shape.First + n*uint64(w.shape.IDs)
	for i := range ids {
		ids[i] = strconv.FormatUint(base+uint64(i), 10)
	}
	fresh := suffix(n)
	args := make([]any, 0, 32)
	for i, t := range w.shape.Tables {
		for _, row := range t.Rows {
			args = args[:0]
			for j, v := range row {
				if t.Columns[j] != commitID {
					args = append(args, v.arg(ids, fresh))
				}
			}
			if err := tx.Exec(ctx, w.sql[i], args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// arg is the value under other ids.
func (v Value) arg(ids []string, suffix string) any {
	switch {
	case v.Int != nil:
		return *v.Int
	case v.Bool != nil:
		return *v.Bool
	case v.Bytes != nil:
		return *v.Bytes
	case v.Text == nil:
		return nil
	case len(v.Text) == 1 && v.Text[0].ID > 0:
		return ids[v.Text[0].ID]
	}
	var b strings.Builder
	for _, p := range v.Text {
		switch {
		case p.ID > 0:
			b.WriteString(ids[p.ID])
		case p.Suffix:
			b.WriteString(suffix)
		default:
			b.WriteString(p.Stays)
		}
	}
	return b.String()
}

// suffix returns letters or digits, other ones for every n up to two thousand million, in no order, as the
// random ones they stand for. They are one more than those, so that none is that of an instance that is there already.
func suffix(n uint64) string {
	const (
		alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
		all      = 36 * 36 * 36 * 36 * 36 * 36
		step     = 1_500_450_271 // a prime, so that every remainder comes once
	)
	var b [suffixLength - 1]byte
	rest := n % all * step % all
	for i := range b {
		b[i] = alphabet[rest%36]
		rest /= 36
	}
	return string(b[:]) + "x"
}
