package org

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"castellan/internal/egress"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/hostname"
	"castellan/internal/ident"
)

// Proofs looks for what proves that a domain belongs to somebody.
type Proofs struct {
	// Get returns the status of a URL and at most limit bytes of what is there, see egress.Client.Get.
	Get func(ctx context.Context, url string, limit int) (status int, body []byte, err error)
	// LookupTXT returns the TXT records of a name, see net.Resolver.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
}

// tokenBytes is how much randomness a token has: 20 bytes are 32 characters (contract section 8).
const tokenBytes = 20

// newToken returns 32 characters that can be part of a URL.
func newToken(random io.Reader) (string, error) {
	b := make([]byte, tokenBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("random token: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(b)), nil
}

// Place returns where what proves d is looked for: the URL of a file that holds the token, or the name
// of a TXT record. What it is called is known to clients.
func (d Domain) Place() string {
	host, err := hostname.ASCII(d.Name)
	if err != nil {
		host = d.Name // made from a name that is none of the name system: it will not be found
	}
	if d.Validation == DNS {
		return "_zitadel-challenge." + host
	}
	return "https://" + host + "/.well-known/zitadel-challenge/" + d.Token + ".txt"
}

// Validate gives a domain a token that proves, once it is published, that the domain belongs to the
// organization; see [Validate.Decide]. It returns the domain with the token, see [Domain.Place].
func (s *Service) Validate(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor,
	domain string, how ValidationType,
) (Domain, error) {
	token, err := newToken(s.Random)
	if err != nil {
		return Domain{}, err
	}
	after, err := s.decide(ctx, at, id, actor, Validate{Domain: domain, Type: how, Token: token}.Decide)
	if err != nil {
		return Domain{}, err
	}
	d, _ := after.find(domain)
	return d, nil
}

// Verify looks for the proof that a domain belongs to an organization, and records what it has found.
// It returns the faults of [Verify.Decide]; the fault of a proof that is not there (ORG-F4zhw and
// ORG-G241f) or not the right one (ORG-GH422, ORG-G28if), or that did not come in time (ORG-K563l); and
// V3-DKcYh when another organization has verified the domain.
func (s *Service) Verify(ctx context.Context, at ident.InstanceID, id ident.OrgID, actor ident.Actor, domain string) (State, error) {
	before, err := Get(ctx, s.DB, at, id)
	if err != nil {
		return State{}, err
	}
	d, err := before.unproved(domain)
	if err != nil {
		return State{}, err
	}
	missing := s.Proofs.look(ctx, d)
	if ctx.Err() != nil {
		return State{}, ctx.Err() // the caller has left, which proves nothing
	}
	after, err := s.decide(ctx, at, id, actor, func(now State) ([]eventlog.Payload, error) {
		return Verify{Checked: d, Failed: missing != nil}.Decide(now)
	})
	if err == nil && missing != nil {
		err = missing
	}
	return after, err
}

// maxProof is how much of a file is read, in bytes.
const maxProof = 1024

// look returns nil when the proof is there, and otherwise why not.
func (p Proofs) look(ctx context.Context, d Domain) error {
	if d.Validation == DNS {
		records, err := p.LookupTXT(ctx, d.Place())
		if err == nil && !slices.Contains(records, d.Token) {
			return absent("ORG-G28if", "Errors.Org.DomainVerificationTXTNoMatch", "must have the token as its TXT record", nil)
		}
		return unreachable(err, "ORG-G241f", "Errors.Org.DomainVerificationTXTNotFound", "must have a TXT record that can be found")
	}
	status, body, err := p.Get(ctx, d.Place(), maxProof)
	switch {
	case err == nil && status/100 != 2:
		err = fmt.Errorf("the status is %d", status)
	case err == nil && strings.TrimSpace(string(body)) != d.Token:
		return absent("ORG-GH422", "Errors.Org.DomainVerificationHTTPNoMatch", "must serve the token in its file", nil)
	}
	return unreachable(err, "ORG-F4zhw", "Errors.Org.DomainVerificationHTTPNotFound", "must serve a file that can be fetched")
}

// unreachable turns the error of looking for a proof into a fault: one of its own when time ran out.
func unreachable(err error, id, message, rule string) error {
	var dns *net.DNSError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &dns) && dns.IsTimeout:
		return absent("ORG-K563l", "Errors.Org.DomainVerificationTimeout", "must answer in time", err)
	}
	var ours *egress.Error
	if errors.As(err, &ours) {
		rule += ": " + ours.Error() // a sentence of our own
	}
	return absent(id, message, rule, err)
}

// absent is the fault of a proof that was not found.
func absent(id, message, rule string, cause error) error {
	return fault.New(fault.NotFound, id, message).WithViolation("domain", rule).WithCause(cause)
}
