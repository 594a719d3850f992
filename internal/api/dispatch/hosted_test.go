package dispatch

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"castellan/internal/access"
	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/origin"
	"castellan/internal/systemuser"

	optionsv1 "castellan/gen/castellan/options/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
)

// message describes a message of texts, or of messages where a type is named: "name" or "name:type".
func message(name string, fields ...string) *descriptorpb.DescriptorProto {
	m := &descriptorpb.DescriptorProto{Name: &name}
	for i, field := range fields {
		f := &descriptorpb.FieldDescriptorProto{
			Number: proto.Int32(int32(i + 1)), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
			Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		}
		name, of, isMessage := strings.Cut(field, ":")
		f.Name = &name
		switch {
		case of == "bool":
			f.Type = descriptorpb.FieldDescriptorProto_TYPE_BOOL.Enum()
		case of == "list":
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		case isMessage:
			f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String(".test."+of)
		}
		m.Field = append(m.Field, f)
	}
	return m
}

// methodOf makes a method with a declaration, whose request has all the fields of the tests.
func methodOf(t testing.TB, auth *optionsv1.Auth) protoreflect.MethodDescriptor {
	t.Helper()
	options := &descriptorpb.MethodOptions{}
	if auth != nil {
		proto.SetExtension(options, optionsv1.E_Auth, auth)
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("test.proto"), Package: proto.String("test"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			message("M", "user_id", "org_id", "project_id", "granted_id", "place:Place", "whole:bool", "many:list"),
			message("Place", "org_id", "org_domain"),
		},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Do"), InputType: proto.String(".test.M"), OutputType: proto.String(".test.M"), Options: options,
		}}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file.Services().Get(0).Methods().Get(0)
}

// requestOf makes a request of the method: path, value, path, value.
func requestOf(t testing.TB, m protoreflect.MethodDescriptor, pairs ...string) proto.Message {
	t.Helper()
	request := dynamicpb.NewMessage(m.Input())
	for i := 0; i < len(pairs); i += 2 {
		p, err := find(m.Input(), pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		p.set(request, pairs[i+1])
	}
	return request
}

// hosted is a fixture for the users of instance A, with a user who holds roles on something.
func hosted(more ...access.Membership) (*fixture, *directory) {
	dir := &directory{
		more: more,
		orgs: map[string]ident.OrgID{"home": "home", "1": "1", "one.example": "1", "2": "2"},
		owners: map[access.Thing]access.Owner{
			{Kind: access.UserKind, ID: "u1"}:                    {Org: "1"},
			{Kind: access.UserKind, ID: "u2"}:                    {Org: "2"},
			{Kind: access.Project, ID: "p1"}:                     {Org: "1", Project: "p1"},
			{Kind: access.OrgDomain, ID: "one.example"}:          {Org: "1"},
			{Kind: access.OrgDomain, ID: "two.example"}:          {Org: "2"},
			{Kind: access.ProjectGrant, ID: "p1", Second: "2"}:   {Org: "1", Project: "p1", Grant: "g"},
			{Kind: access.GrantedProject, ID: "p1", Second: "2"}: {Org: "1", OtherOrg: "2", Project: "p1", Grant: "g"},
		},
	}
	return &fixture{host: "a.example", d: &Dispatcher{
		Users: callers{
			"owner":    system("SYSTEM_OWNER"),
			"everyIAM": system("IAM_OWNER"),
			"ofA":      {{Type: systemuser.IAM, AggregateID: "A", Roles: []string{"IAM_OWNER"}}},
			"ofOrg1":   {{Type: systemuser.Organization, AggregateID: "1", Roles: []string{"IAM_OWNER"}}},
		},
		Directory: dir, Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry()),
	}}, dir
}

// The memberships of the tests.
func onOrg(id string) access.Membership {
	return access.Membership{Scope: member.Org, ID: id, Owner: ident.OrgID(id), Roles: []string{"ORG_OWNER"}}
}

func onProject(id string) access.Membership {
	return access.Membership{Scope: member.Project, ID: id, Owner: "2", Roles: []string{"PROJECT_OWNER"}}
}

func onA(roles ...string) access.Membership {
	return access.Membership{Scope: member.Instance, ID: "A", Roles: roles}
}

