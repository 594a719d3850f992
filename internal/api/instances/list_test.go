package instances_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"castellan/internal/ident"

	filterv2 "castellan/gen/zitadel/filter/v2"
	instancev2 "castellan/gen/zitadel/instance/v2"
)

// spelled is a body of v2 as the service called spells it.
func (f *fixture) spelled(body string) string {
	if !f.beta() {
		return body
	}
	return strings.NewReplacer(
		`"filters"`, `"queries"`, `"inIdsFilter"`, `"idQuery"`, `"customDomainsFilter"`, `"domainQuery"`,
		`"domainFilter"`, `"domainQuery"`,
		`"generatedFilter":true`, `"generatedQuery":{"generated":true}`, `"generatedFilter":false`, `"generatedQuery":{}`,
		`"primaryFilter":true`, `"primaryQuery":{"primary":true}`, `"primaryFilter":false`, `"primaryQuery":{}`,
	).Replace(body)
}

// path is the path of a field of v2 as the service called spells it.
func (f *fixture) path(of string) string {
	if !f.beta() {
		return of
	}
	return strings.NewReplacer(
		"filters", "queries", "in_ids_filter", "id_query", "custom_domains_filter", "domain_query",
		"domain_filter", "domain_query", ".filter", ".query",
	).Replace(of)
}

// list calls ListInstances and returns what it answered, checking that the call left nothing.
func (f *fixture) list(body string) *instancev2.ListInstancesResponse {
	f.Helper()
	before := f.count()
	var out instancev2.ListInstancesResponse
	f.call(&out, request{method: "ListInstances", body: f.spelled(body), as: viewer})
	if f.count() != before {
		f.Error("a search left events")
	}
	return &out
}

func TestListInstances(t *testing.T) {
	eachName(t, func(f *fixture) {
		f.answers(request{method: "ListInstances", body: "{}"},
			&instancev2.ListInstancesResponse{Pagination: &filterv2.PaginationResponse{AppliedLimit: 100}})
		for i, name := range []string{"B", "c", "A", "b"} {
			f.create(name, fmt.Sprintf("d%d.example", i))
			f.clock.Advance(time.Minute)
		}
		for _, c := range []struct {
			body    string
			applied uint64
			want    string
		}{
			{`{}`, 100, "b A c B"},
			{`{"pagination":{}}`, 100, "b A c B"},
			{`{"sortingColumn":"FIELD_NAME_ID"}`, 100, "b A c B"},
			{`{"sortingColumn":"FIELD_NAME_ID","pagination":{"asc":true}}`, 100, "B c A b"},
			{`{"sortingColumn":"FIELD_NAME_NAME","pagination":{"asc":true}}`, 100, "A B b c"},
			{`{"sortingColumn":2}`, 100, "c b B A"},
			{`{"sortingColumn":"FIELD_NAME_CREATION_DATE","pagination":{"asc":true}}`, 100, "B c A b"},
			{`{"sortingColumn":3}`, 100, "b A c B"},
			{`{"sortingColumn":2,"pagination":{"asc":true,"limit":2}}`, 2, "A B"},
			{`{"sortingColumn":2,"pagination":{"asc":true,"limit":2,"offset":"2"}}`, 2, "b c"},
			{`{"sortingColumn":2,"pagination":{"asc":true,"limit":1000,"offset":3}}`, 1000, "c"},
			{`{"pagination":{"offset":"18446744073709551615"}}`, 100, ""},
		} {
			out := f.list(c.body)
			var names []string
			for _, i := range out.GetInstances() {
				names = append(names, i.GetName())
			}
			p := out.GetPagination()
			if got := strings.Join(names, " "); got != c.want || p.GetTotalResult() != 4 || p.GetAppliedLimit() != c.applied {
				f.Errorf("%s: %q of %v, want %q", c.body, got, p, c.want)
			}
		}
		f.findsInstances()

		list := func(body string) request { return request{method: "ListInstances", body: f.spelled(body)} }
		for _, limit := range []string{"1001", "4294967295"} {
			f.refused(list(`{"pagination":{"limit":`+limit+`}}`), codes.InvalidArgument, "QUERY-4M0fs", "pagination.limit")
		}
		f.refused(list(`{"filters":[{}]}`), codes.InvalidArgument, "", f.path("filters[0].filter"))
		f.refused(list(`{"filters":[{"customDomainsFilter":{"domains":[""]}}]}`), codes.InvalidArgument, "",
			f.path("filters[0].custom_domains_filter.domains[0]"))
		many, err := json.Marshal(slices.Repeat([]string{"a.example"}, 21))
		f.must(err)
		f.refused(list(`{"filters":[{"customDomainsFilter":{"domains":`+string(many)+`}}]}`), codes.InvalidArgument, "",
			f.path("filters[0].custom_domains_filter.domains"))
		anonymous := list("{}")
		anonymous.as = nobody
		f.refused(anonymous, codes.Unauthenticated, "AUTH-7fs1e")
		if f.beta() {
			f.list(`{"sortingColumn":77}`)
			f.list(`{"filters":[{"inIdsFilter":{"ids":["101","101",""]}}]}`)
			return
		}
		f.refused(list(`{"sortingColumn":77}`), codes.InvalidArgument, "", "sorting_column")
		f.refused(list(`{"filters":[{"inIdsFilter":{"ids":["101","101"]}}]}`), codes.InvalidArgument, "", "filters[0].in_ids_filter.ids[1]")
		f.refused(list(`{"filters":[{"inIdsFilter":{"ids":[""]}}]}`), codes.InvalidArgument, "", "filters[0].in_ids_filter.ids[0]")
	})
}

