package tenant_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/vault"

	authv1 "castellan/gen/zitadel/auth/v1"
	filterv2 "castellan/gen/zitadel/filter/v2"
	metadatav2 "castellan/gen/zitadel/metadata/v2"
	objectv2 "castellan/gen/zitadel/object/v2"
	userv1 "castellan/gen/zitadel/user/v1"
	userv2 "castellan/gen/zitadel/user/v2"
)

const (
	userAPI = "zitadel.user.v2.UserService/"
	authAPI = "zitadel.auth.v1.AuthService/"
)

// later is when credentials of the tests end.
func later() *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(time.Hour)) }

// machine makes a machine user of the first organization, and returns its id.
func (x *tenant) machine(name string) string {
	x.Helper()
	made := new(userv2.CreateUserResponse)
	x.write(userAPI+"CreateUser", &userv2.CreateUserRequest{
		OrganizationId: x.Org, Username: &name,
		UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: "Machine " + name}},
	}, made, []string{"user.machine.added"})
	if made.GetId() == "" || made.GetCreationDate() == nil {
		x.Fatalf("created %v", made)
	}
	return made.GetId()
}

// human makes a human user of the first organization with a given id.
func (x *tenant) human(id string) {
	x.Helper()
	made := new(userv2.CreateUserResponse)
	x.write(userAPI+"CreateUser", &userv2.CreateUserRequest{
		OrganizationId: x.Org, UserId: &id,
		UserType: &userv2.CreateUserRequest_Human_{Human: &userv2.CreateUserRequest_Human{
			Profile: &userv2.SetHumanProfile{GivenName: "Ada", FamilyName: "Lovelace", PreferredLanguage: proto.String("en")},
			Email:   &userv2.SetHumanEmail{Email: id + "@acme.example"},
		}},
	}, made, []string{"user.human.added"})
	if made.GetId() != id {
		x.Fatalf("created %v", made)
	}
}

// token gives a machine a personal access token.
func (x *tenant) token(user string) (id, token string) {
	x.Helper()
	made := new(userv2.AddPersonalAccessTokenResponse)
	x.write(userAPI+"AddPersonalAccessToken", &userv2.AddPersonalAccessTokenRequest{UserId: user, ExpirationDate: later()},
		made, []string{"user.pat.added"})
	return made.GetTokenId(), made.GetToken()
}

// user returns a user as its caller sees it.
func (x *tenant) user(id string) *userv2.User {
	x.Helper()
	got := new(userv2.GetUserByIDResponse)
	x.read(userAPI+"GetUserByID", &userv2.GetUserByIDRequest{UserId: id}, got)
	x.equal(got.GetDetails(), got.GetUser().GetDetails())
	return got.GetUser()
}

func TestMachineUsers(t *testing.T) {
	eachWire(t, func(x *tenant) {
		id := x.machine("ci")
		want := &userv2.User{
			UserId: id, State: userv2.UserState_USER_STATE_ACTIVE, Username: "ci", LoginNames: []string{"ci"}, PreferredLoginName: "ci",
			Type: &userv2.User_Machine{Machine: &userv2.MachineUser{Name: "Machine ci"}},
		}
		got := x.user(id)
		if d := got.GetDetails(); d.GetResourceOwner() != x.Org || d.GetSequence() != 1 || d.GetCreationDate() == nil || d.GetChangeDate() == nil {
			x.Errorf("details %v", d)
		}
		x.equal(got, want, protocmp.IgnoreFields(&userv2.User{}, "details"))
		x.write(userAPI+"UpdateUser", &userv2.UpdateUserRequest{UserId: id, UserType: &userv2.UpdateUserRequest_Machine_{
			Machine: &userv2.UpdateUserRequest_Machine{Description: proto.String("builds"), AccessTokenType: userv2.AccessTokenType_ACCESS_TOKEN_TYPE_JWT.Enum()},
		}}, new(userv2.UpdateUserResponse), []string{"user.machine.changed"})
		x.equal(x.user(id).GetMachine(), &userv2.MachineUser{
			Name: "Machine ci", Description: "builds", AccessTokenType: userv2.AccessTokenType_ACCESS_TOKEN_TYPE_JWT,
		})

		secret := new(userv2.AddSecretResponse)
		x.write(userAPI+"AddSecret", &userv2.AddSecretRequest{UserId: id}, secret, []string{"user.machine.secret.set"})
		if len(secret.GetClientSecret()) != 64 || !x.user(id).GetMachine().GetHasSecret() {
			x.Errorf("secret %v", secret)
		}
		x.write(userAPI+"RemoveSecret", &userv2.RemoveSecretRequest{UserId: id}, new(userv2.RemoveSecretResponse), []string{"user.machine.secret.removed"})
		x.refused(userAPI+"RemoveSecret", &userv2.RemoveSecretRequest{UserId: id}, codes.FailedPrecondition, "COMMAND-coi82n")
		x.keys(id)
		x.tokens(id)
	})
}

