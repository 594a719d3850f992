package tenant_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/user"
	"castellan/internal/vault"
	"castellan/tests/kit"

	adminv1 "castellan/gen/zitadel/admin/v1"
	instancev1 "castellan/gen/zitadel/instance/v1"
	managementv1 "castellan/gen/zitadel/management/v1"
	memberv1 "castellan/gen/zitadel/member/v1"
	orgv1 "castellan/gen/zitadel/org/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	userv1 "castellan/gen/zitadel/user/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

const (
	adminAPI      = "zitadel.admin.v1.AdminService/"
	managementAPI = "zitadel.management.v1.ManagementService/"
)

// dates leaves out of a comparison what the time of a test decides.
var dates = protocmp.IgnoreFields(&orgv1.Org{}, "details")

func TestHealthz(t *testing.T) {
	eachWire(t, func(x *tenant) {
		anybody := x.as("")
		anybody.read(adminAPI+"Healthz", &adminv1.HealthzRequest{}, &adminv1.HealthzResponse{})
		anybody.read(managementAPI+"Healthz", &managementv1.HealthzRequest{}, &managementv1.HealthzResponse{})
		nowhere := *anybody
		nowhere.At = x.Node.At(x, "nowhere.example")
		nowhere.refused(adminAPI+"Healthz", &adminv1.HealthzRequest{}, codes.NotFound, "")
		operate := func(method string, in proto.Message) {
			if a := kit.GRPC().Call(x, x.Node.Client, method, in, nil); a.Code != codes.OK {
				x.Fatalf("%s: %v", method, a)
			}
		}
		operate("SetLimits", &systemv1.SetLimitsRequest{InstanceId: x.ID, Block: proto.Bool(true)})
		blocked := anybody.refused(adminAPI+"Healthz", &adminv1.HealthzRequest{}, codes.ResourceExhausted, "LIMITS-molsj")
		if blocked.HTTP != 0 && strings.HasPrefix(x.Wire.Name, "rest") && blocked.HTTP != http.StatusTooManyRequests {
			x.Errorf("blocked: %v", blocked)
		}
		operate("SetLimits", &systemv1.SetLimitsRequest{InstanceId: x.ID, Block: proto.Bool(false)})
		anybody.read(managementAPI+"Healthz", &managementv1.HealthzRequest{}, &managementv1.HealthzResponse{})
	})
}

// The instance its owner sees is the one the operator sees.
func TestMyInstance(t *testing.T) {
	eachWire(t, func(x *tenant) {
		seen, _ := x.Node.Get(x, x.ID)
		got := new(adminv1.GetMyInstanceResponse)
		x.read(adminAPI+"GetMyInstance", &adminv1.GetMyInstanceRequest{}, got)
		x.equal(got.GetInstance(), seen.GetInstance())

		all := new(adminv1.ListInstanceDomainsResponse)
		x.read(adminAPI+"ListInstanceDomains", &adminv1.ListInstanceDomainsRequest{
			SortingColumn: instancev1.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED,
		}, all)
		if all.GetDetails().GetTotalResult() != 2 || len(all.GetResult()) != 2 || !all.GetResult()[0].GetGenerated() ||
			all.GetSortingColumn() != instancev1.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED {
			x.Errorf("domains %v", all)
		}
		if x.Wire.Name != "rest" { // which has no place for conditions
			primary := new(adminv1.ListInstanceDomainsResponse)
			x.read(adminAPI+"ListInstanceDomains", &adminv1.ListInstanceDomainsRequest{Queries: []*instancev1.DomainSearchQuery{
				{Query: &instancev1.DomainSearchQuery_PrimaryQuery{PrimaryQuery: &instancev1.DomainPrimaryQuery{Primary: true}}},
			}}, primary)
			if len(primary.GetResult()) != 1 || primary.GetResult()[0].GetDomain() != x.Wire.Name+".example" {
				x.Errorf("primary %v", primary)
			}
		}
	})
}

// addOrg makes another organization.
func (x *tenant) addOrg(id, name string) {
	x.Helper()
	err := x.Node.Events().Write(x.Context(), ident.InstanceID(x.ID), "test", func(ctx context.Context, w *eventlog.Writer) error {
		events, err := org.Add{Name: name, Domain: id + ".example"}.Decide()
		if err == nil {
			_, err = eventlog.Begin(ctx, w, org.Noun, eventlog.Origin{ID: id, Owner: id}, events...)
		}
		return err
	})
	if err != nil {
		x.Fatal(err)
	}
}

