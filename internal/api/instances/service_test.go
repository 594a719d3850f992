package instances_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/instance"

	instancev2 "castellan/gen/zitadel/instance/v2"
)

func TestGetInstance(t *testing.T) {
	eachName(t, func(f *fixture) {
		made := f.now()
		id := f.create("Acme", "login.bücher.example")
		f.create("Other", "other.example")
		f.clock.Advance(time.Minute)
		_, err := f.service().AddDomain(f.Context(), ident.InstanceID(id), "ada", "b.example")
		f.must(err)
		_, err = f.service().AddTrustedDomain(f.Context(), ident.InstanceID(id), "ada", "t.example")
		f.must(err)
		before := f.count()
		want := &instancev2.Instance{
			Id: id, ChangeDate: f.now(), CreationDate: made, State: instancev2.State_STATE_RUNNING, Name: "Acme", Version: "test",
			CustomDomains: []*instancev2.CustomDomain{
				{InstanceId: id, CreationDate: made, Domain: "i101.id.example", Generated: true},
				{InstanceId: id, CreationDate: made, Domain: "login.xn--bcher-kva.example", Primary: true},
				{InstanceId: id, CreationDate: f.now(), Domain: "b.example"},
			},
		}
		get := request{method: "GetInstance", body: fmt.Sprintf(`{"instanceId":%q}`, id)}
		f.answers(get, &instancev2.GetInstanceResponse{Instance: want})
		get.as = viewer
		f.answers(get, &instancev2.GetInstanceResponse{Instance: want})
		if f.count() != before {
			f.Error("a read left events")
		}

		_, err = f.service().Stop(f.Context(), ident.InstanceID(id), "ada")
		f.must(err)
		want.State = instancev2.State_STATE_STOPPED
		f.answers(get, &instancev2.GetInstanceResponse{Instance: want})
		f.guarded("GetInstance", `{"instanceId":%q}`, "QUERY-n0wng", true)
	})
}

func TestUpdateInstance(t *testing.T) {
	eachName(t, func(f *fixture) {
		id := f.create("Acme", "acme.example")
		before := f.events(id)
		update := func(name string) request {
			return request{method: "UpdateInstance", body: fmt.Sprintf(`{"instanceId":%q,"instanceName":%q}`, id, name)}
		}
		f.clock.Advance(time.Minute)
		changed := f.now()
		f.answers(update(" Bücher & Co "), &instancev2.UpdateInstanceResponse{ChangeDate: changed})
		f.clock.Advance(time.Minute)
		f.answers(update("Bücher & Co"), &instancev2.UpdateInstanceResponse{ChangeDate: changed}) // it has that name
		f.left(id, before, "instance.changed")
		if got := f.get(id); got.Name != "Bücher & Co" || len(got.Domains) != 2 || !got.Domains[0].Primary {
			f.Errorf("the instance is %+v", got)
		}

		f.refused(update(" \t"), codes.InvalidArgument, "INST-092mid", "instance_name")
		f.refused(update(""), codes.InvalidArgument, "", "instance_name")
		f.refused(update(strings.Repeat("ü", 201)), codes.InvalidArgument, "", "instance_name")
		f.guarded("UpdateInstance", `{"instanceId":%q,"instanceName":"X"}`, "INST-nuso2m", false)
	})
}

func TestDeleteInstance(t *testing.T) {
	eachName(t, func(f *fixture) {
		id, other := f.create("Acme", "acme.example"), f.create("Other", "")
		before := f.events(id)
		f.clock.Advance(time.Minute)
		f.answers(request{method: "DeleteInstance", body: fmt.Sprintf(`{"instanceId":%q}`, id)},
			&instancev2.DeleteInstanceResponse{DeletionDate: f.now()})
		f.left(id, before, "instance.removed")
		f.refused(request{method: "DeleteInstance", body: fmt.Sprintf(`{"instanceId":%q}`, id)}, codes.NotFound, "COMMA-AE3GS")
		f.refused(request{method: "GetInstance", body: fmt.Sprintf(`{"instanceId":%q}`, id)}, codes.NotFound, "QUERY-n0wng")
		if got := f.list("{}"); got.GetPagination().GetTotalResult() != 1 || got.GetInstances()[0].GetId() != other {
			f.Errorf("there are %v", got)
		}
		// Its domain is free.
		f.answers(request{method: "AddCustomDomain", body: fmt.Sprintf(`{"instanceId":%q,%q:"acme.example"}`, other, f.customDomain)},
			&instancev2.AddCustomDomainResponse{CreationDate: f.now()})

		for _, bad := range []string{"", strings.Repeat("1", 201)} {
			f.refused(request{method: "DeleteInstance", body: fmt.Sprintf(`{"instanceId":%q}`, bad)},
				codes.InvalidArgument, "", "instance_id")
		}
		f.guarded("DeleteInstance", `{"instanceId":%q}`, "COMMA-AE3GS", false)
	})
}