// keys walks through the keys of a machine.
func (x *tenant) keys(id string) {
	x.Helper()
	made := new(userv2.AddKeyResponse)
	x.write(userAPI+"AddKey", &userv2.AddKeyRequest{UserId: id, ExpirationDate: later()}, made, []string{"user.machine.key.added"})
	var file struct{ Type, KeyID, UserID, Key string }
	if err := json.Unmarshal(made.GetKeyContent(), &file); err != nil || file.Type != "serviceaccount" || file.KeyID != made.GetKeyId() || file.UserID != id {
		x.Errorf("key file %+v, %v", file, err)
	}
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		x.Fatal(err)
	}
	public, err := vault.PublicKeyPEM(&pair.PublicKey)
	if err != nil {
		x.Fatal(err)
	}
	own := new(userv2.AddKeyResponse)
	x.write(userAPI+"AddKey", &userv2.AddKeyRequest{UserId: id, ExpirationDate: later(), PublicKey: public}, own, []string{"user.machine.key.added"})
	if own.GetKeyContent() != nil {
		x.Error("a key file of a pair the caller has made")
	}
	x.refused(userAPI+"AddKey", &userv2.AddKeyRequest{UserId: id, ExpirationDate: later(), PublicKey: []byte("x")}, codes.InvalidArgument, "COMMAND-5F3h1")
	x.refused(userAPI+"AddKey", &userv2.AddKeyRequest{UserId: id}, codes.InvalidArgument, "")
	x.refused(userAPI+"AddKey", &userv2.AddKeyRequest{UserId: id, ExpirationDate: timestamppb.New(time.Unix(1, 0))}, codes.InvalidArgument, "DOMAIN-dv3t5")

	list := new(userv2.ListKeysResponse)
	x.read(userAPI+"ListKeys", &userv2.ListKeysRequest{Pagination: &filterv2.PaginationRequest{Asc: true}, Filters: []*userv2.KeysSearchFilter{
		{Filter: &userv2.KeysSearchFilter_UserIdFilter{UserIdFilter: &filterv2.IDFilter{Id: id}}},
	}}, list)
	if got := list.GetResult(); len(got) != 2 || got[0].GetId() != made.GetKeyId() || got[0].GetOrganizationId() != x.Org ||
		list.GetPagination().GetTotalResult() != 2 || list.GetPagination().GetAppliedLimit() != 100 {
		x.Errorf("keys %v", list)
	}
	x.write(userAPI+"RemoveKey", &userv2.RemoveKeyRequest{UserId: id, KeyId: own.GetKeyId()}, new(userv2.RemoveKeyResponse), []string{"user.machine.key.removed"})
	x.refused(userAPI+"RemoveKey", &userv2.RemoveKeyRequest{UserId: id, KeyId: own.GetKeyId()}, codes.NotFound, "COMMAND-4m77G")
}