func TestDefaultOrg(t *testing.T) {
	eachWire(t, func(x *tenant) {
		get := func(want *orgv1.Org) {
			x.Helper()
			got := new(adminv1.GetDefaultOrgResponse)
			x.read(adminAPI+"GetDefaultOrg", &adminv1.GetDefaultOrgRequest{}, got)
			x.equal(got.GetOrg(), want, dates)
			if d := got.GetOrg().GetDetails(); d.GetResourceOwner() != want.GetId() || d.GetSequence() == 0 || d.GetCreationDate() == nil {
				x.Errorf("details %v", d)
			}
		}
		get(&orgv1.Org{Id: x.Org, State: orgv1.OrgState_ORG_STATE_ACTIVE, Name: "Acme", PrimaryDomain: "acme." + kit.Domain})
		x.addOrg("77", "Second")
		set := new(adminv1.SetDefaultOrgResponse)
		x.write(adminAPI+"SetDefaultOrg", &adminv1.SetDefaultOrgRequest{OrgId: "77"}, set, []string{"instance.default.org.set"})
		if d := set.GetDetails(); d.GetResourceOwner() != x.ID || d.GetChangeDate() == nil || d.GetCreationDate() != nil {
			x.Errorf("details %v", d)
		}
		get(&orgv1.Org{Id: "77", State: orgv1.OrgState_ORG_STATE_ACTIVE, Name: "Second", PrimaryDomain: "77.example"})
		x.refused(adminAPI+"SetDefaultOrg", &adminv1.SetDefaultOrgRequest{OrgId: "77"}, codes.FailedPrecondition, "INST-SDfw2")
		x.refused(adminAPI+"SetDefaultOrg", &adminv1.SetDefaultOrgRequest{OrgId: "404"}, codes.FailedPrecondition, "INSTA-Wfe21")
		x.refused(adminAPI+"SetDefaultOrg", &adminv1.SetDefaultOrgRequest{OrgId: strings.Repeat("x", 201)}, codes.InvalidArgument, "")
	})
}

func TestMembers(t *testing.T) {
	eachWire(t, func(x *tenant) {
		roles := new(adminv1.ListIAMMemberRolesResponse)
		x.read(adminAPI+"ListIAMMemberRoles", &adminv1.ListIAMMemberRolesRequest{}, roles)
		for _, name := range roles.GetRoles() {
			if !strings.HasPrefix(name, "IAM_") {
				x.Errorf("role %s", name)
			}
		}
		if n := len(roles.GetRoles()); n < 5 || roles.GetDetails().GetTotalResult() != uint64(n) {
			x.Errorf("roles %v", roles)
		}
		members := new(adminv1.ListIAMMembersResponse)
		x.read(adminAPI+"ListIAMMembers", &adminv1.ListIAMMembersRequest{Queries: []*memberv1.SearchQuery{
			{Query: &memberv1.SearchQuery_UserIdQuery{UserIdQuery: &memberv1.UserIDQuery{UserId: x.Owner}}},
		}}, members)
		seen := new(systemv1.ListIAMMembersResponse)
		if a := kit.GRPC().Call(x, x.Node.Client, "ListIAMMembers", &systemv1.ListIAMMembersRequest{InstanceId: x.ID}, seen); a.Code != codes.OK {
			x.Fatal(a)
		}
		if len(members.GetResult()) != 1 || members.GetResult()[0].GetUserType() != userv1.Type_TYPE_MACHINE {
			x.Errorf("members %v", members)
		}
		if diff := gocmp.Diff(seen.GetResult(), members.GetResult(), protocmp.Transform()); diff != "" {
			x.Errorf("other members than the operator sees (-operator +owner):\n%s", diff)
		}
	})
}

// addUser makes a machine user of an organization and returns a personal access token of it.
func (x *tenant) addUser(id string) (token string) {
	x.Helper()
	secret := vault.NewToken(nil)
	err := x.Node.Events().Write(x.Context(), ident.InstanceID(x.ID), "test", func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, user.Noun, eventlog.Origin{ID: id, Owner: x.Org},
			user.MachineAdded{UserName: id, Name: "Machine " + id, AccessTokenType: "bearer"})
		if err == nil {
			_, err = eventlog.Begin(ctx, w, pat.Noun, eventlog.Origin{ID: "token of " + id, Owner: x.Org}, pat.Added{
				Token: ident.TokenID("token of " + id), User: ident.UserID(id), Hash: secret.Hash(), Expiration: time.Now().Add(time.Hour),
			})
		}
		return err
	})
	if err != nil {
		x.Fatal(err)
	}
	return secret.Reveal()
}