// findsInstances searches for the third instance of TestListInstances, and for none.
func (f *fixture) findsInstances() {
	f.Helper()
	var third instancev2.GetInstanceResponse
	f.call(&third, request{method: "GetInstance", body: `{"instanceId":"103"}`})
	found := &instancev2.ListInstancesResponse{
		Instances:  []*instancev2.Instance{third.GetInstance()},
		Pagination: &filterv2.PaginationResponse{TotalResult: 1, AppliedLimit: 100},
	}
	none := &instancev2.ListInstancesResponse{Pagination: &filterv2.PaginationResponse{AppliedLimit: 100}}
	for filters, want := range map[string]*instancev2.ListInstancesResponse{
		`{"inIdsFilter":{"ids":["103","404"]}}`:                                                                      found,
		`{"customDomainsFilter":{"domains":["d2.example","other.example"]}}`:                                         found,
		`{"customDomainsFilter":{"domains":["D2.example","i103.id.example"]}}`:                                       found,
		`{"inIdsFilter":{"ids":["103","101"]}},{"customDomainsFilter":{"domains":["d2.example"]}}`:                   found,
		`{"customDomainsFilter":{"domains":["i103.id.example"]}},{"customDomainsFilter":{"domains":["d2.example"]}}`: found,
		`{"inIdsFilter":{}}`:                              none,
		`{"customDomainsFilter":{}}`:                      none,
		`{"inIdsFilter":{"ids":["404"]}}`:                 none,
		`{"customDomainsFilter":{"domains":["example"]}}`: none,
		`{"inIdsFilter":{"ids":["103"]}},{"customDomainsFilter":{"domains":["d1.example"]}}`: none,
	} {
		f.answers(request{method: "ListInstances", body: f.spelled(`{"filters":[` + filters + `]}`)}, want)
	}
}

// row is a search for domains: how many there are, and which are on the page.
type row struct {
	body           string
	total, applied uint64
	want           []string
}