// tokens walks through the personal access tokens of a machine, with which it calls.
func (x *tenant) tokens(id string) {
	x.Helper()
	tokenID, token := x.token(id)
	itself := x.as(token)
	me := new(authv1.GetMyUserResponse)
	itself.read(authAPI+"GetMyUser", &authv1.GetMyUserRequest{}, me)
	x.equal(me.GetUser(), &userv1.User{
		Id: id, State: userv1.UserState_USER_STATE_ACTIVE, UserName: "ci", LoginNames: []string{"ci"}, PreferredLoginName: "ci",
		Type: &userv1.User_Machine{Machine: &userv1.Machine{Name: "Machine ci", Description: "builds", AccessTokenType: userv1.AccessTokenType_ACCESS_TOKEN_TYPE_JWT}},
	}, protocmp.IgnoreFields(&userv1.User{}, "details"))
	list := new(userv2.ListPersonalAccessTokensResponse)
	itself.read(userAPI+"ListPersonalAccessTokens", &userv2.ListPersonalAccessTokensRequest{}, list)
	if got := list.GetResult(); len(got) != 1 || got[0].GetId() != tokenID || got[0].GetUserId() != id || list.GetPagination().GetTotalResult() != 1 {
		x.Errorf("its tokens %v", list)
	}
	x.write(userAPI+"RemovePersonalAccessToken", &userv2.RemovePersonalAccessTokenRequest{UserId: id, TokenId: tokenID},
		new(userv2.RemovePersonalAccessTokenResponse), []string{"user.pat.removed"})
	itself.refused(authAPI+"GetMyUser", &authv1.GetMyUserRequest{}, codes.Unauthenticated, "AUTH-7fs1e")
}

func TestHumanUsers(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.human("ada")
		got := x.user("ada")
		x.equal(got.GetHuman(), &userv2.HumanUser{
			UserId: "ada", State: userv2.UserState_USER_STATE_ACTIVE, Username: "ada@acme.example",
			LoginNames: []string{"ada@acme.example"}, PreferredLoginName: "ada@acme.example",
			Profile: &userv2.HumanProfile{
				GivenName: "Ada", FamilyName: "Lovelace", DisplayName: proto.String("Ada Lovelace"), PreferredLanguage: proto.String("en"),
				Gender: userv2.Gender_GENDER_UNSPECIFIED.Enum(),
			},
			Email: &userv2.HumanEmail{Email: "ada@acme.example"}, Phone: &userv2.HumanPhone{},
		})
		x.write(userAPI+"UpdateHumanUser", &userv2.UpdateHumanUserRequest{
			UserId: "ada", Username: proto.String("ada"), Profile: &userv2.SetHumanProfile{GivenName: "Augusta", FamilyName: "King"},
		}, new(userv2.UpdateHumanUserResponse), []string{"user.username.changed", "user.human.profile.changed"})
		if p := x.user("ada").GetHuman().GetProfile(); p.GetGivenName() != "Augusta" || p.GetDisplayName() != "Ada Lovelace" {
			x.Errorf("profile %v", p)
		}
		x.contacts()
		x.passwords()
		x.states()
		x.refused(userAPI+"CreateUser", &userv2.CreateUserRequest{
			OrganizationId: x.Org, Username: proto.String("ADA"),
			UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: "x"}},
		}, codes.AlreadyExists, "V3-DKcYh")
		if a := x.refused(userAPI+"RegisterTOTP", &userv2.RegisterTOTPRequest{UserId: "ada"}, codes.Unimplemented, ""); strings.HasPrefix(x.Wire.Name, "rest") && a.HTTP != 501 {
			x.Errorf("what is not implemented: %v", a)
		}
		x.write(userAPI+"DeleteUser", &userv2.DeleteUserRequest{UserId: "ada"}, new(userv2.DeleteUserResponse), []string{"user.removed"})
		x.refused(userAPI+"GetUserByID", &userv2.GetUserByIDRequest{UserId: "ada"}, codes.NotFound, "QUERY-Dfbg2")
	})
}

