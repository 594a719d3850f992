package tenant_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"castellan/tests/kit"

	adminv1 "castellan/gen/zitadel/admin/v1"
	filterv2 "castellan/gen/zitadel/filter/v2"
	metadatav2 "castellan/gen/zitadel/metadata/v2"
	objectv2 "castellan/gen/zitadel/object/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

const orgAPI = "zitadel.org.v2.OrganizationService/"

// begun are the events of an organization that begins.
var begun = []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set"}

// organizations returns the names of those that a list shows, and how many it counts.
func (x *tenant) organizations(req *orgv2.ListOrganizationsRequest) (names []string, total uint64) {
	x.Helper()
	got := new(orgv2.ListOrganizationsResponse)
	x.read(orgAPI+"ListOrganizations", req, got)
	for _, o := range got.GetResult() {
		names = append(names, o.GetName())
	}
	return names, got.GetDetails().GetTotalResult()
}

// named is a list of the organizations whose names begin with a text, sorted by name.
func named(text string) *orgv2.ListOrganizationsRequest {
	return &orgv2.ListOrganizationsRequest{
		Query: &objectv2.ListQuery{Asc: true}, SortingColumn: orgv2.OrganizationFieldName_ORGANIZATION_FIELD_NAME_NAME,
		Queries: []*orgv2.SearchQuery{{Query: &orgv2.SearchQuery_NameQuery{NameQuery: &orgv2.OrganizationNameQuery{
			Name: text, Method: objectv2.TextQueryMethod_TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE,
		}}}},
	}
}

func inState(state orgv2.OrganizationState) *orgv2.SearchQuery {
	return &orgv2.SearchQuery{Query: &orgv2.SearchQuery_StateQuery{StateQuery: &orgv2.OrganizationStateQuery{State: state}}}
}