// Members come, get other roles and go; nobody gives what it lacks.
func TestChangesOfMembers(t *testing.T) {
	eachWire(t, func(x *tenant) {
		const add, update, remove = adminAPI + "AddIAMMember", adminAPI + "UpdateIAMMember", adminAPI + "RemoveIAMMember"
		robot := x.as(x.addUser("robot-2"))
		x.addUser("robot-3")
		adding := func(id string, roles ...string) *adminv1.AddIAMMemberRequest {
			return &adminv1.AddIAMMemberRequest{UserId: id, Roles: roles}
		}
		updating := func(id string, roles ...string) *adminv1.UpdateIAMMemberRequest {
			return &adminv1.UpdateIAMMemberRequest{UserId: id, Roles: roles}
		}
		removing := func(id string) *adminv1.RemoveIAMMemberRequest { return &adminv1.RemoveIAMMemberRequest{UserId: id} }
		robot.refused(add, adding("robot-2", "IAM_OWNER"), codes.PermissionDenied, "AUTH-5mWD2")

		added := new(adminv1.AddIAMMemberResponse)
		x.write(add, adding("robot-2", "IAM_USER_MANAGER"), added, []string{"instance.member.added"})
		x.equal(added, &adminv1.AddIAMMemberResponse{Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID, Sequence: 1}}, noDates)
		x.refused(add, adding("robot-2", "IAM_OWNER"), codes.AlreadyExists, "INSTA-pFDwe")
		x.refused(add, adding("404", "IAM_OWNER"), codes.FailedPrecondition, "INSTA-GSXOn")
		x.refused(add, adding("robot-3", "ORG_OWNER"), codes.InvalidArgument, "INSTANCE-3m9fs")
		x.refused(add, adding("robot-3"), codes.InvalidArgument, "INSTANCE-3m9fs")
		x.refused(add, adding("", "IAM_OWNER"), codes.InvalidArgument, "")

		robot.refused(add, adding("robot-3", "IAM_USER_MANAGER"), codes.PermissionDenied, "AUTH-5mWD2") // writes no members
		changed := new(adminv1.UpdateIAMMemberResponse)
		x.write(update, updating("robot-2", "IAM_LOGIN_CLIENT"), changed, []string{"instance.member.changed"})
		x.equal(changed, &adminv1.UpdateIAMMemberResponse{Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID, Sequence: 2}}, noDates)
		x.refused(update, updating("404", "IAM_OWNER"), codes.NotFound, "MEMBER-none1")
		x.refused(update, updating("robot-2", "IAM_NONE"), codes.InvalidArgument, "INSTANCE-3m9fs")
		// A login client may write members, and give what it has itself.
		x.givesWhatItHas(robot)
		removed := new(adminv1.RemoveIAMMemberResponse)
		x.write(remove, removing("robot-2"), removed, []string{"instance.member.removed"})
		x.equal(removed, &adminv1.RemoveIAMMemberResponse{Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID, Sequence: 3}}, noDates)
		x.read(remove, removing("robot-2"), removed)
		x.equal(removed, &adminv1.RemoveIAMMemberResponse{Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID}}, noDates)
		x.write(add, adding("robot-2", "IAM_OWNER_VIEWER"), nil, []string{"instance.member.added"})
	})
}

// givesWhatItHas checks that a login client gives no more than it has.
func (x *tenant) givesWhatItHas(client *tenant) {
	x.Helper()
	const add, remove = adminAPI + "AddIAMMember", adminAPI + "RemoveIAMMember"
	for _, role := range []string{"IAM_OWNER", "IAM_USER_MANAGER", "IAM_ORG_MANAGER"} {
		a := client.refused(add, &adminv1.AddIAMMemberRequest{UserId: "robot-3", Roles: []string{role}}, codes.PermissionDenied, "AUTH-5mWD2")
		if !strings.Contains(a.Message, role) {
			x.Errorf("the refusal does not name the role: %v", a)
		}
	}
	client.write(add, &adminv1.AddIAMMemberRequest{UserId: "robot-3", Roles: []string{"IAM_LOGIN_CLIENT"}}, nil, []string{"instance.member.added"})
	client.refused(remove, &adminv1.RemoveIAMMemberRequest{UserId: "robot-3"}, codes.PermissionDenied, "AUTH-5mWD2")
}

// TestWhoMayNot calls as nobody, and at the host of another instance: both are strangers there.
func TestWhoMayNot(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		other := newTenant(x.T, x.Node, "other.example")
		for _, method := range []string{"GetMyInstance", "ListEvents", "UpdateDomainPolicy", "ListIAMMembers"} {
			in, _ := kit.Messages(adminAPI + method)
			x.as("").refused(adminAPI+method, in, codes.Unauthenticated, "")
			x.as(other.Token).refused(adminAPI+method, in, codes.Unauthenticated, "AUTH-7fs1e")
		}
	})
}