// contacts walks through address and number of the user ada.
func (x *tenant) contacts() {
	x.Helper()
	email := new(userv2.SetEmailResponse)
	x.write(userAPI+"SetEmail", &userv2.SetEmailRequest{
		UserId: "ada", Email: "augusta@acme.example", Verification: &userv2.SetEmailRequest_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}},
	}, email, []string{"user.human.email.changed", "user.human.email.code.added"})
	x.write(userAPI+"VerifyEmail", &userv2.VerifyEmailRequest{UserId: "ada", VerificationCode: email.GetVerificationCode()},
		new(userv2.VerifyEmailResponse), []string{"user.human.email.verified"})
	x.refused(userAPI+"SetEmail", &userv2.SetEmailRequest{
		UserId: "ada", Email: "x@acme.example", Verification: &userv2.SetEmailRequest_SendCode{SendCode: &userv2.SendEmailVerificationCode{}},
	}, codes.FailedPrecondition, "USER-mail1")

	phone := new(userv2.SetPhoneResponse)
	x.write(userAPI+"SetPhone", &userv2.SetPhoneRequest{
		UserId: "ada", Phone: "+41 79 123 45 67", Verification: &userv2.SetPhoneRequest_ReturnCode{ReturnCode: &userv2.ReturnPhoneVerificationCode{}},
	}, phone, []string{"user.human.phone.changed", "user.human.phone.code.added"})
	wrong := "A" + phone.GetVerificationCode()[1:]
	if wrong == phone.GetVerificationCode() {
		wrong = "B" + wrong[1:]
	}
	before := len(x.Events())
	if a := x.try(userAPI+"VerifyPhone", &userv2.VerifyPhoneRequest{UserId: "ada", VerificationCode: wrong}, nil); a.Code != codes.InvalidArgument ||
		a.ID != "CODE-woT0xc" || !slices.Equal(a.Fields, []string{"verification_code"}) {
		x.Errorf("a wrong code: %v", a)
	}
	if left := x.Events()[before:]; !slices.Equal(left, []string{"user.human.phone.verification.failed"}) {
		x.Errorf("a wrong code left %v", left)
	}
	x.write(userAPI+"VerifyPhone", &userv2.VerifyPhoneRequest{UserId: "ada", VerificationCode: phone.GetVerificationCode()},
		new(userv2.VerifyPhoneResponse), []string{"user.human.phone.verified"})
	h := x.user("ada").GetHuman()
	x.equal(h.GetEmail(), &userv2.HumanEmail{Email: "augusta@acme.example", IsVerified: true})
	x.equal(h.GetPhone(), &userv2.HumanPhone{Phone: "+41791234567", IsVerified: true})
	x.write(userAPI+"RemovePhone", &userv2.RemovePhoneRequest{UserId: "ada"}, new(userv2.RemovePhoneResponse), []string{"user.human.phone.removed"})
}

