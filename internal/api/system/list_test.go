package system_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// list calls ListInstances and returns what it answered, checking that the call left nothing.
func (f *fixture) list(body string) *systemv1.ListInstancesResponse {
	f.Helper()
	before := f.count()
	var out systemv1.ListInstancesResponse
	f.decode(&out, f.send(request{verb: http.MethodPost, path: "/instances/_search", body: body, as: viewer}))
	if f.count() != before {
		f.Error("a search left events")
	}
	return &out
}

func TestListInstances(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		a := f.send(request{verb: http.MethodPost, path: "/instances/_search", body: "{}"})
		if got := strings.ReplaceAll(string(a.body), " ", ""); got != `{"details":{}}` {
			f.Errorf("of nothing: %d %s", a.Status, got)
		}
		made := make(map[string]string)
		for i, name := range []string{"B", "c", "A", "b"} {
			f.clock.Advance(time.Minute)
			made[name] = f.create(name, fmt.Sprintf("d%d.example", i))
		}
		for order, want := range map[string]string{
			`{}`:                                "b A c B",
			`{"sortingColumn":"FIELD_NAME_ID"}`: "b A c B",
			`{"sortingColumn":"FIELD_NAME_ID","query":{"asc":true}}`:   "B c A b",
			`{"sortingColumn":"FIELD_NAME_NAME","query":{"asc":true}}`: "A B b c",
			`{"sortingColumn":2}`: "c b B A",
			`{"sortingColumn":"FIELD_NAME_CREATION_DATE","query":{"asc":true}}`: "B c A b",
			`{"sortingColumn":3}`:                                             "b A c B",
			`{"sortingColumn":77,"query":{"asc":true}}`:                       "B c A b",
			`{"sortingColumn":2,"query":{"asc":true,"limit":2}}`:              "A B",
			`{"sortingColumn":2,"query":{"asc":true,"limit":2,"offset":"2"}}`: "b c",
			`{"sortingColumn":2,"query":{"asc":true,"limit":2,"offset":3}}`:   "c",
			`{"query":{"offset":"18446744073709551615"}}`:                     "",
		} {
			out := f.list(order)
			var names []string
			for _, i := range out.GetResult() {
				names = append(names, i.GetName())
			}
			if got := strings.Join(names, " "); got != want || out.GetDetails().GetTotalResult() != 4 {
				f.Errorf("%s: %q of %d, want %q", order, got, out.GetDetails().GetTotalResult(), want)
			}
		}

		var one systemv1.GetInstanceResponse
		f.call(&one, http.MethodGet, "/instances/"+made["A"], "")
		d := one.GetInstance()
		want := &systemv1.ListInstancesResponse{
			Details: &zitadelv1.ListDetails{TotalResult: 1},
			Result: []*instancev1.Instance{{
				Id: d.GetId(), Details: d.GetDetails(), State: d.GetState(), Name: "A", Version: "test", Domains: d.GetDomains(),
			}},
		}
		generated := f.get(made["A"]).Domains[1].Name
		for _, query := range []string{
			`{"idQuery":{"ids":["` + made["A"] + `","404"]}}`, `{"domainQuery":{"domains":["d2.example","other.example"]}}`,
			`{"domainQuery":{"domains":["D2.example","` + generated + `"]}}`,
			`{"idQuery":{"ids":["` + made["A"] + `","` + made["B"] + `"]}},{"domainQuery":{"domains":["d2.example"]}}`,
			`{"domainQuery":{"domains":["` + generated + `"]}},{"domainQuery":{"domains":["d2.example"]}}`,
		} {
			f.equal(f.list(`{"queries":[`+query+`]}`), want)
		}
		none := &systemv1.ListInstancesResponse{Details: &zitadelv1.ListDetails{}}
		for _, query := range []string{
			`{"idQuery":{}}`, `{"domainQuery":{}}`, `{"idQuery":{"ids":["404"]}}`, `{"domainQuery":{"domains":["example"]}}`,
			`{"idQuery":{"ids":["` + made["A"] + `"]}},{"domainQuery":{"domains":["d1.example"]}}`,
		} {
			f.equal(f.list(`{"queries":[`+query+`]}`), none)
		}

		search := func(body string) request {
			return request{verb: http.MethodPost, path: "/instances/_search", body: body}
		}
		f.refused(search(`{"queries":[{}]}`), http.StatusBadRequest, "", "queries[0].query")
		f.refused(search(`{"queries":[{"domainQuery":{"domains":[""]}}]}`), http.StatusBadRequest, "", "queries[0].domain_query.domains[0]")
		many, err := json.Marshal(slices.Repeat([]string{"a.example"}, 21))
		f.must(err)
		f.refused(search(`{"queries":[{"domainQuery":{"domains":`+string(many)+`}}]}`), http.StatusBadRequest, "", "queries[0].domain_query.domains")
		anonymous := search("{}")
		anonymous.as = nobody
		f.refused(anonymous, http.StatusUnauthorized, "AUTH-7fs1e")
	})
}

// texts returns n texts as JSON.
func texts(n int) string {
	text, _ := json.Marshal(slices.Repeat([]string{"a.example"}, n)) // cannot fail
	return string(text)
}