func TestListCustomDomains(t *testing.T) {
	eachName(t, func(f *fixture) {
		id := f.create("Acme", "login.bücher.example")
		f.create("Other", "other.example")
		f.clock.Advance(time.Minute)
		_, err := f.service().AddDomain(f.Context(), ident.InstanceID(id), "ada", "b.example")
		f.must(err)
		const generated, login, b = "i101.id.example", "login.xn--bcher-kva.example", "b.example"
		all := map[string]*instancev2.CustomDomain{
			generated: {InstanceId: id, CreationDate: at(0), Domain: generated, Generated: true},
			login:     {InstanceId: id, CreationDate: at(0), Domain: login, Primary: true},
			b:         {InstanceId: id, CreationDate: at(1), Domain: b},
		}
		before := f.count()
		list := func(body string) request {
			return request{method: "ListCustomDomains", body: f.spelled(`{"instanceId":"` + id + `",` + body + `}`), as: viewer}
		}
		for _, r := range []row{
			{`"pagination":{}`, 3, 100, []string{b, login, generated}},
			{`"sortingColumn":"DOMAIN_FIELD_NAME_DOMAIN","pagination":{"asc":true}`, 3, 100, []string{b, generated, login}},
			{`"sortingColumn":1`, 3, 100, []string{login, generated, b}},
			{`"sortingColumn":"DOMAIN_FIELD_NAME_PRIMARY","pagination":{"limit":1}`, 3, 1, []string{login}},
			{`"sortingColumn":3,"pagination":{"limit":1}`, 3, 1, []string{generated}},
			{`"sortingColumn":4,"pagination":{"limit":1}`, 3, 1, []string{b}},
			{`"sortingColumn":77,"pagination":{"asc":true,"offset":2,"limit":1000}`, 3, 1000, []string{b}},
			{`"filters":[{"generatedFilter":true}]`, 1, 100, []string{generated}},
			{`"filters":[{"generatedFilter":false},{"primaryFilter":false}]`, 1, 100, []string{b}},
			{`"filters":[{"primaryFilter":true}]`, 1, 100, []string{login}},
			{`"filters":[{"domainFilter":{"domain":"Login.Bücher.example"}}]`, 1, 100, []string{login}},
			{`"filters":[{"domainFilter":{"domain":".example","method":"TEXT_QUERY_METHOD_ENDS_WITH"}}],"sortingColumn":1`, 3, 100, []string{login, generated, b}},
			{`"filters":[{"domainFilter":{"domain":"B","method":3}}]`, 1, 100, []string{b}},
			{`"filters":[{"domainFilter":{"domain":"%","method":5}}]`, 0, 100, nil},
			{`"filters":[{"domainFilter":{"domain":"other.example"}}]`, 0, 100, nil},
		} {
			want := &instancev2.ListCustomDomainsResponse{
				Pagination: &filterv2.PaginationResponse{TotalResult: r.total, AppliedLimit: r.applied},
			}
			for _, name := range r.want {
				want.Domains = append(want.Domains, all[name])
			}
			f.answers(list(r.body), want)
		}
		if f.count() != before {
			f.Error("a search left events")
		}
		f.badDomainLists(list)
		f.guarded("ListCustomDomains", `{"instanceId":%q}`, "QUERY-n0wng", true)
	})
}