// passwords walks through an invitation and the passwords of the user ada.
func (x *tenant) passwords() {
	x.Helper()
	methods := new(userv2.ListAuthenticationMethodTypesResponse)
	x.read(userAPI+"ListAuthenticationMethodTypes", &userv2.ListAuthenticationMethodTypesRequest{UserId: "ada"}, methods)
	if len(methods.GetAuthMethodTypes()) != 0 {
		x.Errorf("methods %v", methods)
	}
	invited := new(userv2.CreateInviteCodeResponse)
	x.write(userAPI+"CreateInviteCode", &userv2.CreateInviteCodeRequest{
		UserId: "ada", Verification: &userv2.CreateInviteCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnInviteCode{}},
	}, invited, []string{"user.human.invite.code.added"})
	x.write(userAPI+"VerifyInviteCode", &userv2.VerifyInviteCodeRequest{UserId: "ada", VerificationCode: invited.GetInviteCode()},
		new(userv2.VerifyInviteCodeResponse), []string{"user.human.invite.check.succeeded"})
	reset := new(userv2.PasswordResetResponse)
	x.write(userAPI+"PasswordReset", &userv2.PasswordResetRequest{
		UserId: "ada", Medium: &userv2.PasswordResetRequest_ReturnCode{ReturnCode: &userv2.ReturnPasswordResetCode{}},
	}, reset, []string{"user.human.password.code.added"})
	x.refused(userAPI+"PasswordReset", &userv2.PasswordResetRequest{
		UserId: "ada", Medium: &userv2.PasswordResetRequest_SendLink{SendLink: &userv2.SendPasswordResetLink{}},
	}, codes.FailedPrecondition, "USER-mail1")
	set := &userv2.SetPasswordRequest{
		UserId: "ada", NewPassword: &userv2.Password{Password: "weak"},
		Verification: &userv2.SetPasswordRequest_VerificationCode{VerificationCode: reset.GetVerificationCode()},
	}
	x.refused(userAPI+"SetPassword", set, codes.InvalidArgument, "COMMA-HuJf6")
	set.NewPassword.Password = "Password1!"
	x.write(userAPI+"SetPassword", set, new(userv2.SetPasswordResponse), []string{"user.human.password.changed"})
	set.Verification = &userv2.SetPasswordRequest_CurrentPassword{CurrentPassword: "Password2!"}
	x.refused(userAPI+"SetPassword", set, codes.InvalidArgument, "COMMAND-3M0fs")
	x.read(userAPI+"ListAuthenticationMethodTypes", &userv2.ListAuthenticationMethodTypesRequest{UserId: "ada"}, methods)
	if !slices.Equal(methods.GetAuthMethodTypes(), []userv2.AuthenticationMethodType{userv2.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_PASSWORD}) ||
		x.user("ada").GetHuman().GetPasswordChanged() == nil {
		x.Errorf("methods %v", methods)
	}
}

// states walks the user ada through all of them.
func (x *tenant) states() {
	x.Helper()
	for _, step := range []struct {
		method  string
		in, out proto.Message
		event   string
		state   userv2.UserState
		again   string
	}{
		{"DeactivateUser", &userv2.DeactivateUserRequest{UserId: "ada"}, new(userv2.DeactivateUserResponse), "user.deactivated", userv2.UserState_USER_STATE_INACTIVE, "COMMAND-5gunjw0cd7"},
		{"ReactivateUser", &userv2.ReactivateUserRequest{UserId: "ada"}, new(userv2.ReactivateUserResponse), "user.reactivated", userv2.UserState_USER_STATE_ACTIVE, "COMMAND-s5qqcz97hf"},
		{"LockUser", &userv2.LockUserRequest{UserId: "ada"}, new(userv2.LockUserResponse), "user.locked", userv2.UserState_USER_STATE_LOCKED, "COMMAND-lgws8wtsqf"},
		{"UnlockUser", &userv2.UnlockUserRequest{UserId: "ada"}, new(userv2.UnlockUserResponse), "user.unlocked", userv2.UserState_USER_STATE_ACTIVE, "COMMAND-olb9vb0oca"},
	} {
		x.write(userAPI+step.method, step.in, step.out, []string{step.event})
		if got := x.user("ada").GetState(); got != step.state {
			x.Errorf("after %s the user is %v", step.method, got)
		}
		x.refused(userAPI+step.method, step.in, codes.FailedPrecondition, step.again)
	}
}

