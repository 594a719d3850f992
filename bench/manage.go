package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"castellan/bench/rows"
)

// Sizes of what operators do with instances.
const (
	pageSize  = 100 // instances on a page
	listCalls = 40  // of the one client that lists
	addCalls  = 40  // of the one client that adds domains
)

// Paths of what operators do with instances.
const (
	pathSearch  = "/system/v1/instances/_search"
	pathDomains = "/system/v1/domains/"
)

// page is the request of one page, in the order of ids.
func page(offset int) []byte {
	return []byte(`{"query":{"asc":true,"limit":` + strconv.Itoa(pageSize) + `,"offset":"` + strconv.Itoa(offset) + `"}}`)
}

// list reads one page, which must be full.
func (c *restClient) list(offset int) error {
	answer, err := c.do(http.MethodPost, pathSearch, page(offset))
	if err != nil {
		return err
	}
	var found struct {
		Result []struct{ ID string }
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return fmt.Errorf("answer of ListInstances: %w", err)
	}
	if len(found.Result) != pageSize {
		return fmt.Errorf("ListInstances answered %d instances at %d", len(found.Result), offset)
	}
	return nil
}

// measureList lets one client list the first instances of the large database, and of the small one.
func (f *field) measureList(ctx context.Context, s servers) error {
	first := func(c *restClient) call {
		body := page(0)
		return func(context.Context, int) error {
			_, err := c.do(http.MethodPost, pathSearch, body)
			return err
		}
	}
	c := comparison{token: f.token}
	c.rest("list the large database", s.large, 1, first, limit{calls: listCalls})
	c.rest("list the small database", s.small, 1, first, limit{calls: listCalls})
	all, err := c.run(ctx, f.rounds)
	if err != nil {
		return err
	}
	const most = 5 // ms
	typical := all[0].median(p50)
	f.out.add(figure{
		what:     fmt.Sprintf("ListInstances, %d of %d, 1 client, p50", pageSize, f.instances),
		value:    msText(typical),
		baseline: fmt.Sprintf("%s, castellan with the small database", msText(all[1].median(p50))),
		ratio:    ratio(all[0], all[1], p50), target: atMost(typical, most, digits(most)+" ms"),
	})
	return nil
}

// domainsOf reads the names of domains out of answers of GetInstance.
func domainsOf(answers map[string]rows.Answer) ([]string, error) {
	var names []string
	for id, a := range answers {
		var got struct {
			Instance struct {
				Domains []struct{ Domain string }
			}
		}
		if err := json.Unmarshal(a.REST, &got); err != nil {
			return nil, fmt.Errorf("answer of GetInstance %s: %w", id, err)
		}
		for _, d := range got.Instance.Domains {
			names = append(names, d.Domain)
		}
	}
	return names, nil
}

// measureExists lets many clients ask for domains.
func (f *field) measureExists(ctx context.Context, s servers) error {
	answers, err := rows.LoadAnswers(f.answers)
	if err != nil {
		return err
	}
	names, err := domainsOf(answers)
	if err != nil {
		return err
	}
	asks := func(c *restClient) call {
		next, body := pick(names), []byte("{}")
		return func(context.Context, int) error {
			name := next()
			answer, err := c.do(http.MethodPost, pathDomains+name+"/_exists", body)
			if err == nil && string(answer) != `{"exists":true}` && string(answer) != `{"exists": true}` {
				err = fmt.Errorf("ExistsDomain of %s answered %s", name, answer)
			}
			return err
		}
	}
	c := comparison{token: f.token}
	c.rest("ask for domains", s.large, readClients, asks, limit{time: manyTime})
	c.rest("ask for domains on bare", s.bare, readClients, asks, limit{time: manyTime})
	all, err := c.run(ctx, f.rounds)
	if err != nil {
		return err
	}
	part := ratio(all[0], all[1], rate)
	f.out.add(figure{
		what:     fmt.Sprintf("ExistsDomain, %d clients", readClients),
		value:    rateText(all[0].median(rate)),
		baseline: rateText(all[1].median(rate)) + ", bare handler",
		ratio:    part, target: atLeast(part, leastRead, digits(leastRead)+" x"),
	})
	return nil
}

// measureAddDomain lets one client add domains.
func (f *field) measureAddDomain(ctx context.Context, s servers) error {
	var n atomic.Int64 // names are used once
	adds := func(c *restClient) call {
		next := pick(f.ids)
		return func(context.Context, int) error {
			body := []byte(`{"domain":"d` + strconv.FormatInt(n.Add(1), 10) + `.example"}`)
			_, err := c.do(http.MethodPost, pathGet+next()+"/domains", body)
			return err
		}
	}
	c := comparison{token: f.token}
	c.rest("add domains", s.large, 1, adds, limit{calls: addCalls})
	c.rest("add domains on bare", s.bare, 1, adds, limit{calls: addCalls})
	all, err := c.run(ctx, f.rounds)
	if err != nil {
		return err
	}
	const most = 2 // ms
	f.reportTypical("AddDomain, 1 client, p50", all[0], all[1], most, "")
	return nil
}