func TestAddCustomDomain(t *testing.T) {
	eachName(t, func(f *fixture) {
		id, other := f.create("Acme", ""), f.create("Other", "other.example")
		before := f.events(id)
		add := func(id, domain string) request {
			return request{method: "AddCustomDomain", body: fmt.Sprintf(`{"instanceId":%q,%q:%q}`, id, f.customDomain, domain)}
		}
		f.clock.Advance(time.Minute)
		f.answers(add(id, " Login.Bücher.Example "), &instancev2.AddCustomDomainResponse{CreationDate: f.now()})
		f.left(id, before, "instance.domain.added")
		d := f.get(id).Domains[1]
		if d.Name != "login.xn--bcher-kva.example" || d.Primary || d.Generated || !d.CreatedAt.Equal(f.clock.Now()) {
			f.Errorf("the domain is %+v", d)
		}

		custom := field(f.customDomain)
		f.refused(add(id, "  "), codes.InvalidArgument, "INST-28nlD", custom)
		f.refused(add(id, ""), codes.InvalidArgument, "", custom)
		f.refused(add(id, strings.Repeat("x", 254)), codes.InvalidArgument, "", custom)
		f.refused(add(id, "a_b.example"), codes.InvalidArgument, "INST-S3v3w", custom)
		f.refused(add(id, "LOGIN.xn--bcher-kva.example"), codes.AlreadyExists, "INST-i2nl", custom)
		f.refused(add(id, "OTHER.example"), codes.AlreadyExists, "V3-DKcYh", custom)
		f.refused(add(other, "login.bücher.example"), codes.AlreadyExists, "V3-DKcYh", custom)
		f.refused(add("", "a.example"), codes.InvalidArgument, "", "instance_id")
		f.guarded("AddCustomDomain", `{"instanceId":%q,"`+f.customDomain+`":"new.example"}`, "INST-nuso2m", false)
	})
}

func TestRemoveCustomDomain(t *testing.T) {
	eachName(t, func(f *fixture) {
		id, other := f.create("Acme", "login.bücher.example"), f.create("Other", "")
		before := f.events(id)
		remove := func(id, domain string) request {
			return request{method: "RemoveCustomDomain", body: fmt.Sprintf(`{"instanceId":%q,%q:%q}`, id, f.customDomain, domain)}
		}
		custom := field(f.customDomain)
		f.refused(remove(id, "i101.id.example"), codes.FailedPrecondition, "INSTANCE-9hn3n", custom)
		f.refused(remove(id, "new.example"), codes.NotFound, "INSTANCE-8ls9f", custom)
		f.refused(remove(id, "a_b"), codes.NotFound, "INSTANCE-8ls9f", custom)
		f.refused(remove(other, "login.bücher.example"), codes.NotFound, "INSTANCE-8ls9f", custom)
		f.refused(remove(id, ""), codes.InvalidArgument, "", custom)
		f.guarded("RemoveCustomDomain", `{"instanceId":%q,"`+f.customDomain+`":"a.example"}`, "INST-nuso2m", false)

		f.clock.Advance(time.Minute)
		f.answers(remove(id, "Login.Bücher.example"), &instancev2.RemoveCustomDomainResponse{DeletionDate: f.now()})
		f.left(id, before, "instance.domain.primary.set", "instance.domain.removed")
		if d := f.get(id).Domains; len(d) != 1 || d[0].Name != "i101.id.example" || !d[0].Primary {
			f.Errorf("the domains are %+v", d)
		}
		f.refused(remove(id, "login.bücher.example"), codes.NotFound, "INSTANCE-8ls9f", custom)
	})
}