func TestUserMetadata(t *testing.T) {
	eachWire(t, func(x *tenant) {
		id := x.machine("ci")
		x.write(userAPI+"SetUserMetadata", &userv2.SetUserMetadataRequest{UserId: id, Metadata: []*userv2.Metadata{
			{Key: "team", Value: []byte("red")}, {Key: "cost", Value: []byte{0, 1, 255}},
		}}, new(userv2.SetUserMetadataResponse), []string{"user.metadata.set", "user.metadata.set"})
		x.write(userAPI+"SetUserMetadata", &userv2.SetUserMetadataRequest{UserId: id, Metadata: []*userv2.Metadata{{Key: "team", Value: []byte("red")}}},
			new(userv2.SetUserMetadataResponse), nil)
		list := new(userv2.ListUserMetadataResponse)
		x.read(userAPI+"ListUserMetadata", &userv2.ListUserMetadataRequest{
			UserId: id, Pagination: &filterv2.PaginationRequest{Asc: true},
			Filters: []*metadatav2.MetadataSearchFilter{{Filter: &metadatav2.MetadataSearchFilter_KeyFilter{KeyFilter: &metadatav2.MetadataKeyFilter{
				Key: "T", Method: filterv2.TextFilterMethod_TEXT_FILTER_METHOD_CONTAINS_IGNORE_CASE,
			}}}},
		}, list)
		if got := list.GetMetadata(); len(got) != 2 || got[0].GetKey() != "cost" || !slices.Equal(got[0].GetValue(), []byte{0, 1, 255}) || got[0].GetChangeDate() == nil {
			x.Errorf("metadata %v", list)
		}
		x.write(userAPI+"DeleteUserMetadata", &userv2.DeleteUserMetadataRequest{UserId: id, Keys: []string{"cost"}},
			new(userv2.DeleteUserMetadataResponse), []string{"user.metadata.removed"})
		x.refused(userAPI+"DeleteUserMetadata", &userv2.DeleteUserMetadataRequest{UserId: id, Keys: []string{"cost", "team"}}, codes.NotFound, "META-2nnds")
		x.refused(userAPI+"SetUserMetadata", &userv2.SetUserMetadataRequest{UserId: id}, codes.FailedPrecondition, "META-9mm2d")
		// What is of a user goes with it.
		x.token(id)
		x.write(userAPI+"DeleteUser", &userv2.DeleteUserRequest{UserId: id}, new(userv2.DeleteUserResponse),
			[]string{"user.pat.removed", "user.metadata.removed", "user.removed"})
	})
}

func TestListUsers(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.human("ada")
		x.human("bob")
		x.machine("ci")
		find := func(req *userv2.ListUsersRequest) (names []string, total uint64) {
			x.Helper()
			got := new(userv2.ListUsersResponse)
			req.SortingColumn, req.Query = userv2.UserFieldName_USER_FIELD_NAME_USER_NAME, &objectv2.ListQuery{Limit: 3, Asc: true}
			x.read(userAPI+"ListUsers", req, got)
			for _, u := range got.GetResult() {
				names = append(names, u.GetUsername())
			}
			return names, got.GetDetails().GetTotalResult()
		}
		if names, total := find(&userv2.ListUsersRequest{}); total != 4 || !slices.Equal(names, []string{"ada@acme.example", "bob@acme.example", "ci"}) {
			x.Errorf("a page of all: %q of %d", names, total)
		}
		either := &userv2.SearchQuery{Query: &userv2.SearchQuery_OrQuery{OrQuery: &userv2.OrQuery{Queries: []*userv2.SearchQuery{
			{Query: &userv2.SearchQuery_EmailQuery{EmailQuery: &userv2.EmailQuery{EmailAddress: "ADA@ACME.example", Method: objectv2.TextQueryMethod_TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE}}},
			{Query: &userv2.SearchQuery_TypeQuery{TypeQuery: &userv2.TypeQuery{Type: userv2.Type_TYPE_MACHINE}}},
		}}}}
		if names, total := find(&userv2.ListUsersRequest{Queries: []*userv2.SearchQuery{either}}); total != 3 || !slices.Equal(names, []string{"ada@acme.example", "ci", "robot"}) {
			x.Errorf("either: %q of %d", names, total)
		}
		x.refused(userAPI+"ListUsers", &userv2.ListUsersRequest{Query: &objectv2.ListQuery{Limit: 1001}}, codes.InvalidArgument, "QUERY-4M0fs")
		x.refused(userAPI+"ListUsers", &userv2.ListUsersRequest{Queries: []*userv2.SearchQuery{{}}}, codes.InvalidArgument, "")
	})
}

