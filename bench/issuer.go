package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"castellan/bench/rows"
)

// leastPublic is what part of the rate of a bare handler the documents of an issuer must reach.
const leastPublic = 0.8

// publicDocuments are what everybody asks of an issuer, by what they are.
var publicDocuments = []struct{ what, path string }{
	{"discovery", "/.well-known/openid-configuration"},
	{"keys of an issuer", "/oauth/v2/keys"},
}

// readDocument returns calls that read a document of the issuer at a domain.
func readDocument(domain, path string) func(*restClient) call {
	return func(c *restClient) call {
		c.host = domain
		return func(context.Context, int) error {
			_, err := c.do(http.MethodGet, path, nil)
			return err
		}
	}
}

// measureIssuer lets many clients read the documents of an issuer, beside a bare handler that writes the same
// bytes and asks no database.
func (f *field) measureIssuer(ctx context.Context, s servers) (err error) {
	domain := f.signers[0].domain
	pages := make(map[string]rows.Page)
	for _, d := range publicDocuments {
		answer, err := f.sample(ctx, s.large.addr, readDocument(domain, d.path))
		if err != nil {
			return err
		}
		pages[d.path] = rows.Page{Answer: answer}
	}
	path := filepath.Join(f.dir, f.engine.title()+".issuer.json")
	if err := rows.SavePages(path, pages); err != nil {
		return err
	}
	bare, err := f.startBare(ctx, "-pages", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.end(bare)) }()
	for _, d := range publicDocuments {
		c := comparison{}
		c.rest("read "+d.what, s.large, readClients, readDocument(domain, d.path), limit{time: manyTime})
		c.rest("read "+d.what+" on bare", bare, readClients, readDocument(domain, d.path), limit{time: manyTime})
		all, err := c.run(ctx, f.rounds)
		if err != nil {
			return err
		}
		part := ratio(all[0], all[1], rate)
		f.out.add(figure{
			what:     fmt.Sprintf("%s, %d clients", d.what, readClients),
			value:    rateText(all[0].median(rate)),
			baseline: rateText(all[1].median(rate)) + ", bare handler that asks no database",
			ratio:    part, target: atLeast(part, leastPublic, digits(leastPublic)+" x"),
		})
	}
	return nil
}
