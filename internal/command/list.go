package command

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/client"
	"castellan/internal/terminal"

	zitadelv1 "castellan/gen/zitadel/v1"
)

const (
	// pageSize is how many entries --all asks for at a time.
	pageSize = 1000
	// shownLimit is how many entries are shown unless flags say otherwise.
	shownLimit = 100
)

// page is the part of a list that one call asks for.
type page struct {
	offset uint64
	limit  uint32
	asc    bool
	// position is where it begins, as the answer before said it, instead of offset.
	position string
}

// query is the page as the System API takes it.
func (p page) query() *zitadelv1.ListQuery {
	return &zitadelv1.ListQuery{Offset: p.offset, Limit: p.limit, Asc: p.asc}
}

// paging is what the flags of a list say about pages.
type paging struct {
	page
	desc, all bool
	flags     *pflag.FlagSet
}

// addPaging gives cmd the flags of a list that comes in pages.
func addPaging(cmd *cobra.Command) *paging {
	p := &paging{flags: cmd.Flags()}
	f := cmd.Flags()
	f.Uint32Var(&p.limit, "limit", shownLimit, "how many to show at most, 0 for as many as one answer takes")
	f.Uint64Var(&p.offset, "offset", 0, "how many to skip")
	f.BoolVar(&p.asc, "asc", false, "in ascending order, as without either flag")
	f.BoolVar(&p.desc, "desc", false, "in descending order")
	f.BoolVar(&p.all, "all", false, fmt.Sprintf("show all of them, asked for %d at a time", pageSize))
	cmd.MarkFlagsMutuallyExclusive("asc", "desc")
	cmd.MarkFlagsMutuallyExclusive("all", "limit")
	return p
}

// first is the first page to ask for; a list that has no pages is one.
func (p *paging) first() page {
	if p == nil {
		return page{}
	}
	first := p.page
	first.asc = !p.desc
	if p.all {
		first.limit = pageSize
	}
	return first
}

// next returns the page after last, whose answer had got entries of total and said that the next
// one begins at position; ok is false when there is none to ask for. Pages that a list does not
// say the positions of are counted.
func (p *paging) next(last page, got int, total uint64, position string) (next page, ok bool) {
	switch {
	case p == nil || !p.all:
		return last, false
	case position != "" || last.position != "":
		last.position = position
		return last, position != ""
	}
	last.offset += uint64(got)
	return last, got > 0 && last.offset < total
}

// tell says that there are more entries than were shown, unless that was asked for. It is said
// to programs too: they could take the part for the whole.
func (p *paging) tell(w io.Writer, shown int, total uint64) {
	if p != nil && !p.all && p.offset+uint64(shown) < total && !p.flags.Changed("limit") {
		fmt.Fprintf(w, "There are %d; --all shows all of them.\n", total)
	}
}

// list makes cmd a command that shows a list: of the procedure, page by page as pages says, all
// at once when it is nil. items returns the entries of an answer and how many there are on all
// pages; row shows one under the header.
func list[Req, Res, Item any, Answer message[Res]](
	c *Commands, cmd *cobra.Command, procedure string, pages *paging, request func(args []string, p page) (*Req, error),
	items func(answer *Res) (entries []Item, total uint64), header terminal.Row, row func(Item) terminal.Row,
) *cobra.Command {
	at, output := c.addClient(cmd)
	cmd.RunE = c.Do(func(ctx context.Context, args []string) error {
		to, err := at.Client(c.Surroundings)
		if err != nil {
			return err
		}
		shown := c.newListing(*output, header, Answer(new(Res)))
		for p, more := pages.first(), true; more; {
			asked, err := request(args, p)
			if err != nil {
				return err
			}
			answer, position, err := client.InvokePage[Req, Res](ctx, to, procedure, p.position, asked)
			if err != nil {
				return to.Explain(err)
			}
			entries, total := items(answer)
			if err := shown.page(Answer(answer), rowsOf(entries, row)); err != nil {
				return err
			}
			pages.tell(c.Err, len(entries), total)
			p, more = pages.next(p, len(entries), total, position)
		}
		return shown.end()
	})
	return cmd
}

// listing shows a list in the form that --output says.
type listing struct {
	table    *terminal.Table
	document *terminal.ListJSON // instead of the table
}

// newListing returns what shows a list whose answers are of the type of like.
func (c *Commands) newListing(form string, header terminal.Row, like proto.Message) listing {
	if form == terminal.OutputJSON {
		return listing{document: terminal.NewListJSON(c.Out, entriesOf(like))}
	}
	return listing{table: terminal.NewTable(c.Out, header)}
}

// page shows one page: answer, whose entries are rows.
func (l listing) page(answer proto.Message, rows []terminal.Row) error {
	if l.document != nil {
		return l.document.Write(answer)
	}
	return l.table.Write(rows)
}

// end ends the list.
func (l listing) end() error {
	if l.document != nil {
		return l.document.Close()
	}
	return nil
}

// rowsOf shows entries as rows.
func rowsOf[Item any](entries []Item, row func(Item) terminal.Row) []terminal.Row {
	rows := make([]terminal.Row, len(entries))
	for i, entry := range entries {
		rows[i] = row(entry)
	}
	return rows
}

// entriesOf returns the name of the field of an answer that holds the entries of a list. It is
// the one list of messages in it.
func entriesOf(answer proto.Message) protoreflect.Name {
	fields := answer.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.IsList() && f.Message() != nil {
			return f.Name()
		}
	}
	panic(fmt.Sprintf("%T is no list", answer)) // which every test of the command would notice
}
