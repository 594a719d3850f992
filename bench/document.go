package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"castellan/bench/rows"
)

// document is what many clients ask for at one path, beside a bare handler that answers the same bytes.
type document struct {
	what, path string
	// does is how it is asked for, with a token unless that is empty.
	does  func(*restClient) call
	token string
	// reads are what the bare handler reads for it.
	reads []rows.Read
}

// noTarget is where a figure is there to be known, and has no target.
const noTarget = 0

// measureDocuments lets many clients ask for documents. least is the target, as a part of the bare handler's
// rate, or noTarget.
func (f *field) measureDocuments(ctx context.Context, s servers, least float64, all ...document) (err error) {
	pages := make(map[string]rows.Page)
	for _, d := range all {
		page, err := f.sample(ctx, s.large.addr, d)
		if err != nil {
			return err
		}
		pages[d.path] = page
	}
	path := filepath.Join(f.dir, f.engine.title()+".pages.json")
	if err := rows.SavePages(path, pages); err != nil {
		return err
	}
	bare, err := f.startBare(ctx, "-pages", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.end(bare)) }()
	for _, d := range all {
		c := comparison{token: d.token}
		c.rest(d.what, s.large, readClients, d.does, limit{time: manyTime})
		c.rest(d.what+" on bare", bare, readClients, d.does, limit{time: manyTime})
		both, err := c.run(ctx, f.rounds)
		if err != nil {
			return err
		}
		beside := ", bare handler"
		if len(d.reads) == 0 {
			beside += " that asks no database"
		}
		part := ratio(both[0], both[1], rate)
		found := figure{
			what:     fmt.Sprintf("%s, %d clients", d.what, readClients),
			value:    rateText(both[0].median(rate)),
			baseline: rateText(both[1].median(rate)) + beside,
			ratio:    part,
		}
		if least != noTarget {
			found.target = atLeast(part, least, digits(least)+" x")
		}
		f.out.add(found)
	}
	return nil
}

// sample asks for a document once and returns the page of the bare handler: the same bytes, headers among them,
// but for those that every server writes for itself.
func (f *field) sample(ctx context.Context, addr string, d document) (page rows.Page, err error) {
	c, err := dialREST(addr, d.token)
	if err != nil {
		return page, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := d.does(c)(ctx, 0); err != nil {
		return page, err
	}
	page = rows.Page{Reads: d.reads, Answer: slices.Clone(c.body)}
	if page.Header, err = c.header(); err != nil {
		return page, err
	}
	for _, own := range []string{"Date", "Content-Length", "Transfer-Encoding"} {
		delete(page.Header, own)
	}
	return page, nil
}