func TestListTrustedDomains(t *testing.T) {
	eachName(t, func(f *fixture) {
		id, other := f.create("Acme", "acme.example"), f.create("Other", "")
		const b, login, c = "b.example", "login.xn--bcher-kva.example", "c.other.example"
		all := make(map[string]*instancev2.TrustedDomain)
		for i, name := range []string{b, login, c} {
			f.clock.Advance(time.Minute)
			_, err := f.service().AddTrustedDomain(f.Context(), ident.InstanceID(id), "ada", name)
			f.must(err)
			all[name] = &instancev2.TrustedDomain{InstanceId: id, CreationDate: at(i + 1), Domain: name}
		}
		before := f.count()
		list := func(body string) request {
			return request{method: "ListTrustedDomains", body: f.spelled(`{"instanceId":"` + id + `",` + body + `}`), as: viewer}
		}
		for _, r := range []row{
			{`"pagination":{}`, 3, 100, []string{c, login, b}},
			{`"pagination":{"asc":true}`, 3, 100, []string{b, login, c}},
			{`"sortingColumn":"TRUSTED_DOMAIN_FIELD_NAME_DOMAIN"`, 3, 100, []string{login, c, b}},
			{`"sortingColumn":1,"pagination":{"asc":true,"limit":1,"offset":1}`, 3, 1, []string{c}},
			{`"sortingColumn":"TRUSTED_DOMAIN_FIELD_NAME_CREATION_DATE","pagination":{"limit":2}`, 3, 2, []string{c, login}},
			{`"sortingColumn":77,"pagination":{"limit":1000}`, 3, 1000, []string{c, login, b}},
			{`"filters":[{"domainFilter":{"domain":"Login.Bücher.example"}}]`, 1, 100, []string{login}},
			{`"filters":[{"domainFilter":{"domain":"C.","method":"TEXT_QUERY_METHOD_STARTS_WITH"}}]`, 1, 100, []string{c}},
			{`"filters":[{"domainFilter":{"domain":"e","method":4}},{"domainFilter":{"domain":"other","method":4}}]`, 1, 100, []string{c}},
			{`"filters":[{"domainFilter":{"domain":"acme.example"}}]`, 0, 100, nil},
		} {
			want := &instancev2.ListTrustedDomainsResponse{
				Pagination: &filterv2.PaginationResponse{TotalResult: r.total, AppliedLimit: r.applied},
			}
			for _, name := range r.want {
				want.TrustedDomain = append(want.TrustedDomain, all[name])
			}
			f.answers(list(r.body), want)
		}
		f.answers(request{method: "ListTrustedDomains", body: `{"instanceId":"` + other + `"}`},
			&instancev2.ListTrustedDomainsResponse{Pagination: &filterv2.PaginationResponse{AppliedLimit: 100}})
		if f.count() != before {
			f.Error("a search left events")
		}
		f.badDomainLists(list)
		f.guarded("ListTrustedDomains", `{"instanceId":%q}`, "QUERY-n0wng", true)
	})
}

// badDomainLists breaks the rules of a list of domains.
func (f *fixture) badDomainLists(list func(body string) request) {
	f.Helper()
	f.refused(list(`"pagination":{"limit":1001}`), codes.InvalidArgument, "QUERY-4M0fs", "pagination.limit")
	f.refused(list(`"filters":[{}]`), codes.InvalidArgument, "", f.path("filters[0].filter"))
	f.refused(list(`"filters":[{"domainFilter":{"method":8}}]`), codes.InvalidArgument, "", f.path("filters[0].domain_filter.method"))
	longest := 253 // characters of a domain to compare with
	if f.beta() {
		longest = 200
	}
	f.refused(list(`"filters":[{"domainFilter":{"domain":"`+strings.Repeat("ü", longest+1)+`"}}]`), codes.InvalidArgument, "",
		f.path("filters[0].domain_filter.domain"))
	f.call(new(instancev2.ListCustomDomainsResponse), list(`"filters":[{"domainFilter":{"domain":"`+strings.Repeat("ü", longest)+`"}}]`))
}

// More conditions or ids than a search may have are refused, in whatever list.
func TestSearchesAreBounded(t *testing.T) {
	eachName(t, func(f *fixture) {
		id := f.create("Acme", "d0.example")
		refused := func(method, rest, filters string, fields ...string) {
			f.Helper()
			f.refused(request{method: method, body: f.spelled(`{` + rest + `"filters":[` + filters + `]}`)},
				codes.InvalidArgument, "SEARCH-max01", fields...)
		}
		many := func(filter string) string { return strings.Repeat(filter+",", 100) + filter }
		var ids []string
		for i := range 1001 {
			ids = append(ids, fmt.Sprint(i))
		}
		text, err := json.Marshal(ids)
		f.must(err)
		refused("ListInstances", "", many(`{"inIdsFilter":{"ids":["1"]}}`), f.path("filters"))
		refused("ListInstances", "", many(`{"customDomainsFilter":{"domains":["a.example"]}}`), f.path("filters"))
		refused("ListInstances", "", `{"inIdsFilter":{"ids":["1"]}},{"inIdsFilter":{"ids":`+string(text)+`}}`, f.path("filters[1].in_ids_filter.ids"))
		refused("ListCustomDomains", `"instanceId":"`+id+`",`, many(`{"generatedFilter":true}`), f.path("filters"))
		refused("ListTrustedDomains", `"instanceId":"`+id+`",`, many(`{"domainFilter":{"domain":"a"}}`), f.path("filters"))
	})
}
