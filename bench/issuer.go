package main

import (
	"context"
	"errors"
	"net/http"
)

// leastPublic is what part of the rate of a bare handler the documents of an issuer must reach.
const leastPublic = 0.8

// readDocument returns calls that read a document at a domain.
func readDocument(domain, path string) func(*restClient) call {
	return func(c *restClient) call {
		c.host = domain
		return func(context.Context, int) error {
			_, err := c.do(http.MethodGet, path, nil)
			return err
		}
	}
}

// measureIssuer lets many clients read what everybody reads of an issuer, beside a bare handler that writes the
// same bytes and asks no database; and once more while a second node serves the same database, where the engine lets it.
func (f *field) measureIssuer(ctx context.Context, s servers) (err error) {
	const discovery, keys = "/.well-known/openid-configuration", "/oauth/v2/keys"
	domain := f.signers[0].domain
	err = f.measureDocuments(ctx, s, leastPublic,
		document{what: "discovery", path: discovery, does: readDocument(domain, discovery)},
		document{what: "keys of an issuer", path: keys, does: readDocument(domain, keys)})
	if err != nil || !f.engine.shared() {
		return err
	}
	second, err := f.start(ctx, f.large, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.end(second)) }()
	return f.measureDocuments(ctx, s, noTarget,
		document{what: "discovery, beside a second node", path: discovery, does: readDocument(domain, discovery)})
}
