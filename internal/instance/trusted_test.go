package instance

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/search"
)

func refusedTrust(kind fault.Kind, id string) *logtest.Refusal {
	return &logtest.Refusal{Kind: kind, ID: id, Fields: []string{"trusted_domain"}}
}

func TestTrustedDomains(t *testing.T) {
	trusting := append(slices.Clone(given), TrustedDomainAdded{Domain: "b.example"}, TrustedDomainAdded{Domain: "a.example"})
	full := slices.Clone(given)
	for i := range MaxTrusted {
		full = append(full, TrustedDomainAdded{Domain: fmt.Sprintf("t%d.example", i)})
	}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "it is normalised", Given: given, When: AddTrustedDomain{Domain: " WWW.Bücher.example"}.Decide,
			Then: []eventlog.Payload{TrustedDomainAdded{Domain: "www.xn--bcher-kva.example"}},
		},
		{
			Name: "its own domain may be one, too", Given: given, When: AddTrustedDomain{Domain: custom}.Decide,
			Then: []eventlog.Payload{TrustedDomainAdded{Domain: custom}},
		},
		{Name: "blank", Given: given, When: AddTrustedDomain{Domain: " \t"}.Decide, Fault: refusedTrust(fault.InvalidArgument, "COMMA-Stk21")},
		{Name: "characters", Given: given, When: AddTrustedDomain{Domain: "a b"}.Decide, Fault: refusedTrust(fault.InvalidArgument, "COMMA-S3v3w")},
		{
			Name: "trusted already", Given: trusting, When: AddTrustedDomain{Domain: "A.example"}.Decide,
			Fault: refusedTrust(fault.FailedPrecondition, "COMMA-hg42a"),
		},
		{Name: "too many", Given: full, When: AddTrustedDomain{Domain: "a.example"}.Decide, Fault: refusedTrust(fault.FailedPrecondition, "INST-trust1")},
		{
			Name: "removed", Given: trusting, When: RemoveTrustedDomain{Domain: "B.Example"}.Decide,
			Then: []eventlog.Payload{TrustedDomainRemoved{Domain: "b.example"}},
		},
		{
			Name: "one that leads to it is not trusted for that", Given: trusting, When: RemoveTrustedDomain{Domain: custom}.Decide,
			Fault: refusedTrust(fault.NotFound, "COMMA-de3z9"),
		},
		{Name: "none", Given: trusting, When: RemoveTrustedDomain{Domain: "a_b"}.Decide, Fault: refusedTrust(fault.NotFound, "COMMA-de3z9")},
	})
}

func TestSearchTrusted(t *testing.T) {
	s := State{Trusted: []TrustedDomain{
		{Name: "a.example", CreatedAt: time.Unix(3, 0)}, {Name: "b.example", CreatedAt: time.Unix(1, 0)},
		{Name: "xn--bcher-kva.example", CreatedAt: time.Unix(1, 0)},
	}}
	up := search.Page{Ascending: true}
	for name, c := range map[string]struct {
		by    TrustedSearch
		want  string
		total int
	}{
		"newest first": {TrustedSearch{}, "[a.example xn--bcher-kva.example b.example]", 3},
		"oldest first": {TrustedSearch{Page: up}, "[b.example xn--bcher-kva.example a.example]", 3},
		"by name":      {TrustedSearch{Page: up, ByName: true}, "[a.example b.example xn--bcher-kva.example]", 3},
		"a page":       {TrustedSearch{Page: search.Page{Offset: 1, Limit: 1}, ByName: true}, "[b.example]", 3},
		"its script":   {TrustedSearch{Names: []search.Text{{Value: "BÜCHER", Method: search.StartsWith}}}, "[xn--bcher-kva.example]", 1},
		"none":         {TrustedSearch{Names: []search.Text{{Value: "x"}}}, "[]", 0},
	} {
		total, page := s.SearchTrusted(c.by)
		var names []string
		for _, d := range page {
			names = append(names, d.Name)
		}
		if got := fmt.Sprint(names); got != c.want || total != c.total {
			t.Errorf("%s: %s of %d, want %s of %d", name, got, total, c.want, c.total)
		}
	}
}