// What a user shows counts no more at once when the user does not.
func TestAUserStopsAtOnce(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		id := x.machine("ci")
		_, token := x.token(id)
		works := func(yes bool) {
			x.Helper()
			if a := x.as(token).try(authAPI+"GetMyUser", &authv1.GetMyUserRequest{}, nil); (a.Code == codes.OK) != yes || !yes && a.ID != "AUTH-7fs1e" {
				x.Errorf("works %v: %v", yes, a)
			}
		}
		works(true)
		for _, step := range []struct {
			method string
			in     proto.Message
			works  bool
		}{
			{"DeactivateUser", &userv2.DeactivateUserRequest{UserId: id}, false},
			{"ReactivateUser", &userv2.ReactivateUserRequest{UserId: id}, true},
			{"LockUser", &userv2.LockUserRequest{UserId: id}, false},
			{"UnlockUser", &userv2.UnlockUserRequest{UserId: id}, true},
			{"DeleteUser", &userv2.DeleteUserRequest{UserId: id}, false},
		} {
			if a := x.try(userAPI+step.method, step.in, nil); a.Code != codes.OK {
				x.Fatalf("%s: %v", step.method, a)
			}
			works(step.works)
		}
	})
}

// manager makes a machine that may look after the users of the first organization, and returns its token.
func (x *tenant) manager() string {
	x.Helper()
	id := x.machine("manager")
	_, token := x.token(id)
	err := x.Node.Events().Write(x.Context(), ident.InstanceID(x.ID), "test", func(ctx context.Context, w *eventlog.Writer) error {
		m := member.Add{Org: ident.OrgID(x.Org), User: ident.UserID(id), Roles: []string{"ORG_USER_MANAGER"}}
		_, err := eventlog.Begin(ctx, w, member.Noun, m.Origin(w.Instance()), m.Decide()...)
		return err
	})
	if err != nil {
		x.Fatal(err)
	}
	return token
}

// Who may what with whom: a user without a role with itself, a manager of users with who may no more, and
// nobody with a user of another organization.
func TestWhoMayDoWhatWithUsers(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		plainID := x.machine("plain")
		_, plainToken := x.token(plainID)
		plain, manager := x.as(plainToken), x.as(x.manager())
		x.addOrg("77", "Other")
		made := new(userv2.CreateUserResponse)
		x.write(userAPI+"CreateUser", &userv2.CreateUserRequest{
			OrganizationId: "77", UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: "Other"}},
		}, made, []string{"user.machine.added"})

		create := &userv2.CreateUserRequest{
			OrganizationId: x.Org, UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: "New"}},
		}
		plain.refused(userAPI+"CreateUser", create, codes.PermissionDenied, "AUTH-5mWD2")
		plain.refused(userAPI+"GetUserByID", &userv2.GetUserByIDRequest{UserId: x.Owner}, codes.PermissionDenied, "AUTH-5mWD2")
		plain.refused(userAPI+"LockUser", &userv2.LockUserRequest{UserId: plainID}, codes.PermissionDenied, "AUTH-5mWD2")
		if got := plain.user(plainID); got.GetUsername() != "plain" {
			x.Errorf("itself: %v", got)
		}
		seen := new(userv2.ListUsersResponse)
		plain.read(userAPI+"ListUsers", &userv2.ListUsersRequest{}, seen)
		if len(seen.GetResult()) != 1 || seen.GetDetails().GetTotalResult() != 1 {
			x.Errorf("it sees %v", seen)
		}
		plain.token(plainID) // another one of its own

		manager.write(userAPI+"CreateUser", create, new(userv2.CreateUserResponse), []string{"user.machine.added"})
		manager.token(plainID)
		manager.refused(userAPI+"AddPersonalAccessToken", &userv2.AddPersonalAccessTokenRequest{UserId: x.Owner, ExpirationDate: later()}, codes.PermissionDenied, "AUTH-5mWD2")
		manager.refused(userAPI+"AddSecret", &userv2.AddSecretRequest{UserId: x.Owner}, codes.PermissionDenied, "AUTH-5mWD2")
		for _, id := range []string{made.GetId(), "404"} { // one is there, and is not told from the other
			manager.refused(userAPI+"GetUserByID", &userv2.GetUserByIDRequest{UserId: id}, codes.NotFound, "QUERY-Dfbg2")
			manager.refused(userAPI+"DeleteUser", &userv2.DeleteUserRequest{UserId: id}, codes.NotFound, "QUERY-Dfbg2")
		}
		create.OrganizationId = "77"
		manager.refused(userAPI+"CreateUser", create, codes.NotFound, "QUERY-iTTGJ")
		manager.read(userAPI+"ListUsers", &userv2.ListUsersRequest{}, seen)
		for _, u := range seen.GetResult() {
			if u.GetDetails().GetResourceOwner() != x.Org {
				x.Errorf("a manager of one organization sees %v", u)
			}
		}
		x.as("").refused(userAPI+"ListUsers", &userv2.ListUsersRequest{}, codes.Unauthenticated, "")
	})
}