// The life of an organization, from its beginning to its end.
func TestOrganization(t *testing.T) {
	eachWire(t, func(x *tenant) {
		made := new(orgv2.AddOrganizationResponse)
		a := x.try(orgAPI+"AddOrganization", &orgv2.AddOrganizationRequest{Name: "Branch", OrganizationId: proto.String("77")}, made)
		if a.Code != codes.OK || x.Wire.Name == kit.REST().Name && a.HTTP != http.StatusCreated {
			x.Fatalf("AddOrganization: %v", a)
		}
		if left := x.Events()[x.Made:]; !slices.Equal(left, begun) {
			x.Errorf("AddOrganization left %v", left)
		}
		d := made.GetDetails()
		if made.GetOrganizationId() != "77" || d.GetResourceOwner() != "77" || d.GetSequence() != 4 || d.GetCreationDate() == nil || len(made.GetCreatedAdmins()) > 0 {
			x.Errorf("made %v", made)
		}
		x.refused(orgAPI+"AddOrganization", &orgv2.AddOrganizationRequest{Name: "BRANCH"}, codes.AlreadyExists, "V3-DKcYh")
		x.refused(orgAPI+"AddOrganization", &orgv2.AddOrganizationRequest{Name: "Other", OrganizationId: proto.String("77")}, codes.AlreadyExists, "ORG-lapo2n")
		x.refused(orgAPI+"AddOrganization", &orgv2.AddOrganizationRequest{}, codes.InvalidArgument, "")

		got := new(orgv2.ListOrganizationsResponse)
		x.read(orgAPI+"ListOrganizations", named("branch"), got)
		x.equal(got, &orgv2.ListOrganizationsResponse{
			Details: &objectv2.ListDetails{TotalResult: 1}, SortingColumn: orgv2.OrganizationFieldName_ORGANIZATION_FIELD_NAME_NAME,
			Result: []*orgv2.Organization{{
				Id: "77", Details: d, State: orgv2.OrganizationState_ORGANIZATION_STATE_ACTIVE, Name: "Branch", PrimaryDomain: "branch." + x.Wire.Name + ".example",
			}},
		})

		changed := new(orgv2.UpdateOrganizationResponse)
		rename := &orgv2.UpdateOrganizationRequest{OrganizationId: "77", Name: "Twig"}
		x.write(orgAPI+"UpdateOrganization", rename, changed,
			[]string{"org.changed", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.domain.removed"})
		if !changed.GetChangeDate().AsTime().After(d.GetChangeDate().AsTime()) {
			x.Errorf("changed at %v, made at %v", changed.GetChangeDate(), d.GetChangeDate())
		}
		x.refused(orgAPI+"UpdateOrganization", rename, codes.FailedPrecondition, "ORG-4VSdf")
		x.refused(orgAPI+"UpdateOrganization", &orgv2.UpdateOrganizationRequest{OrganizationId: "404", Name: "Twig"}, codes.NotFound, "QUERY-iTTGJ")

		off, on := &orgv2.DeactivateOrganizationRequest{OrganizationId: "77"}, &orgv2.ActivateOrganizationRequest{OrganizationId: "77"}
		x.refused(orgAPI+"ActivateOrganization", on, codes.FailedPrecondition, "EVENT-bfnrh")
		x.write(orgAPI+"DeactivateOrganization", off, &orgv2.DeactivateOrganizationResponse{}, []string{"org.deactivated"})
		x.refused(orgAPI+"DeactivateOrganization", off, codes.FailedPrecondition, "EVENT-Dbs2g")
		inactive := &orgv2.ListOrganizationsRequest{Queries: []*orgv2.SearchQuery{inState(orgv2.OrganizationState_ORGANIZATION_STATE_INACTIVE)}}
		if names, total := x.organizations(inactive); !slices.Equal(names, []string{"Twig"}) || total != 1 {
			x.Errorf("inactive are %v of %d", names, total)
		}
		x.write(orgAPI+"ActivateOrganization", on, &orgv2.ActivateOrganizationResponse{}, []string{"org.reactivated"})

		gone := new(orgv2.DeleteOrganizationResponse)
		x.write(orgAPI+"DeleteOrganization", &orgv2.DeleteOrganizationRequest{OrganizationId: "77"}, gone, []string{"org.removed"})
		if gone.GetDeletionDate() == nil {
			x.Error("no date")
		}
		again := new(orgv2.DeleteOrganizationResponse)
		x.read(orgAPI+"DeleteOrganization", &orgv2.DeleteOrganizationRequest{OrganizationId: "77"}, again)
		x.equal(again, &orgv2.DeleteOrganizationResponse{})
		x.refused(orgAPI+"DeleteOrganization", &orgv2.DeleteOrganizationRequest{OrganizationId: x.Org}, codes.FailedPrecondition, "COMMA-wG9p1")
		x.write(orgAPI+"AddOrganization", &orgv2.AddOrganizationRequest{Name: "Twig"}, nil, begun) // the name is free
	})
}

func TestOrganizationMetadata(t *testing.T) {
	eachWire(t, func(x *tenant) {
		set := func(key, value string) *orgv2.SetOrganizationMetadataRequest {
			return &orgv2.SetOrganizationMetadataRequest{OrganizationId: x.Org, Metadata: []*orgv2.Metadata{{Key: key, Value: []byte(value)}}}
		}
		x.write(orgAPI+"SetOrganizationMetadata", set("b", "\x00\xff"), &orgv2.SetOrganizationMetadataResponse{}, []string{"org.metadata.set"})
		x.write(orgAPI+"SetOrganizationMetadata", set("a", "1"), nil, []string{"org.metadata.set"})
		x.read(orgAPI+"SetOrganizationMetadata", set("a", "1"), nil) // is so already
		x.refused(orgAPI+"SetOrganizationMetadata", set("a", ""), codes.InvalidArgument, "META-2ml0f")
		x.refused(orgAPI+"SetOrganizationMetadata", &orgv2.SetOrganizationMetadataRequest{OrganizationId: x.Org}, codes.FailedPrecondition, "META-9mm2d")

		got := new(orgv2.ListOrganizationMetadataResponse)
		list := &orgv2.ListOrganizationMetadataRequest{OrganizationId: x.Org, Pagination: &filterv2.PaginationRequest{Asc: true}}
		x.read(orgAPI+"ListOrganizationMetadata", list, got)
		x.equal(got, &orgv2.ListOrganizationMetadataResponse{
			Pagination: &filterv2.PaginationResponse{TotalResult: 2, AppliedLimit: 100},
			Metadata:   []*metadatav2.Metadata{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("\x00\xff")}},
		}, protocmp.IgnoreFields(&metadatav2.Metadata{}, "creation_date", "change_date"))

		remove := &orgv2.DeleteOrganizationMetadataRequest{OrganizationId: x.Org, Keys: []string{"a", "b"}}
		x.write(orgAPI+"DeleteOrganizationMetadata", remove, &orgv2.DeleteOrganizationMetadataResponse{}, []string{"org.metadata.removed", "org.metadata.removed"})
		x.refused(orgAPI+"DeleteOrganizationMetadata", remove, codes.NotFound, "META-2npds")
	})
}

// A domain is verified at once, unless the instance asks for proofs.
func TestOrganizationDomains(t *testing.T) {
	eachWire(t, func(x *tenant) {
		add := func(org, domain string) *orgv2.AddOrganizationDomainRequest {
			return &orgv2.AddOrganizationDomainRequest{OrganizationId: org, Domain: domain}
		}
		x.addOrg("77", "Second")
		x.write(orgAPI+"AddOrganizationDomain", add(x.Org, "Login.Example"), &orgv2.AddOrganizationDomainResponse{}, []string{"org.domain.added", "org.domain.verified"})
		x.refused(orgAPI+"AddOrganizationDomain", add(x.Org, "login.example"), codes.AlreadyExists, "COMMA-Bd2jj")
		x.refused(orgAPI+"AddOrganizationDomain", add("77", "login.example"), codes.AlreadyExists, "V3-DKcYh")
		x.refused(orgAPI+"AddOrganizationDomain", add("77", "no domain"), codes.InvalidArgument, "ORG-R24hb")

		x.write(adminAPI+"UpdateDomainPolicy", &adminv1.UpdateDomainPolicyRequest{ValidateOrgDomains: true}, nil, []string{"instance.policy.domain.changed"})
		x.write(orgAPI+"AddOrganizationDomain", add(x.Org, "localhost"), nil, []string{"org.domain.added"})
		proof := new(orgv2.GenerateOrganizationDomainValidationResponse)
		x.write(orgAPI+"GenerateOrganizationDomainValidation", &orgv2.GenerateOrganizationDomainValidationRequest{
			OrganizationId: x.Org, Domain: "localhost", Type: orgv2.DomainValidationType_DOMAIN_VALIDATION_TYPE_HTTP,
		}, proof, []string{"org.domain.verification.added"})
		if proof.GetToken() == "" || !strings.Contains(proof.GetUrl(), "://localhost/.well-known/") {
			x.Errorf("proof %v", proof)
		}
		// What is fetched is not fetched from the machine itself, and the attempt is recorded.
		verify := &orgv2.VerifyOrganizationDomainRequest{OrganizationId: x.Org, Domain: "localhost"}
		before := len(x.Events())
		if a := x.try(orgAPI+"VerifyOrganizationDomain", verify, nil); a.Code == codes.OK || a.ID != "ORG-F4zhw" {
			x.Errorf("VerifyOrganizationDomain: %v", a)
		}
		if left := x.Events()[before:]; !slices.Equal(left, []string{"org.domain.verification.failed"}) {
			x.Errorf("VerifyOrganizationDomain left %v", left)
		}

		got := new(orgv2.ListOrganizationDomainsResponse)
		x.read(orgAPI+"ListOrganizationDomains", &orgv2.ListOrganizationDomainsRequest{
			OrganizationId: x.Org, SortingColumn: orgv2.DomainFieldName_DOMAIN_FIELD_NAME_NAME, Pagination: &filterv2.PaginationRequest{Limit: 2, Offset: 1, Asc: true},
		}, got)
		x.equal(got, &orgv2.ListOrganizationDomainsResponse{
			Pagination: &filterv2.PaginationResponse{TotalResult: 3, AppliedLimit: 2},
			Domains: []*orgv2.Domain{
				{OrganizationId: x.Org, Domain: "localhost", ValidationType: orgv2.DomainValidationType_DOMAIN_VALIDATION_TYPE_HTTP},
				{OrganizationId: x.Org, Domain: "login.example", IsVerified: true},
			},
		})
		remove := &orgv2.DeleteOrganizationDomainRequest{OrganizationId: x.Org, Domain: "login.example"}
		x.write(orgAPI+"DeleteOrganizationDomain", remove, &orgv2.DeleteOrganizationDomainResponse{}, []string{"org.domain.removed"})
		x.write(orgAPI+"AddOrganizationDomain", add("77", "login.example"), nil, []string{"org.domain.added"})
	})
}

// A domain is proved by a record of the name system, which is looked for when the instance is asked to.
func TestProvedDomain(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.write(adminAPI+"UpdateDomainPolicy", &adminv1.UpdateDomainPolicyRequest{ValidateOrgDomains: true}, nil, []string{"instance.policy.domain.changed"})
		domain := "acme-" + x.ID + ".example"
		x.write(orgAPI+"AddOrganizationDomain", &orgv2.AddOrganizationDomainRequest{OrganizationId: x.Org, Domain: domain}, nil, []string{"org.domain.added"})
		proof := new(orgv2.GenerateOrganizationDomainValidationResponse)
		x.write(orgAPI+"GenerateOrganizationDomainValidation", &orgv2.GenerateOrganizationDomainValidationRequest{
			OrganizationId: x.Org, Domain: domain, Type: orgv2.DomainValidationType_DOMAIN_VALIDATION_TYPE_DNS,
		}, proof, []string{"org.domain.verification.added"})
		if len(proof.GetToken()) != 32 || proof.GetUrl() != "_zitadel-challenge."+domain {
			x.Fatalf("proof %v", proof)
		}
		verify := &orgv2.VerifyOrganizationDomainRequest{OrganizationId: x.Org, Domain: domain}
		for _, step := range []struct{ record, id string }{{"", "ORG-G241f"}, {"another", "ORG-G28if"}} {
			names.set(proof.GetUrl(), step.record)
			before := len(x.Events())
			if a := x.try(orgAPI+"VerifyOrganizationDomain", verify, nil); a.Code != codes.NotFound || a.ID != step.id {
				x.Errorf("with the record %q: %v", step.record, a)
			}
			if left := x.Events()[before:]; !slices.Equal(left, []string{"org.domain.verification.failed"}) {
				x.Errorf("with the record %q: %v is left", step.record, left)
			}
		}
		names.set(proof.GetUrl(), proof.GetToken())
		verified := new(orgv2.VerifyOrganizationDomainResponse)
		x.write(orgAPI+"VerifyOrganizationDomain", verify, verified, []string{"org.domain.verified"})
		if verified.GetChangeDate() == nil {
			x.Error("no date")
		}
		got := new(orgv2.ListOrganizationDomainsResponse)
		x.read(orgAPI+"ListOrganizationDomains", &orgv2.ListOrganizationDomainsRequest{
			OrganizationId: x.Org, Filters: []*orgv2.DomainSearchFilter{{Filter: &orgv2.DomainSearchFilter_DomainFilter{
				DomainFilter: &orgv2.OrganizationDomainQuery{Domain: domain},
			}}},
		}, got)
		if len(got.GetDomains()) != 1 || !got.GetDomains()[0].GetIsVerified() {
			x.Errorf("domains %v", got)
		}
	})
}

