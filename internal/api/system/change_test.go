package system_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog/logtest"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

func TestUpdateInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "")
		before, domains := f.events(id), f.get(id).Domains
		made := f.clock.Now()
		f.clock.Advance(time.Minute)

		var out systemv1.UpdateInstanceResponse
		f.call(&out, http.MethodPut, "/instances/"+id, `{"instanceName":" Acme "}`)
		f.equal(&out, &systemv1.UpdateInstanceResponse{Details: &zitadelv1.ObjectDetails{
			Sequence: f.get(id).Sequence, CreationDate: timestamppb.New(made), ResourceOwner: id,
		}})
		f.left(id, before)

		f.call(&out, http.MethodPut, "/instances/"+id, `{"instanceName":"  Société & Söhne\n"}`)
		f.equal(&out, &systemv1.UpdateInstanceResponse{Details: f.details(id, true)})
		f.left(id, before, "instance.changed")
		s := f.get(id)
		if s.Name != "Société & Söhne" || !s.CreatedAt.Equal(made) {
			f.Errorf("the instance is %+v", s)
		}
		if diff := cmp.Diff(domains, s.Domains); diff != "" {
			f.Errorf("the domains changed:\n%s", diff)
		}

		put := func(body string) request { return request{verb: http.MethodPut, path: "/instances/" + id, body: body} }
		f.refused(put(`{"instanceName":" \t"}`), http.StatusBadRequest, "INST-092mid", "instance_name")
		f.refused(put(`{}`), http.StatusBadRequest, "", "instance_name")
		f.refused(put(`{"instanceName":"`+strings.Repeat("ü", 201)+`"}`), http.StatusBadRequest, "", "instance_name")
		f.hidden(http.MethodPut, "/instances/404", `{"instanceName":"X"}`, false)
	})
}

func TestRemoveInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id, other := f.create("Acme", "acme.example"), f.create("Other", "other.example")
		generated, before, last := f.get(id).Domains[0].Name, f.events(id), f.get(id).Sequence
		f.clock.Advance(time.Minute)
		var out systemv1.RemoveInstanceResponse
		f.call(&out, http.MethodDelete, "/instances/"+id, "")
		f.equal(&out, &systemv1.RemoveInstanceResponse{Details: &zitadelv1.ObjectDetails{
			Sequence: last + 1, CreationDate: timestamppb.New(f.clock.Now()), ResourceOwner: id,
		}})
		f.left(id, before, "instance.removed")

		f.hidden(http.MethodDelete, "/instances/"+id, "", false)
		f.hidden(http.MethodGet, "/instances/"+id, "", true)
		f.hidden(http.MethodPost, "/instances/"+id+"/members/_search", "{}", true)
		f.hidden(http.MethodPost, "/instances/"+id+"/domains", `{"domain":"new.example"}`, false)
		if found := f.list("{}"); found.GetDetails().GetTotalResult() != 1 || found.GetResult()[0].GetId() != other {
			f.Errorf("found %v", found)
		}
		for _, domain := range []string{"acme.example", generated} {
			f.call(&systemv1.AddDomainResponse{}, http.MethodPost, "/instances/"+other+"/domains", `{"domain":"`+domain+`"}`)
		}
		f.refused(request{verb: http.MethodDelete, path: "/instances/" + strings.Repeat("1", 201)}, http.StatusBadRequest, "", "instance_id")
		f.refused(request{verb: http.MethodDelete, path: "/instances/" + other, as: viewer}, http.StatusForbidden, "AUTH-5mWD2")
	})
}

func TestAddDomain(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id, other := f.create("Acme", ""), f.create("Other", "other.example")
		before := f.events(id)
		f.clock.Advance(time.Minute)
		var out systemv1.AddDomainResponse
		f.call(&out, http.MethodPost, "/instances/"+id+"/domains", `{"domain":" Login.Bücher.Example "}`)
		f.equal(&out, &systemv1.AddDomainResponse{Details: f.details(id, true)})
		f.left(id, before, "instance.domain.added")
		d := f.get(id).Domains[1]
		if d.Name != "login.xn--bcher-kva.example" || d.Primary || d.Generated || !d.CreatedAt.Equal(f.clock.Now()) {
			f.Errorf("the domain is %+v", d)
		}

		add := func(id, domain string) request {
			return request{verb: http.MethodPost, path: "/instances/" + id + "/domains", body: `{"domain":"` + domain + `"}`}
		}
		f.refused(add(id, "  "), http.StatusBadRequest, "INST-28nlD", "domain")
		f.refused(add(id, ""), http.StatusBadRequest, "", "domain")
		f.refused(add(id, "a_b.example"), http.StatusBadRequest, "INST-S3v3w", "domain")
		f.refused(add(id, "LOGIN.xn--bcher-kva.example"), http.StatusConflict, "INST-i2nl", "domain")
		f.refused(add(id, "OTHER.example"), http.StatusConflict, "V3-DKcYh", "domain")
		f.refused(add(other, "login.bücher.example"), http.StatusConflict, "V3-DKcYh", "domain")
		f.hidden(http.MethodPost, "/instances/404/domains", `{"domain":"new.example"}`, false)
		f.hidden(http.MethodPost, "/instances/404/domains", `{"domain":"other.example"}`, false)
	})
}

