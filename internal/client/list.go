package client

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"castellan/internal/terminal"

	zitadelv1 "castellan/gen/zitadel/v1"
)

const (
	// PageSize is how many entries --all asks for at a time.
	PageSize = 1000
	// ShownLimit is how many entries are shown unless flags say otherwise.
	ShownLimit = 100
)

// Page is the part of a list that one call asks for.
type Page struct {
	// Offset is how many entries come before it, Limit how many it has at most, 0 for what the
	// server has as its limit.
	Offset uint64
	Limit  uint32
	// Asc is the order: ascending.
	Asc bool
	// position is where it begins, as the answer before said it, instead of Offset.
	position string
}

// Query is the page as the System API takes it.
func (p Page) Query() *zitadelv1.ListQuery {
	return &zitadelv1.ListQuery{Offset: p.Offset, Limit: p.Limit, Asc: p.Asc}
}

// Paging is what the flags of a list say about pages.
type Paging struct {
	page      Page
	desc, all bool
	flags     *pflag.FlagSet
}

// AddPaging gives cmd the flags of a list that comes in pages.
func AddPaging(cmd *cobra.Command) *Paging {
	p := &Paging{flags: cmd.Flags()}
	f := cmd.Flags()
	f.Uint32Var(&p.page.Limit, "limit", ShownLimit, "how many to show at most, 0 for as many as one answer takes")
	f.Uint64Var(&p.page.Offset, "offset", 0, "how many to skip")
	f.BoolVar(&p.page.Asc, "asc", false, "in ascending order, as without either flag")
	f.BoolVar(&p.desc, "desc", false, "in descending order")
	f.BoolVar(&p.all, "all", false, fmt.Sprintf("show all of them, asked for %d at a time", PageSize))
	cmd.MarkFlagsMutuallyExclusive("asc", "desc")
	cmd.MarkFlagsMutuallyExclusive("all", "limit")
	return p
}

// first is the first page to ask for; a list that has no pages is one.
func (p *Paging) first() Page {
	if p == nil {
		return Page{}
	}
	first := p.page
	first.Asc = !p.desc
	if p.all {
		first.Limit = PageSize
	}
	return first
}

// next returns the page after last, whose answer had got entries of total and said that the next
// one begins at position; ok is false when there is none to ask for. Pages that a list does not
// say the positions of are counted.
func (p *Paging) next(last Page, got int, total uint64, position string) (next Page, ok bool) {
	switch {
	case p == nil || !p.all:
		return last, false
	case position != "" || last.position != "":
		last.position = position
		return last, position != ""
	}
	last.Offset += uint64(got)
	return last, got > 0 && last.Offset < total
}

// tell says that there are more entries than were shown, unless that was asked for. It is said
// to programs too: they could take the part for the whole.
func (p *Paging) tell(w io.Writer, shown int, total uint64) {
	if p != nil && !p.all && p.page.Offset+uint64(shown) < total && !p.flags.Changed("limit") {
		fmt.Fprintf(w, "There are %d; --all shows all of them.\n", total)
	}
}

// List makes cmd a command that shows a list: of the procedure, page by page as pages says, all
// at once when it is nil. items returns the entries of an answer and how many there are on all
// pages; row shows one under the header.
func List[Req, Res, Item any, Answer message[Res]](
	s Surroundings, cmd *cobra.Command, procedure string, pages *Paging, request func(args []string, p Page) (*Req, error),
	items func(answer *Res) (entries []Item, total uint64), header terminal.Row, row func(Item) terminal.Row,
) *cobra.Command {
	at, output := Add(cmd)
	cmd.RunE = s.Do(func(ctx context.Context, args []string) error {
		to, err := at.Client(s)
		if err != nil {
			return err
		}
		shown := terminal.NewList(s.Out, *output, header, Answer(new(Res)))
		for p, more := pages.first(), true; more; {
			asked, err := request(args, p)
			if err != nil {
				return err
			}
			answer, position, err := InvokePage[Req, Res](ctx, to, procedure, p.position, asked)
			if err != nil {
				return to.Explain(err)
			}
			entries, total := items(answer)
			if err := shown.Page(Answer(answer), Rows(entries, row)); err != nil {
				return err
			}
			pages.tell(s.Err, len(entries), total)
			p, more = pages.next(p, len(entries), total, position)
		}
		return shown.End()
	})
	return cmd
}

// Rows shows entries as rows.
func Rows[Item any](entries []Item, row func(Item) terminal.Row) []terminal.Row {
	rows := make([]terminal.Row, len(entries))
	for i, entry := range entries {
		rows[i] = row(entry)
	}
	return rows
}