// The declarations of the tests.
var (
	anyUser    = &optionsv1.Auth{Authenticated: true}
	onInstance = &optionsv1.Auth{InstancePermission: "iam.policy.write"}
	onUser     = &optionsv1.Auth{InstancePermission: "user.write", On: []*optionsv1.On{{Kind: optionsv1.On_USER, Field: "user_id", Self: true}}}
	onOther    = &optionsv1.Auth{InstancePermission: "user.write", On: []*optionsv1.On{{Kind: optionsv1.On_USER, Field: "user_id"}}}
	inOrg      = &optionsv1.Auth{InstancePermission: "user.write", On: []*optionsv1.On{{Kind: optionsv1.On_ORG, Field: "org_id"}}}
	inOwnOrg   = &optionsv1.Auth{InstancePermission: "user.write", On: []*optionsv1.On{{Kind: optionsv1.On_ORG}}}
	inPlace    = &optionsv1.Auth{InstancePermission: "user.write", On: []*optionsv1.On{
		{Kind: optionsv1.On_ORG_DOMAIN, Field: "place.org_domain"}, {Kind: optionsv1.On_ORG, Field: "place.org_id"},
	}}
	project = &optionsv1.Auth{InstancePermission: "project.write", On: []*optionsv1.On{{Kind: optionsv1.On_PROJECT, Field: "project_id"}}}
	grant   = &optionsv1.Auth{InstancePermission: "project.grant.write", On: []*optionsv1.On{
		{Kind: optionsv1.On_PROJECT_GRANT, Field: "project_id", Second: "granted_id"},
	}}
	granted = &optionsv1.Auth{InstancePermission: "project.grant.member.write", On: []*optionsv1.On{
		{Kind: optionsv1.On_GRANTED_PROJECT, Field: "project_id", Second: "granted_id"},
	}}
	list     = &optionsv1.Auth{InstancePermission: "user.read", On: []*optionsv1.On{{Kind: optionsv1.On_ANY}}}
	listSelf = &optionsv1.Auth{InstancePermission: "user.read", On: []*optionsv1.On{{Kind: optionsv1.On_ANY, Self: true}}}
	resource = &optionsv1.Auth{InstancePermission: "iam.member.write", On: []*optionsv1.On{
		{Kind: optionsv1.On_INSTANCE, Field: "whole"},
		{Kind: optionsv1.On_ORG, Field: "org_id", Permission: "org.member.write"},
		{Kind: optionsv1.On_PROJECT, Field: "project_id", Permission: "project.member.write"},
	}}
)

// The outcomes of the tests.
const (
	ok      = "OK"
	denied  = "No matching permissions found (AUTH-5mWD2)"
	noUser  = "Errors.User.NotFound (QUERY-Dfbg2)"
	noOrg   = "Errors.Org.NotFound (QUERY-iTTGJ)"
	noOrgID = "Organisation doesn't exist (AUTH-Bs7Ds)"
)

func outcomeOf(err error) string {
	if err == nil {
		return ok
	}
	return fault.Of(err).Public()
}