func TestExistsDomain(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "login.bücher.example")
		before := f.count()
		for domain, want := range map[string]string{
			"login.xn--bcher-kva.example": `{"exists":true}`, "Login.BÜCHER.example": `{"exists":true}`,
			f.get(id).Domains[0].Name: `{"exists":true}`, "bücher.example": `{}`, "a_b": `{}`, " ": `{}`,
		} {
			r := request{verb: http.MethodPost, path: "/domains/" + url.PathEscape(domain) + "/_exists", body: "{}", as: viewer}
			if a := f.send(r); a.Status != http.StatusOK || strings.ReplaceAll(string(a.body), " ", "") != want {
				f.Errorf("%q: %d %s, want %s", domain, a.Status, a.body, want)
			}
			r.as = nobody
			f.refused(r, http.StatusUnauthorized, "AUTH-7fs1e")
		}
		if f.count() != before {
			f.Error("a question left events")
		}
	})
}

func TestRemoveDomain(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id, other := f.create("Acme", "login.bücher.example"), f.create("Other", "")
		generated := f.get(id).Domains[0].Name
		before := f.events(id)
		f.clock.Advance(time.Minute)
		remove := func(id, domain string) request {
			return request{verb: http.MethodDelete, path: "/instances/" + id + "/domains/" + url.PathEscape(domain)}
		}
		f.refused(remove(id, generated), http.StatusBadRequest, "INSTANCE-9hn3n", "domain")
		f.refused(remove(id, "new.example"), http.StatusNotFound, "INSTANCE-8ls9f", "domain")
		f.refused(remove(other, "login.bücher.example"), http.StatusNotFound, "INSTANCE-8ls9f", "domain")
		f.hidden(http.MethodDelete, "/instances/404/domains/"+generated, "", false)

		var out systemv1.RemoveDomainResponse
		f.decode(&out, f.send(remove(id, "Login.Bücher.example")))
		f.equal(&out, &systemv1.RemoveDomainResponse{Details: f.details(id, false)})
		f.left(id, before, "instance.domain.primary.set", "instance.domain.removed")
		if d := f.get(id).Domains; len(d) != 1 || d[0].Name != generated || !d[0].Primary {
			f.Errorf("the domains are %+v", d)
		}
		f.refused(remove(id, "login.bücher.example"), http.StatusNotFound, "INSTANCE-8ls9f", "domain")

		before = f.events(other)
		f.call(&systemv1.AddDomainResponse{}, http.MethodPost, "/instances/"+other+"/domains", `{"domain":"login.bücher.example"}`)
		f.decode(&out, f.send(remove(other, "login.bücher.example"))) // not primary: nothing takes over
		f.left(other, before, "instance.domain.added", "instance.domain.removed")
	})
}

func TestSetPrimaryDomain(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "login.bücher.example")
		generated := f.get(id).Domains[0].Name
		before := f.events(id)
		set := func(id, domain string) request {
			return request{
				verb: http.MethodPost, path: "/instances/" + id + "/domains/_set_primary", body: `{"domain":"` + domain + `"}`,
			}
		}
		f.refused(set(id, "new.example"), http.StatusNotFound, "INSTANCE-9nkWf", "domain")
		f.hidden(http.MethodPost, "/instances/404/domains/_set_primary", `{"domain":"new.example"}`, false)
		for _, domain := range []string{generated, generated, "LOGIN.bücher.example"} {
			f.clock.Advance(time.Minute)
			var out systemv1.SetPrimaryDomainResponse
			f.decode(&out, f.send(set(id, domain)))
			f.equal(&out, &systemv1.SetPrimaryDomainResponse{Details: f.details(id, false)})
			for _, d := range f.get(id).Domains {
				if want := (d.Name == generated) == (domain == generated); d.Primary != want {
					f.Errorf("primary is to be %s: %+v", domain, d)
				}
			}
		}
		f.left(id, before, "instance.domain.primary.set", "instance.domain.primary.set", "instance.domain.primary.set")
	})
}

// Of all calls that want one domain at the same time one gets it, whether they add it to an
// instance or make an instance with it; the others are told that it is taken, and leave nothing.
func TestDomainRace(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const contenders = 5
		var requests []request
		for i := range contenders {
			id := f.create(fmt.Sprintf("Acme %d", i), "")
			requests = append(requests,
				request{verb: http.MethodPost, path: "/instances/" + id + "/domains", body: `{"domain":"Wanted.example"}`},
				request{
					verb: http.MethodPost, path: "/instances/_create",
					body: `{"instanceName":"New","customDomain":"wanted.example","machine":{"userName":"robot","name":"Robot"}}`,
				})
		}
		var group sync.WaitGroup
		answers := make([]answer, len(requests))
		for i, r := range requests {
			group.Go(func() { answers[i] = f.send(r) })
		}
		group.Wait()
		won := 0
		for i, a := range answers {
			if a.Status == http.StatusOK {
				won++
			} else if a.Status != http.StatusConflict || a.ID != "V3-DKcYh" {
				f.Errorf("%s: %d %s", requests[i].path, a.Status, a.body)
			}
		}
		if won != 1 {
			f.Errorf("%d calls got the domain", won)
		}
		owners := f.list(`{"queries":[{"domainQuery":{"domains":["wanted.example"]}}]}`)
		all := f.list(`{}`).GetDetails().GetTotalResult()
		if owners.GetDetails().GetTotalResult() != 1 || all != contenders && all != contenders+1 {
			f.Errorf("%d instances have it, of %d", owners.GetDetails().GetTotalResult(), all)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}