// An organization begins with those who look after it, and they see it alone.
func TestOrganizationAdmins(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		admin := func(human *userv2.AddHumanUserRequest, roles ...string) *orgv2.AddOrganizationRequest_Admin {
			return &orgv2.AddOrganizationRequest_Admin{UserType: &orgv2.AddOrganizationRequest_Admin_Human{Human: human}, Roles: roles}
		}
		person := func(name string) *userv2.AddHumanUserRequest {
			return &userv2.AddHumanUserRequest{
				Profile: &userv2.SetHumanProfile{GivenName: name, FamilyName: "Lovelace"},
				Email: &userv2.SetHumanEmail{Email: strings.ToLower(name) + "@acme.example", Verification: &userv2.SetHumanEmail_ReturnCode{
					ReturnCode: &userv2.ReturnEmailVerificationCode{},
				}},
			}
		}
		existing := &orgv2.AddOrganizationRequest_Admin{UserType: &orgv2.AddOrganizationRequest_Admin_UserId{UserId: x.Owner}}
		made := new(orgv2.AddOrganizationResponse)
		x.write(orgAPI+"AddOrganization", &orgv2.AddOrganizationRequest{
			Name: "Branch", Admins: []*orgv2.AddOrganizationRequest_Admin{existing, admin(person("Ada"), "ORG_OWNER_VIEWER")},
		}, made, append(slices.Clone(begun), "org.member.added", "user.human.added", "user.human.email.code.added", "org.member.added"))
		if c := made.GetCreatedAdmins(); len(c) != 1 || c[0].GetUserId() == "" || c[0].GetEmailCode() == "" || c[0].PhoneCode != nil {
			x.Errorf("made %v", made)
		}

		nameless := person("Eve")
		nameless.Profile.GivenName = " "
		for name, c := range map[string]struct {
			admin *orgv2.AddOrganizationRequest_Admin
			code  codes.Code
			id    string
			field string
		}{
			"nobody":        {&orgv2.AddOrganizationRequest_Admin{}, codes.InvalidArgument, "ORGv2-SD2r1", "admins[1]"},
			"unknown":       {&orgv2.AddOrganizationRequest_Admin{UserType: &orgv2.AddOrganizationRequest_Admin_UserId{UserId: "404"}}, codes.FailedPrecondition, "ORG-GoXOn", "admins[1].user_id"},
			"twice":         {existing, codes.AlreadyExists, "ORG-poWwe", "admins[1].user_id"},
			"no role":       {admin(person("Eve"), "IAM_OWNER"), codes.InvalidArgument, "Org-4N8es", "admins[1].roles[0]"},
			"blank":         {admin(nameless), codes.InvalidArgument, "USER-UCej2", "admins[1].human.profile.given_name"},
			"name is taken": {admin(person("Ada")), codes.AlreadyExists, "V3-DKcYh", "admins[1].human.username"},
		} {
			a := x.refused(orgAPI+"AddOrganization", &orgv2.AddOrganizationRequest{
				Name: "Other", Admins: []*orgv2.AddOrganizationRequest_Admin{existing, c.admin},
			}, c.code, c.id)
			if !slices.Equal(a.Fields, []string{c.field}) {
				x.Errorf("%s: fields %q, want %q", name, a.Fields, c.field)
			}
		}
	})
}