// TestHosted is who may do what on what.
func TestHosted(t *testing.T) {
	noProject := access.Missing(access.Project).Public()
	for _, tt := range []struct {
		auth    *optionsv1.Auth
		has     []access.Membership // of the user
		as      string              // else a system user
		fields  []string            // of the request
		org     string              // x-zitadel-orgid
		want    string
		reads   int      // of organizations and owners
		becomes []string // fields of the request that the handler sees
	}{
		{auth: anyUser, want: ok},
		{auth: anyUser, as: "owner", want: denied},
		{auth: anyUser, as: "ofA", want: denied},

		{auth: onInstance, want: denied},
		{auth: onInstance, has: []access.Membership{onA("IAM_OWNER")}, want: ok},
		{auth: onInstance, has: []access.Membership{onA("IAM_OWNER_VIEWER"), onOrg("1")}, want: denied},
		{auth: onInstance, as: "owner", want: denied},
		{auth: onInstance, as: "everyIAM", want: ok},
		{auth: onInstance, as: "ofA", want: ok},
		{auth: onInstance, as: "ofOrg1", org: "1", want: denied, reads: 1},

		{auth: onUser, fields: []string{"user_id", "u1"}, want: denied},
		{auth: onUser, fields: []string{"user_id", "404"}, want: denied},
		{auth: onUser, fields: []string{"user_id", "user of A"}, want: ok},
		{auth: onOther, fields: []string{"user_id", "user of A"}, want: denied},
		{auth: onUser, has: []access.Membership{onOrg("1")}, fields: []string{"user_id", "u1"}, want: ok, reads: 1},
		{auth: onUser, has: []access.Membership{onOrg("1")}, fields: []string{"user_id", "u2"}, want: noUser, reads: 1},
		{auth: onUser, has: []access.Membership{onOrg("1")}, fields: []string{"user_id", "404"}, want: noUser, reads: 1},
		{auth: onUser, has: []access.Membership{onOrg("1")}, want: noUser, reads: 1},
		{auth: onUser, has: []access.Membership{onProject("p1")}, fields: []string{"user_id", "u1"}, want: denied},
		{auth: onUser, has: []access.Membership{onA("IAM_OWNER")}, fields: []string{"user_id", "404"}, want: ok}, // the handler's to miss
		{auth: onUser, has: []access.Membership{onA("IAM_OWNER")}, want: noUser, reads: 1},
		{auth: onUser, as: "ofA", fields: []string{"user_id", "u1"}, want: ok},
		{auth: onUser, as: "ofA", fields: []string{"user_id", ""}, want: noUser, reads: 1},
		{auth: onUser, as: "ofOrg1", fields: []string{"user_id", "u1"}, want: denied},
		{auth: onUser, as: "ofOrg1", fields: []string{"user_id", "u1"}, org: "1", want: ok, reads: 2},
		{auth: onUser, as: "ofOrg1", fields: []string{"user_id", "u2"}, org: "1", want: noUser, reads: 2},
		{auth: onUser, as: "ofOrg1", fields: []string{"user_id", "u2"}, org: "2", want: denied, reads: 1},
		{auth: onUser, as: "ofOrg1", fields: []string{"user_id", "u2"}, org: "404", want: denied, reads: 1},
		{auth: onUser, as: "ofA", fields: []string{"user_id", "u2"}, org: "404", want: noOrgID, reads: 1},

		{auth: inOrg, has: []access.Membership{onOrg("1")}, fields: []string{"org_id", "1"}, want: ok},
		{auth: inOrg, has: []access.Membership{onOrg("1")}, fields: []string{"org_id", "2"}, want: noOrg},
		{auth: inOrg, has: []access.Membership{onOrg("1")}, fields: []string{"org_id", "404"}, want: noOrg},
		{auth: inOrg, has: []access.Membership{onOrg("home")}, want: ok, becomes: []string{"org_id", "home"}},
		{auth: inOrg, has: []access.Membership{onOrg("1")}, want: noOrg},
		{auth: inOrg, has: []access.Membership{onOrg("1")}, org: "one.example", want: ok, reads: 1, becomes: []string{"org_id", "1"}},
		{auth: inOrg, has: []access.Membership{onOrg("1")}, org: "2", want: noOrgID, reads: 1}, // is there, and not for it to know
		{auth: inOrg, has: []access.Membership{onOrg("1"), onProject("p2")}, org: "2", want: noOrg, reads: 1},
		{auth: inOrg, has: []access.Membership{onOrg("1")}, org: "404", want: noOrgID, reads: 1},
		{auth: inOrg, has: []access.Membership{onA("IAM_OWNER")}, org: "2", fields: []string{"org_id", "1"}, want: ok, reads: 1, becomes: []string{"org_id", "1"}},
		{auth: inOrg, as: "ofA", want: errNoOrg.Message},
		{auth: inOrg, as: "ofA", org: "2", want: ok, reads: 1, becomes: []string{"org_id", "2"}},
		{auth: inOwnOrg, has: []access.Membership{onOrg("home")}, want: ok},
		{auth: inOwnOrg, has: []access.Membership{onOrg("1")}, org: "1", want: ok, reads: 1},
		{auth: inOwnOrg, has: []access.Membership{onOrg("1")}, org: "home", want: noOrg},

		{auth: inPlace, has: []access.Membership{onOrg("1")}, fields: []string{"place.org_domain", "one.example"}, want: ok, reads: 1, becomes: []string{"place.org_id", "1"}},
		{auth: inPlace, has: []access.Membership{onOrg("1")}, fields: []string{"place.org_domain", "two.example"}, want: noOrg, reads: 1},
		{auth: inPlace, has: []access.Membership{onOrg("1")}, fields: []string{"place.org_domain", "404.example"}, want: noOrg, reads: 1},
		{auth: inPlace, has: []access.Membership{onOrg("home")}, want: ok, becomes: []string{"place.org_id", "home"}},

		{auth: project, has: []access.Membership{onProject("p1")}, fields: []string{"project_id", "p1"}, want: ok, reads: 1},
		{auth: project, has: []access.Membership{onOrg("1")}, fields: []string{"project_id", "p1"}, want: ok, reads: 1},
		{auth: project, has: []access.Membership{onOrg("2")}, fields: []string{"project_id", "p1"}, want: noProject, reads: 1},
		{auth: project, has: []access.Membership{onProject("p2")}, fields: []string{"project_id", "p1"}, want: noProject, reads: 1},
		{auth: grant, has: []access.Membership{onOrg("1")}, fields: []string{"project_id", "p1", "granted_id", "2"}, want: ok, reads: 1},
		{auth: grant, has: []access.Membership{onOrg("2")}, fields: []string{"project_id", "p1", "granted_id", "2"}, want: access.Missing(access.ProjectGrant).Public(), reads: 1},
		{auth: grant, has: []access.Membership{onOrg("1")}, fields: []string{"project_id", "p1", "granted_id", "3"}, want: access.Missing(access.ProjectGrant).Public(), reads: 1},
		{auth: granted, has: []access.Membership{onOrg("2")}, fields: []string{"project_id", "p1", "granted_id", "2"}, want: ok, reads: 1},

		{auth: list, want: denied},
		{auth: list, has: []access.Membership{onProject("p1")}, want: ok},
		{auth: list, as: "ofA", want: ok},
		{auth: list, as: "owner", want: denied},
		{auth: listSelf, want: ok},
		{auth: listSelf, as: "owner", want: denied},

		{auth: resource, has: []access.Membership{onA("IAM_OWNER")}, fields: []string{"whole", "true"}, want: ok},
		{auth: resource, has: []access.Membership{onOrg("1")}, fields: []string{"whole", "true"}, want: denied},
		{auth: resource, has: []access.Membership{onOrg("1")}, fields: []string{"org_id", "1"}, want: ok},
		{auth: resource, has: []access.Membership{onProject("p1")}, fields: []string{"org_id", "1"}, want: denied},
		{auth: resource, has: []access.Membership{onProject("p1")}, fields: []string{"project_id", "p1"}, want: ok, reads: 1},
		{auth: resource, as: "ofA", fields: []string{"org_id", "1"}, want: ok},
	} {
		f, dir := hosted(tt.has...)
		m := methodOf(t, tt.auth)
		if err := Check(m); err != nil {
			t.Fatalf("%v: %v", tt.auth, err)
		}
		request := hostedRequest(t, m, tt.fields)
		who := tt.as
		if who == "" {
			who = "user"
		}
		header := as(who)
		if tt.org != "" {
			header.Set("X-Zitadel-Orgid", tt.org)
		}
		err := f.runMethod(m, request, header)
		if got := outcomeOf(err); got != tt.want || f.handled != (tt.want == ok) {
			t.Errorf("%v as %s%v with %v, orgid %q: %s (%v), want %s", tt.auth, tt.as, tt.has, tt.fields, tt.org, got, err, tt.want)
		}
		if dir.found != tt.reads {
			t.Errorf("%v as %s%v with %v, orgid %q: %d reads, want %d", tt.auth, tt.as, tt.has, tt.fields, tt.org, dir.found, tt.reads)
		}
		if tt.becomes != nil {
			if diff := cmp.Diff(tt.becomes[1], must(find(m.Input(), tt.becomes[0])).text(request)); diff != "" {
				t.Errorf("%v with %v: %s (-want +got):\n%s", tt.auth, tt.fields, tt.becomes[0], diff)
			}
		}
	}
}