// An organization can be named by one of its domains, or not at all: then it is the caller's own, or the one
// of the header.
func TestAddHumanUser(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.addOrg("77", "Other")
		add := func(name string, org *objectv2.Organization, header ...string) string {
			x.Helper()
			made := new(userv2.AddHumanUserResponse)
			x.write(userAPI+"AddHumanUser", &userv2.AddHumanUserRequest{
				Organization: org, Profile: &userv2.SetHumanProfile{GivenName: "Ada", FamilyName: "Lovelace"},
				Email: &userv2.SetHumanEmail{Email: name + "@x.example"},
			}, made, []string{"user.human.added"}, header...)
			return made.GetDetails().GetResourceOwner()
		}
		if got := add("a", nil); got != x.Org {
			x.Errorf("of no organization: %s", got)
		}
		if got := add("b", nil, "x-zitadel-orgid", "77"); got != "77" {
			x.Errorf("of the organization of the header: %s", got)
		}
		if got := add("c", &objectv2.Organization{Org: &objectv2.Organization_OrgId{OrgId: "77"}}); got != "77" {
			x.Errorf("by id: %s", got)
		}
		if got := add("d", &objectv2.Organization{Org: &objectv2.Organization_OrgDomain{OrgDomain: "77.example"}}); got != "77" {
			x.Errorf("by domain: %s", got)
		}
		x.refused(userAPI+"AddHumanUser", &userv2.AddHumanUserRequest{
			Organization: &objectv2.Organization{Org: &objectv2.Organization_OrgDomain{OrgDomain: "404.example"}},
			Profile:      &userv2.SetHumanProfile{GivenName: "Ada", FamilyName: "Lovelace"}, Email: &userv2.SetHumanEmail{Email: "e@x.example"},
		}, codes.NotFound, "QUERY-iTTGJ")
	})
}

func TestAuthHealthz(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.as("").read(authAPI+"Healthz", &authv1.HealthzRequest{}, &authv1.HealthzResponse{})
		nowhere := *x.as("")
		nowhere.At = x.Node.At(x, "nowhere.example")
		nowhere.refused(authAPI+"Healthz", &authv1.HealthzRequest{}, codes.NotFound, "")
		if a := x.as("").refused(authAPI+"GetMyUser", &authv1.GetMyUserRequest{}, codes.Unauthenticated, ""); a.Message != "auth header missing" {
			x.Errorf("nobody: %v", a)
		}
	})
}