func TestListOrganizations(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		for _, id := range []string{"c", "a", "b"} {
			x.addOrg(id, "Branch "+id)
		}
		page := named("branch")
		page.Query.Limit, page.Query.Offset = 2, 1
		if names, total := x.organizations(page); !slices.Equal(names, []string{"Branch b", "Branch c"}) || total != 3 {
			x.Errorf("the second page is %v of %d", names, total)
		}
		byDefault := &orgv2.ListOrganizationsRequest{Queries: []*orgv2.SearchQuery{{Query: &orgv2.SearchQuery_DefaultQuery{DefaultQuery: &orgv2.DefaultOrganizationQuery{}}}}}
		if _, total := x.organizations(byDefault); total != 1 {
			x.Errorf("%d are the default", total)
		}
		byDomain := &orgv2.ListOrganizationsRequest{Queries: []*orgv2.SearchQuery{{Query: &orgv2.SearchQuery_DomainQuery{DomainQuery: &orgv2.OrganizationDomainQuery{Domain: "b.example"}}}}}
		if names, _ := x.organizations(byDomain); !slices.Equal(names, []string{"Branch b"}) {
			x.Errorf("b.example is that of %v", names)
		}
		removed := &orgv2.ListOrganizationsRequest{Queries: []*orgv2.SearchQuery{inState(orgv2.OrganizationState_ORGANIZATION_STATE_REMOVED)}}
		if names, total := x.organizations(removed); total != 0 {
			x.Errorf("removed are %v", names)
		}
		x.refused(orgAPI+"ListOrganizations", &orgv2.ListOrganizationsRequest{Query: &objectv2.ListQuery{Limit: 1001}}, codes.InvalidArgument, "QUERY-4M0fs")
		x.as("").refused(orgAPI+"ListOrganizations", &orgv2.ListOrganizationsRequest{}, codes.Unauthenticated, "")
	})
}