func must(p path, err error) path {
	if err != nil {
		panic(err)
	}
	return p
}

// hostedRequest is requestOf, for fields that are true also.
func hostedRequest(t *testing.T, m protoreflect.MethodDescriptor, fields []string) proto.Message {
	t.Helper()
	if slices.Equal(fields, []string{"whole", "true"}) {
		request := dynamicpb.NewMessage(m.Input())
		request.Set(m.Input().Fields().ByName("whole"), protoreflect.ValueOfBool(true))
		return request
	}
	return requestOf(t, m, fields...)
}

// TestWhatAHandlerIsTold: the instance, by the way only bind can see, and the rights of the caller.
func TestWhatAHandlerIsTold(t *testing.T) {
	f, _ := hosted(onOrg("1"), onProject("p2"))
	m := methodOf(t, list)
	header := as("user")
	header.Set("X-Zitadel-Orgid", "2")
	if err := f.runMethod(m, requestOf(t, m), header); err != nil {
		t.Fatal(err)
	}
	if r := f.call.Rights; r.User() != "user of A" || r.Org() != "2" || !cmp.Equal(r.Reach("user.read"), call.Reach{Orgs: []ident.OrgID{"1"}, Projects: []ident.ProjectID{"p2"}, Self: "user of A"}) {
		t.Errorf("%+v", r)
	}
	if f.call.Actor != "user of A" {
		t.Errorf("the actor is %q", f.call.Actor)
	}
	f, _ = hosted()
	if err := f.runMethod(m, requestOf(t, m), as("ofA")); err != nil {
		t.Fatal(err)
	}
	if r := f.call.Rights; r.User() != "" || r.Org() != "" || !r.Reach("user.read").Instance {
		t.Errorf("%+v", r)
	}
}