func TestAddTrustedDomain(t *testing.T) {
	eachName(t, func(f *fixture) {
		id, other := f.create("Acme", ""), f.create("Other", "other.example")
		before := f.events(id)
		add := func(id, domain string) request {
			return request{method: "AddTrustedDomain", body: fmt.Sprintf(`{"instanceId":%q,%q:%q}`, id, f.trustedDomain, domain)}
		}
		f.clock.Advance(time.Minute)
		f.answers(add(id, " Login.Bücher.Example "), &instancev2.AddTrustedDomainResponse{CreationDate: f.now()})
		f.clock.Advance(time.Minute)
		f.answers(add(id, "other.example"), &instancev2.AddTrustedDomainResponse{CreationDate: f.now()})
		f.left(id, before, "instance.trusted_domains.added", "instance.trusted_domains.added")
		if d := f.get(id).Trusted; len(d) != 2 || d[0].Name != "login.xn--bcher-kva.example" {
			f.Errorf("the trusted domains are %+v", d)
		}
		// Any number of instances may trust a domain.
		f.answers(add(other, "login.bücher.example"), &instancev2.AddTrustedDomainResponse{CreationDate: f.now()})

		trusted := field(f.trustedDomain)
		f.refused(add(id, "  "), codes.InvalidArgument, "COMMA-Stk21", trusted)
		f.refused(add(id, ""), codes.InvalidArgument, "", trusted)
		f.refused(add(id, strings.Repeat("x", 254)), codes.InvalidArgument, "", trusted)
		f.refused(add(id, "a_b.example"), codes.InvalidArgument, "COMMA-S3v3w", trusted)
		f.refused(add(id, "OTHER.example"), codes.FailedPrecondition, "COMMA-hg42a", trusted)
		full := f.get(id)
		f.must(f.log.Write(f.Context(), ident.InstanceID(id), "ada", func(ctx context.Context, w *eventlog.Writer) error {
			var more []eventlog.Payload
			for i := range instance.MaxTrusted - 2 {
				more = append(more, instance.TrustedDomainAdded{Domain: fmt.Sprintf("d%d.example", i)})
			}
			_, err := eventlog.Append(ctx, w, instance.Noun, full, more...)
			return err
		}))
		f.refused(add(id, "one.more.example"), codes.FailedPrecondition, "INST-trust1", trusted)
		f.guarded("AddTrustedDomain", `{"instanceId":%q,"`+f.trustedDomain+`":"new.example"}`, "INST-nuso2m", false)
	})
}

func TestRemoveTrustedDomain(t *testing.T) {
	eachName(t, func(f *fixture) {
		id, other := f.create("Acme", "acme.example"), f.create("Other", "")
		_, err := f.service().AddTrustedDomain(f.Context(), ident.InstanceID(id), "ada", "login.bücher.example")
		f.must(err)
		before := f.events(id)
		remove := func(id, domain string) request {
			return request{method: "RemoveTrustedDomain", body: fmt.Sprintf(`{"instanceId":%q,%q:%q}`, id, f.trustedDomain, domain)}
		}
		trusted := field(f.trustedDomain)
		for _, domain := range []string{"new.example", "a_b", " ", "acme.example", "i101.id.example"} {
			f.refused(remove(id, domain), codes.NotFound, "COMMA-de3z9", trusted)
		}
		f.refused(remove(other, "login.bücher.example"), codes.NotFound, "COMMA-de3z9", trusted)
		f.refused(remove(id, ""), codes.InvalidArgument, "", trusted)
		f.guarded("RemoveTrustedDomain", `{"instanceId":%q,"`+f.trustedDomain+`":"a.example"}`, "INST-nuso2m", false)

		f.clock.Advance(time.Minute)
		f.answers(remove(id, "Login.Bücher.example"), &instancev2.RemoveTrustedDomainResponse{DeletionDate: f.now()})
		f.left(id, before, "instance.trusted_domains.removed")
		if d := f.get(id).Trusted; len(d) != 0 {
			f.Errorf("the trusted domains are %+v", d)
		}
	})
}

// An instance_id that is left out is none of the handlers' business, but no rule of v2beta allows it.
func TestInstanceIDOfBeta(t *testing.T) {
	eachName(t, func(f *fixture) {
		if !f.beta() {
			return
		}
		for _, method := range []string{"GetInstance", "ListCustomDomains", "ListTrustedDomains"} {
			f.refused(request{method: method, body: "{}"}, codes.InvalidArgument, "", "instance_id")
			f.refused(request{method: method, body: `{"instanceId":"` + strings.Repeat("1", 201) + `"}`},
				codes.InvalidArgument, "", "instance_id")
		}
		for method, field := range map[string]string{
			"UpdateInstance": "instanceName", "AddTrustedDomain": f.trustedDomain, "RemoveTrustedDomain": f.trustedDomain,
		} {
			f.refused(request{method: method, body: `{"` + field + `":"x"}`}, codes.InvalidArgument, "", "instance_id")
		}
	})
}

// at is a number of minutes after the clock begins.
func at(minute int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2025, 6, 1, 12, minute, 0, 0, time.UTC))
}
