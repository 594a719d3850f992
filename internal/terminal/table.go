package terminal

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
)

// columnGap is the space between two columns.
const columnGap = "  "

// Row is a line of a table.
type Row []string

// Table writes rows with their cells below each other, as they come: one batch of rows is
// aligned as a whole, and a later one is aligned with those before it as far as it fits. What
// would move the cursor or hide text in a terminal is replaced: names come from other people.
type Table struct {
	w      io.Writer
	header Row
	widths []int // of the columns so far, in characters
}

// NewTable returns a table with a header, none when it is nil, written with the first rows.
func NewTable(w io.Writer, header Row) *Table { return &Table{w: w, header: header} }

// WriteTable writes a table without a header: rows of a name and a value.
func WriteTable(w io.Writer, rows []Row) error { return NewTable(w, nil).Write(rows) }

// Write writes a batch of rows. It returns an error of the writer.
func (t *Table) Write(rows []Row) error {
	if t.header != nil {
		rows = append([]Row{t.header}, rows...)
		t.header = nil
	}
	shown := make([]Row, len(rows))
	for i, row := range rows {
		shown[i] = make(Row, len(row))
		for j, cell := range row {
			shown[i][j] = Printable(cell)
			if j == len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[j] = max(t.widths[j], utf8.RuneCountInString(shown[i][j]))
		}
	}
	b := bufio.NewWriter(t.w) // keeps the first error until Flush
	for _, row := range shown {
		var line strings.Builder
		for j, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", t.widths[j]-utf8.RuneCountInString(cell)) + columnGap)
		}
		_, _ = b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.Flush()
}