// TestHostsOfHostedCalls: a caller who has no business at a host learns neither whether it leads to an
// instance nor what has become of that.
func TestHostsOfHostedCalls(t *testing.T) {
	const stopped, blocked = "this instance has been stopped by its operator (INST-stop1)", "Errors.Limits.Instance.Blocked (LIMITS-molsj)"
	m := methodOf(t, onInstance)
	for _, tt := range []struct{ as, host, want string }{
		{"user", "b.example", denied},
		{"user", "404.example", "Errors.Token.Invalid (AUTH-7fs1e)"},
		{"user", "stopped.example", stopped},
		{"user", "blocked.example", blocked},
		{"everyIAM", "404.example", "unable to set instance"},
		{"everyIAM", "stopped.example", stopped},
		{"everyIAM", "blocked.example", blocked},
		{"ofA", "404.example", denied},
		{"ofA", "b.example", denied},
		{"ofA", "stopped.example", denied},
		{"ofOrg1", "stopped.example", denied},
		{"owner", "404.example", denied},
		{"owner", "a.example", denied},
		{"", "a.example", "Errors.Token.Invalid (AUTH-7fs1e)"},
		{"", "404.example", "Errors.Token.Invalid (AUTH-7fs1e)"},
	} {
		f, _ := hosted()
		f.host = tt.host
		if err := f.runMethod(m, requestOf(t, m), as(tt.as)); outcomeOf(err) != tt.want || f.handled {
			t.Errorf("%s at %s: %v, want %s", tt.as, tt.host, err, tt.want)
		}
	}
}

// TestSeveralOrganizationsAreNone: which of the headers would count?
func TestSeveralOrganizationsAreNone(t *testing.T) {
	f, dir := hosted(onOrg("1"))
	dir.orgs["1,2"] = "" // what no organization is called
	delete(dir.orgs, "1,2")
	m := methodOf(t, inOwnOrg)
	header := as("user")
	header["X-Zitadel-Orgid"] = []string{"1", "2"}
	if err := f.runMethod(m, requestOf(t, m), header); outcomeOf(err) != noOrgID {
		t.Errorf("%v", err)
	}
}