// Ten thousand names or ids are refused, in whatever way they are asked for.
func TestSearchesAreBounded(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "")
		refused := func(path, body, id string, fields ...string) {
			f.Helper()
			f.refused(request{verb: http.MethodPost, path: "/instances" + path, body: `{"queries":[` + body + `]}`},
				http.StatusBadRequest, id, fields...)
		}
		many := func(query string, n int) string { return strings.TrimSuffix(strings.Repeat(query+",", n), ",") }
		names := `{"domainQuery":{"domains":` + texts(20) + `}}`
		ids := `{"idQuery":{"ids":` + texts(1000) + `}}`
		if found := f.list(`{"queries":[` + names + "," + ids + `]}`); found.GetDetails().GetTotalResult() != 0 {
			f.Errorf("found %v", found)
		}
		if found := f.list(`{"queries":[` + many(`{"idQuery":{"ids":["`+id+`"]}}`, 100) + `]}`); found.GetDetails().GetTotalResult() != 1 {
			f.Errorf("found %v", found)
		}
		refused("/_search", `{"domainQuery":{"domains":`+texts(10_000)+`}}`, "", "queries[0].domain_query.domains")
		refused("/_search", many(names, 500), "SEARCH-max01", "queries")
		refused("/_search", many(names, 101), "SEARCH-max01", "queries")
		refused("/_search", `{"idQuery":{"ids":`+texts(10_000)+`}}`, "SEARCH-max01", "queries[0].id_query.ids")
		refused("/_search", names+`,{"idQuery":{"ids":`+texts(1001)+`}}`, "SEARCH-max01", "queries[1].id_query.ids")
		refused("/_search", many(`{"idQuery":{"ids":["1"]}}`, 10_000), "SEARCH-max01", "queries")
		refused("/"+id+"/domains/_search", many(`{"domainQuery":{"domain":"a"}}`, 101), "SEARCH-max01", "queries")
		refused("/"+id+"/members/_search", many(`{"userIdQuery":{"userId":"1"}}`, 101), "SEARCH-max01", "queries")
	})
}

func TestListDomains(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "login.bücher.example")
		f.create("Other", "other.example")
		f.clock.Advance(time.Minute)
		f.call(&systemv1.AddDomainResponse{}, http.MethodPost, "/instances/"+id+"/domains", `{"domain":"b.example"}`)
		f.clock.Advance(time.Minute)
		var one systemv1.GetInstanceResponse
		f.call(&one, http.MethodGet, "/instances/"+id, "")
		byName := make(map[string]*instancev1.Domain)
		var generated string
		for _, d := range one.GetInstance().GetDomains() {
			byName[d.GetDomain()] = d
			if d.GetGenerated() {
				generated = d.GetDomain()
			}
		}
		const login, b = "login.xn--bcher-kva.example", "b.example"
		for body, c := range map[string]struct {
			total uint64
			want  []string
		}{
			`{"sortingColumn":"DOMAIN_FIELD_NAME_DOMAIN","query":{"asc":true}}`: {3, []string{generated, b, login}},
			`{"sortingColumn":1}`:                                                                                          {3, []string{login, b, generated}},
			`{"sortingColumn":2,"query":{"limit":1}}`:                                                                      {3, []string{login}},
			`{"sortingColumn":"DOMAIN_FIELD_NAME_GENERATED","query":{"limit":1}}`:                                          {3, []string{generated}},
			`{"sortingColumn":4,"query":{"limit":1}}`:                                                                      {3, []string{b}},
			`{"query":{"asc":true,"offset":2,"limit":5}}`:                                                                  {3, []string{b}},
			`{"queries":[{"generatedQuery":{"generated":true}}]}`:                                                          {1, []string{generated}},
			`{"queries":[{"generatedQuery":{}},{"primaryQuery":{}}]}`:                                                      {1, []string{b}},
			`{"queries":[{"primaryQuery":{"primary":true}}]}`:                                                              {1, []string{login}},
			`{"queries":[{"domainQuery":{"domain":"Login.Bücher.example"}}]}`:                                              {1, []string{login}},
			`{"queries":[{"domainQuery":{"domain":".example","method":"TEXT_QUERY_METHOD_ENDS_WITH"}}],"sortingColumn":1}`: {3, []string{login, b, generated}},
			`{"queries":[{"domainQuery":{"domain":"B","method":3}}]}`:                                                      {1, []string{b}},
			`{"queries":[{"domainQuery":{"domain":"%","method":5}}]}`:                                                      {0, nil},
			`{"queries":[{"domainQuery":{"domain":"other.example"}}]}`:                                                     {0, nil},
		} {
			var out systemv1.ListDomainsResponse
			f.decode(&out, f.send(request{verb: http.MethodPost, path: "/instances/" + id + "/domains/_search", body: body, as: viewer}))
			want := &systemv1.ListDomainsResponse{
				Details: &zitadelv1.ListDetails{TotalResult: c.total, ViewTimestamp: timestamppb.New(f.clock.Now())},
			}
			for _, name := range c.want {
				want.Result = append(want.Result, byName[name])
			}
			f.Log(body)
			f.equal(&out, want)
		}
		f.refused(request{verb: http.MethodPost, path: "/instances/" + id + "/domains/_search", body: `{"queries":[{}]}`},
			http.StatusBadRequest, "", "queries[0].query")
		f.refused(request{
			verb: http.MethodPost, path: "/instances/" + id + "/domains/_search", body: `{"queries":[{"domainQuery":{"method":8}}]}`,
		}, http.StatusBadRequest, "", "queries[0].domain_query.method")
		f.hidden(http.MethodPost, "/instances/404/domains/_search", "{}", true)
	})
}
