package org

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"castellan/internal/egress"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// world is what is published, by the place where it is.
type world struct {
	files   map[string]string
	status  int
	records map[string][]string
	err     error
	meet    func() // called while a proof is looked for
}

func (w *world) proofs() Proofs {
	return Proofs{
		Get: func(_ context.Context, url string, limit int) (int, []byte, error) {
			if w.meet != nil {
				w.meet()
			}
			body, found := w.files[url]
			switch {
			case w.err != nil:
				return 0, nil, w.err
			case w.status != 0:
				return w.status, []byte(body), nil
			case !found:
				return 404, []byte("none"), nil
			}
			return 200, []byte(body)[:min(limit, len(body))], nil
		},
		LookupTXT: func(_ context.Context, name string) ([]string, error) {
			if records, found := w.records[name]; found {
				return records, w.err
			}
			return nil, errors.Join(w.err, &net.DNSError{IsNotFound: true})
		},
	}
}

// validated is a fixture with the organizations a and b, which have both asked how bücher.example is to be
// proved.
func eachValidated(t *testing.T, how ValidationType, fn func(f *fixture, w *world)) {
	t.Helper()
	eachEngine(t, func(f *fixture) {
		f.have("a", "Acme", "b", "Bcme")
		f.orgs.Asks = func(context.Context, store.Querier, ident.InstanceID, ident.OrgID) (bool, error) { return true, nil }
		w := &world{files: map[string]string{}, records: map[string][]string{}}
		f.orgs.Proofs = w.proofs()
		f.orgs.Random = strings.NewReader("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
		for _, id := range []ident.OrgID{"a", "b"} {
			_, err := f.orgs.AddDomain(f.Context(), "1", id, "ada", "bücher.example")
			f.must(err)
			d, err := f.orgs.Validate(f.Context(), "1", id, "ada", "XN--bcher-kva.example", how)
			f.must(err)
			if len(d.Token) != 32 || d.Validation != how || d.Name != "bücher.example" || d.Verified {
				f.Errorf("to be published: %+v", d)
			}
			if id == "a" {
				w.files[d.Place()] = d.Token + "\n"
				w.records[d.Place()] = []string{"v=spf1 -all", d.Token}
			}
		}
		fn(f, w)
	})
}

func TestVerify(t *testing.T) {
	for _, how := range []ValidationType{HTTP, DNS} {
		t.Run(string(how), func(t *testing.T) {
			eachValidated(t, how, func(f *fixture, w *world) {
				n := f.events()
				after, err := f.orgs.Verify(f.Context(), "1", "a", "bob", "bücher.example")
				f.must(err)
				if d, _ := after.find("bücher.example"); !d.Verified || d.Token != "" || d.Validation != how {
					f.Errorf("verified: %+v", d)
				}
				f.left(n, "org.domain.verified")

				// b publishes what it was told to, but the domain has been given away.
				b, err := Get(f.Context(), f.orgs.DB, "1", "b")
				f.must(err)
				d, _ := b.find("bücher.example")
				w.files[d.Place()], w.records[d.Place()] = d.Token, []string{d.Token}
				_, err = f.orgs.Verify(f.Context(), "1", "b", "bob", "bücher.example")
				logtest.CheckRefusal(f, err, *refusal(fault.AlreadyExists, "V3-DKcYh", "domain"))
				f.left(n, "org.domain.verified")
			})
		})
	}
}

func TestNotProved(t *testing.T) {
	refused := &egress.AddressError{}
	cases := []struct {
		name   string
		how    ValidationType
		change func(w *world)
		id     string
	}{
		{"no file", HTTP, func(w *world) { clear(w.files) }, "ORG-F4zhw"},
		{"an error page", HTTP, func(w *world) { w.status = 500 }, "ORG-F4zhw"},
		{"another text", HTTP, func(w *world) { change(w.files, "<html>") }, "ORG-GH422"},
		{"more than the token", HTTP, func(w *world) { change(w.files, "token and more") }, "ORG-GH422"},
		{"an endless file", HTTP, func(w *world) { change(w.files, strings.Repeat("x", 10*maxProof)) }, "ORG-GH422"},
		{"no connection", HTTP, func(w *world) { w.err = refused }, "ORG-F4zhw"},
		{"no answer in time", HTTP, func(w *world) { w.err = context.DeadlineExceeded }, "ORG-K563l"},
		{"no record", DNS, func(w *world) { clear(w.records) }, "ORG-G241f"},
		{"another record", DNS, func(w *world) { change(w.records, []string{"v=spf1 -all"}) }, "ORG-G28if"},
		{"no server", DNS, func(w *world) { w.err = io.ErrUnexpectedEOF }, "ORG-G241f"},
		{"no server in time", DNS, func(w *world) { w.err = &net.DNSError{IsTimeout: true} }, "ORG-K563l"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			eachValidated(t, c.how, func(f *fixture, w *world) {
				c.change(w)
				n := f.events()
				_, err := f.orgs.Verify(f.Context(), "1", "a", "bob", "bücher.example")
				logtest.CheckRefusal(f, err, *refusal(fault.NotFound, c.id, "domain"))
				f.left(n, "org.domain.verification.failed")
				s, err := Get(f.Context(), f.orgs.DB, "1", "a")
				f.must(err)
				if d, _ := s.find("bücher.example"); d.Verified || d.Token == "" {
					f.Errorf("not proved: %+v", d)
				}
			})
		})
	}
}

// change puts another value at every place.
func change[V any](all map[string]V, value V) {
	for place := range all {
		all[place] = value
	}
}

// What was asked for meanwhile makes what was found worthless, and a caller who leaves proves nothing.
func TestVerifyMeanwhile(t *testing.T) {
	eachValidated(t, HTTP, func(f *fixture, w *world) {
		w.meet = func() {
			_, err := f.orgs.Validate(f.Context(), "1", "a", "ada", "bücher.example", HTTP)
			f.must(err)
		}
		n := f.events()
		_, err := f.orgs.Verify(f.Context(), "1", "a", "bob", "bücher.example")
		logtest.CheckRefusal(f, err, *refusal(fault.FailedPrecondition, "ORG-SFBB3", "domain"))
		f.left(n, "org.domain.verification.added")

		ctx, leave := context.WithCancel(f.Context())
		w.meet = leave
		if _, err := f.orgs.Verify(ctx, "1", "a", "bob", "bücher.example"); !errors.Is(err, context.Canceled) {
			f.Errorf("a caller who left: %v", err)
		}
		f.left(n, "org.domain.verification.added")
	})
}

func TestVerifyRefuses(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "Acme")
		n := f.events()
		for domain, want := range map[string]*logtest.Refusal{
			"other.example":     refusal(fault.NotFound, "ORG-Sjdi3", "domain"),
			"acme.acme.example": refusal(fault.FailedPrecondition, "ORG-HGw21", "domain"),
		} {
			_, err := f.orgs.Verify(f.Context(), "1", "a", "bob", domain)
			logtest.CheckRefusal(f, err, *want)
		}
		if _, err := f.orgs.Verify(f.Context(), "1", "b", "bob", "acme.acme.example"); !errors.Is(err, NotFound) {
			f.Errorf("of no organization: %v", err)
		}
		f.orgs.Random = bytes.NewReader(nil)
		if _, err := f.orgs.Validate(f.Context(), "1", "a", "bob", "x", HTTP); !errors.Is(err, io.EOF) {
			f.Errorf("without randomness: %v", err)
		}
		f.left(n)
	})
}