// TestTheDatabaseOfOwnersIsAway: that is no answer about what there is.
func TestTheDatabaseOfOwnersIsAway(t *testing.T) {
	m := methodOf(t, onUser)
	for name, org := range map[string]string{"ofOrg1": "1", "ofA": "1"} {
		f, dir := hosted()
		dir.fails = errors.New("away")
		header := as(name)
		header.Set("X-Zitadel-Orgid", org)
		if err := f.runMethod(m, requestOf(t, m, "user_id", "u1"), header); fault.KindOf(err) != fault.Internal || f.handled {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeclarationsThatCannotBeEnforced(t *testing.T) {
	user := func(o *optionsv1.On) *optionsv1.Auth {
		return &optionsv1.Auth{InstancePermission: "user.write", On: []*optionsv1.On{o}}
	}
	for name, auth := range map[string]*optionsv1.Auth{
		"nothing":                   nil,
		"empty":                     {},
		"public for some":           {Public: true, Permission: "system.instance.read"},
		"authenticated for some":    {Authenticated: true, InstancePermission: "user.read"},
		"on for the system":         {Permission: "system.instance.read", InstancePermission: "iam.read", On: onUser.GetOn()},
		"on for all":                {Authenticated: true, On: onUser.GetOn()},
		"a permission of nobody":    {InstancePermission: "user.wirte"},
		"another of nobody":         user(&optionsv1.On{Kind: optionsv1.On_USER, Field: "user_id", Permission: "user.wirte"}),
		"no field":                  user(&optionsv1.On{Kind: optionsv1.On_USER}),
		"a field it has not":        user(&optionsv1.On{Kind: optionsv1.On_USER, Field: "user"}),
		"a list":                    user(&optionsv1.On{Kind: optionsv1.On_USER, Field: "many"}),
		"a bool":                    user(&optionsv1.On{Kind: optionsv1.On_USER, Field: "whole"}),
		"a message":                 user(&optionsv1.On{Kind: optionsv1.On_ORG, Field: "place"}),
		"through a text":            user(&optionsv1.On{Kind: optionsv1.On_ORG, Field: "org_id.org_id"}),
		"a grant without second":    user(&optionsv1.On{Kind: optionsv1.On_PROJECT_GRANT, Field: "project_id"}),
		"a second that is not one":  user(&optionsv1.On{Kind: optionsv1.On_PROJECT_GRANT, Field: "project_id", Second: "no"}),
		"a second for one":          user(&optionsv1.On{Kind: optionsv1.On_USER, Field: "user_id", Second: "org_id"}),
		"anything by name":          user(&optionsv1.On{Kind: optionsv1.On_ANY, Field: "user_id"}),
		"an organization is itself": user(&optionsv1.On{Kind: optionsv1.On_ORG, Field: "org_id", Self: true}),
	} {
		m := methodOf(t, auth)
		if err := Check(m); err == nil {
			t.Errorf("%s: accepted", name)
		}
		f, _ := hosted(onA("IAM_OWNER"))
		err := f.runMethod(m, requestOf(t, m, "user_id", "u1"), as("user"))
		if outcomeOf(err) != errUndeclared.Message || f.handled {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestARemovalMeanwhile: a write that finds its instance gone answers that it is not there.
func TestARemovalMeanwhile(t *testing.T) {
	f, _ := hosted(onA("IAM_OWNER"))
	f.fails = eventlog.ErrNoInstance
	m := methodOf(t, onInstance)
	if err := f.runMethod(m, requestOf(t, m), as("user")); fault.KindOf(err) != fault.NotFound || fault.Of(err).ID != "" {
		t.Errorf("%v", err)
	}
}

// TestForwardedHosts: what a trusted proxy says of the host counts for every kind of call by host, and
// nobody else's word does.
func TestForwardedHosts(t *testing.T) {
	trusted, err := origin.ParseTrusted([]string{"192.0.2.1"}) // whom the fixture's calls come from
	if err != nil {
		t.Fatal(err)
	}
	const unknown, malformed = "Errors.Token.Invalid (AUTH-7fs1e)", "X-Forwarded-Host: must be a host, perhaps with a port"
	for _, tt := range []struct {
		proxy     bool
		as        string
		forwarded string
		want      string
	}{
		{true, "user", "a.example", ok},
		{true, "ofA", "a.example", ok},
		{true, "user", "404.example", unknown},
		{true, "ofA", "b.example", denied},
		{true, "user", "a b", malformed},
		{true, "ofA", "a b", malformed},
		{false, "user", "a.example", unknown},
		{false, "ofA", "a.example", denied},
		{false, "user", "a b", unknown},
	} {
		f, _ := hosted(onA("IAM_OWNER"))
		f.host = "404.example"
		if tt.proxy {
			f.d.Origins = origin.NewResolver(trusted, false)
		}
		header := as(tt.as)
		header.Set("X-Forwarded-Host", tt.forwarded)
		m := methodOf(t, onInstance)
		if err := f.runMethod(m, requestOf(t, m), header); outcomeOf(err) != tt.want {
			t.Errorf("%+v: %v", tt, err)
		}
		request := &instancev2.GetInstanceRequest{}
		f.handled = false
		get := instancev2.File_zitadel_instance_v2_instance_service_proto.Services().Get(0).Methods().ByName("GetInstance")
		if err := f.runMethod(get, request, header); outcomeOf(err) != tt.want || tt.want == ok && request.GetInstanceId() != "A" {
			t.Errorf("%+v: GetInstance: %v", tt, err)
		}
	}
}
