package users

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/user"

	filterv2 "castellan/gen/zitadel/filter/v2"
	metadatav2 "castellan/gen/zitadel/metadata/v2"
	objectv2 "castellan/gen/zitadel/object/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

func TestHuman(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		made, err := f.CreateUser(f.ctx(), "1", &userv2.CreateUserRequest{
			OrganizationId: "7", UserId: is("grace"), Username: is("grace.h"),
			UserType: &userv2.CreateUserRequest_Human_{Human: &userv2.CreateUserRequest_Human{
				Profile: &userv2.SetHumanProfile{
					GivenName: "Grace", FamilyName: "Hopper", NickName: is("Amazing"), DisplayName: is("Admiral"),
					PreferredLanguage: is("en-us"), Gender: userv2.Gender_GENDER_FEMALE.Enum(),
				},
				Email:        &userv2.SetHumanEmail{Email: "grace@navy.example", Verification: &userv2.SetHumanEmail_IsVerified{IsVerified: true}},
				Phone:        &userv2.SetHumanPhone{Phone: "+1 202 555 0101", Verification: &userv2.SetHumanPhone_ReturnCode{ReturnCode: &userv2.ReturnPhoneVerificationCode{}}},
				PasswordType: &userv2.CreateUserRequest_Human_Password{Password: &userv2.Password{Password: "long enough", ChangeRequired: true}},
			}},
			Metadata: []*userv2.Metadata{{Key: "ship", Value: []byte("Enterprise")}},
		})
		f.must(err)
		if made.GetId() != "grace" || len(made.GetPhoneCode()) != 6 || made.EmailCode != nil || !made.GetCreationDate().AsTime().Equal(start) {
			f.Errorf("created %v", made)
		}
		history := &objectv2.Details{Sequence: 3, ResourceOwner: "7", CreationDate: timestamppb.New(start), ChangeDate: timestamppb.New(start)}
		want := &userv2.User{
			UserId: "grace", Details: history, State: userv2.UserState_USER_STATE_ACTIVE, Username: "grace.h",
			LoginNames: []string{"grace.h"}, PreferredLoginName: "grace.h",
			Type: &userv2.User_Human{Human: &userv2.HumanUser{
				UserId: "grace", State: userv2.UserState_USER_STATE_ACTIVE, Username: "grace.h",
				LoginNames: []string{"grace.h"}, PreferredLoginName: "grace.h",
				Profile: &userv2.HumanProfile{
					GivenName: "Grace", FamilyName: "Hopper", NickName: is("Amazing"), DisplayName: is("Admiral"),
					PreferredLanguage: is("en-US"), Gender: userv2.Gender_GENDER_FEMALE.Enum(),
				},
				Email:                  &userv2.HumanEmail{Email: "grace@navy.example", IsVerified: true},
				Phone:                  &userv2.HumanPhone{Phone: "+12025550101"},
				PasswordChangeRequired: true, PasswordChanged: timestamppb.New(start),
			}},
		}
		if got := f.get("grace"); !proto.Equal(got, want) {
			f.Errorf("got  %v\nwant %v", got, want)
		}
		_, err = f.VerifyPhone(f.ctx(), "1", &userv2.VerifyPhoneRequest{UserId: "grace", VerificationCode: made.GetPhoneCode()})
		f.must(err)
		if !f.get("grace").GetHuman().GetPhone().GetIsVerified() {
			f.Error("the number is not verified")
		}
		methods, err := f.ListAuthenticationMethodTypes(f.ctx(), "1", &userv2.ListAuthenticationMethodTypesRequest{UserId: "grace"})
		f.must(err)
		if methods.GetDetails().GetTotalResult() != 1 || methods.GetAuthMethodTypes()[0] != userv2.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_PASSWORD {
			f.Errorf("methods %v", methods)
		}
		methods, err = f.ListAuthenticationMethodTypes(f.ctx(), "1", &userv2.ListAuthenticationMethodTypesRequest{UserId: "ci"})
		f.must(err)
		if methods.GetDetails().GetTotalResult() != 0 || len(methods.GetAuthMethodTypes()) != 0 {
			f.Errorf("methods of a machine %v", methods)
		}
	})
}

func TestAddHumanUser(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		made, err := f.AddHumanUser(f.ctx(), "1", &userv2.AddHumanUserRequest{
			Organization: &objectv2.Organization{Org: &objectv2.Organization_OrgId{OrgId: "7"}},
			Profile:      &userv2.SetHumanProfile{GivenName: "Grace", FamilyName: "Hopper"},
			Email:        &userv2.SetHumanEmail{Email: "grace@navy.example", Verification: &userv2.SetHumanEmail_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}}},
			Metadata:     []*userv2.SetMetadataEntry{{Key: "ship", Value: []byte("Enterprise")}},
			PasswordType: &userv2.AddHumanUserRequest_HashedPassword{HashedPassword: &userv2.HashedPassword{
				Hash: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", ChangeRequired: true,
			}},
		})
		f.must(err)
		if len(made.GetEmailCode()) != 6 || made.PhoneCode != nil || made.GetDetails().GetResourceOwner() != "7" {
			f.Errorf("added %v", made)
		}
		got := f.get(made.GetUserId())
		if got.GetUsername() != "grace@navy.example" || !got.GetHuman().GetPasswordChangeRequired() || got.GetHuman().GetPhone().GetPhone() != "" {
			f.Errorf("added %v", got)
		}
		listed, err := f.ListUserMetadata(f.ctx(), "1", &userv2.ListUserMetadataRequest{UserId: made.GetUserId()})
		f.must(err)
		if listed.GetPagination().GetTotalResult() != 1 || string(listed.GetMetadata()[0].GetValue()) != "Enterprise" {
			f.Errorf("metadata %v", listed)
		}
	})
}

// What a request may not ask for, and how the field at fault is called in the message.
func TestCreateRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for name, c := range map[string]struct {
			change func(req *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human)
			id     string
			fields []string
		}{
			"mail": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) {
				h.Email.Verification = &userv2.SetHumanEmail_SendCode{SendCode: &userv2.SendEmailVerificationCode{}}
			}, "USER-mail1", nil},
			"a message": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) {
				h.Phone = &userv2.SetHumanPhone{Phone: "+41791234567", Verification: &userv2.SetHumanPhone_SendCode{SendCode: &userv2.SendPhoneVerificationCode{}}}
			}, "USER-mail1", nil},
			"an identity provider": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) {
				h.IdpLinks = []*userv2.IDPLink{{IdpId: "1"}}
			}, "USER-idp01", nil},
			"a second factor": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) { h.TotpSecret = is("x") }, "USER-totp1", nil},
			"metadata in two places": {func(req *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) {
				req.Metadata = []*userv2.Metadata{{Key: "a"}}
				h.Metadata = []*userv2.Metadata{{Key: "b"}}
			}, "USERv2-j0z7uy", []string{"metadata", "human.metadata"}},
			"a blank name":      {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) { h.Profile.GivenName = " " }, "USER-UCej2", []string{"human.profile.given_name"}},
			"a blank last name": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) { h.Profile.FamilyName = " " }, "USER-4hB7d", []string{"human.profile.family_name"}},
			"a number that is none": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) {
				h.Phone = &userv2.SetHumanPhone{Phone: "1"}
			}, "PHONE-so0wa", []string{"human.phone.phone"}},
			"no language": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) {
				h.Profile.PreferredLanguage = is("?")
			}, "LANG-jc8Sq", []string{"human.profile.preferred_language"}},
			"a short password": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) {
				h.PasswordType = &userv2.CreateUserRequest_Human_Password{Password: &userv2.Password{Password: "short"}}
			}, "COMMA-HuJf6", []string{"human.password.password"}},
			"a hash of an unknown kind": {func(_ *userv2.CreateUserRequest, h *userv2.CreateUserRequest_Human) {
				h.PasswordType = &userv2.CreateUserRequest_Human_HashedPassword{HashedPassword: &userv2.HashedPassword{Hash: "x"}}
			}, "USER-JDk4t", []string{"human.hashed_password.hash"}},
			"a name that is taken": {func(req *userv2.CreateUserRequest, _ *userv2.CreateUserRequest_Human) { req.Username = is("ADA") }, "V3-DKcYh", []string{"username"}},
		} {
			req := &userv2.CreateUserRequest{OrganizationId: "7", UserType: aHuman(strings.ReplaceAll(name, " ", ""))}
			c.change(req, req.GetHuman())
			_, err := f.CreateUser(f.ctx(), "1", req)
			f.refused(err, c.id, c.fields...)
		}
		_, err := f.AddHumanUser(f.ctx(), "1", &userv2.AddHumanUserRequest{
			Profile: &userv2.SetHumanProfile{GivenName: " ", FamilyName: "x"}, Email: &userv2.SetHumanEmail{Email: "x@x.example"},
		})
		f.refused(err, "USER-UCej2", "profile.given_name")
		_, err = f.AddHumanUser(f.ctx(), "1", &userv2.AddHumanUserRequest{Metadata: []*userv2.SetMetadataEntry{{Key: "a"}}})
		f.refused(err, "USER-Dbgth", "metadata[0].value")
	})
}

func TestUpdate(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.clock.Advance(time.Minute)
		changed, err := f.UpdateUser(f.ctx(), "1", &userv2.UpdateUserRequest{
			UserId: "ada", Username: is("countess"),
			UserType: &userv2.UpdateUserRequest_Human_{Human: &userv2.UpdateUserRequest_Human{
				Profile:  &userv2.UpdateUserRequest_Human_Profile{NickName: is("Countess"), Gender: userv2.Gender_GENDER_FEMALE.Enum()},
				Email:    &userv2.SetHumanEmail{Email: "ada@king.example", Verification: &userv2.SetHumanEmail_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}}},
				Phone:    &userv2.SetHumanPhone{Phone: "+41791234567", Verification: &userv2.SetHumanPhone_IsVerified{IsVerified: true}},
				Password: &userv2.SetPassword{PasswordType: &userv2.SetPassword_Password{Password: &userv2.Password{Password: "long enough"}}},
			}},
			Metadata: []*userv2.Metadata{{Key: "a", Value: []byte("1")}},
		})
		f.must(err)
		u := f.get("ada")
		h := u.GetHuman()
		if u.GetUsername() != "countess" || h.GetProfile().GetNickName() != "Countess" || h.GetEmail().GetEmail() != "ada@king.example" ||
			!h.GetPhone().GetIsVerified() || len(changed.GetEmailCode()) != 6 || changed.PhoneCode != nil || h.GetPasswordChanged() == nil ||
			!changed.GetChangeDate().AsTime().Equal(start.Add(time.Minute)) {
			f.Errorf("changed %v to %v", changed, u)
		}
		updated, err := f.UpdateHumanUser(f.ctx(), "1", &userv2.UpdateHumanUserRequest{
			UserId: "ada", Profile: &userv2.SetHumanProfile{GivenName: "A", FamilyName: "K", Gender: is(userv2.Gender(99))}, Phone: &userv2.SetHumanPhone{},
			Password: &userv2.SetPassword{
				PasswordType: &userv2.SetPassword_Password{Password: &userv2.Password{Password: "another one"}},
				Verification: &userv2.SetPassword_CurrentPassword{CurrentPassword: "long enough"},
			},
		})
		f.must(err)
		h = f.get("ada").GetHuman()
		if h.GetProfile().GetGivenName() != "A" || h.GetProfile().GetNickName() != "Countess" || h.GetProfile().GetGender() != 0 ||
			h.GetPhone().GetPhone() != "" || updated.GetDetails().GetResourceOwner() != "7" {
			f.Errorf("changed to %v", h)
		}
		_, err = f.UpdateUser(f.ctx(), "1", &userv2.UpdateUserRequest{UserId: "ci", UserType: &userv2.UpdateUserRequest_Machine_{
			Machine: &userv2.UpdateUserRequest_Machine{Name: is("Robot"), Description: is("builds"), AccessTokenType: userv2.AccessTokenType_ACCESS_TOKEN_TYPE_JWT.Enum()},
		}})
		f.must(err)
		want := &userv2.MachineUser{Name: "Robot", Description: "builds", AccessTokenType: userv2.AccessTokenType_ACCESS_TOKEN_TYPE_JWT}
		if got := f.get("ci").GetMachine(); !proto.Equal(got, want) {
			f.Errorf("machine %v", got)
		}
	})
}

func TestUpdateRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, err := f.UpdateHumanUser(f.ctx(), "1", &userv2.UpdateHumanUserRequest{UserId: "ci"})
		f.refused(err, user.NotFound.ID)
		_, err = f.UpdateUser(f.ctx(), "1", &userv2.UpdateUserRequest{UserId: "ada", UserType: &userv2.UpdateUserRequest_Human_{
			Human: &userv2.UpdateUserRequest_Human{Phone: &userv2.SetHumanPhone{Phone: "1"}},
		}})
		f.refused(err, "PHONE-so0wa", "human.phone.phone")
		_, err = f.UpdateUser(f.ctx(), "1", &userv2.UpdateUserRequest{UserId: "ada", UserType: &userv2.UpdateUserRequest_Human_{
			Human: &userv2.UpdateUserRequest_Human{Email: &userv2.SetHumanEmail{
				Email: "x@x.example", Verification: &userv2.SetHumanEmail_SendCode{SendCode: &userv2.SendEmailVerificationCode{}},
			}},
		}})
		f.refused(err, "USER-mail1")
		_, err = f.SetEmail(f.ctx(), "1", &userv2.SetEmailRequest{UserId: "ada", Email: "ada@acme.example"})
		f.refused(err, "COMMAND-Uch5e")
		_, err = f.SetEmail(f.ctx(), "1", &userv2.SetEmailRequest{UserId: "ada", Email: "<x@x.example>"})
		f.refused(err, "EMAIL-599BI", "email")
		_, err = f.SetPhone(f.ctx(), "1", &userv2.SetPhoneRequest{UserId: "ada", Phone: "x"})
		f.refused(err, "PHONE-so0wa", "phone")
		_, err = f.RemovePhone(f.ctx(), "1", &userv2.RemovePhoneRequest{UserId: "ada"})
		f.refused(err, "COMMAND-ieJ2e")
		_, err = f.SetPassword(f.ctx(), "1", &userv2.SetPasswordRequest{UserId: "ada", NewPassword: &userv2.Password{Password: "x"}})
		f.refused(err, "COMMA-HuJf6", "new_password.password")
		_, err = f.SetPassword(f.ctx(), "1", &userv2.SetPasswordRequest{UserId: "ada"})
		f.refused(err, "COMMAND-3klek4sbns", "new_password.password")
	})
}

// Every code can be returned; none can be sent.
func TestCodes(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for _, err := range []error{
			second(f.ResendEmailCode(f.ctx(), "1", &userv2.ResendEmailCodeRequest{UserId: "ada"})),
			second(f.SendEmailCode(f.ctx(), "1", &userv2.SendEmailCodeRequest{UserId: "ada"})),
			second(f.ResendPhoneCode(f.ctx(), "1", &userv2.ResendPhoneCodeRequest{UserId: "ada"})),
			second(f.PasswordReset(f.ctx(), "1", &userv2.PasswordResetRequest{UserId: "ada"})),
			second(f.CreateInviteCode(f.ctx(), "1", &userv2.CreateInviteCodeRequest{UserId: "ada"})),
		} {
			f.refused(err, "USER-mail1")
		}
		phone, err := f.SetPhone(f.ctx(), "1", &userv2.SetPhoneRequest{
			UserId: "ada", Phone: "+41791234567", Verification: &userv2.SetPhoneRequest_ReturnCode{ReturnCode: &userv2.ReturnPhoneVerificationCode{}},
		})
		f.must(err)
		again, err := f.ResendPhoneCode(f.ctx(), "1", &userv2.ResendPhoneCodeRequest{
			UserId: "ada", Verification: &userv2.ResendPhoneCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnPhoneVerificationCode{}},
		})
		f.must(err)
		if phone.GetVerificationCode() == again.GetVerificationCode() {
			f.Error("the same code again")
		}
		invited, err := f.CreateInviteCode(f.ctx(), "1", &userv2.CreateInviteCodeRequest{
			UserId: "ada", Verification: &userv2.CreateInviteCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnInviteCode{}},
		})
		f.must(err)
		_, err = f.VerifyInviteCode(f.ctx(), "1", &userv2.VerifyInviteCodeRequest{UserId: "ada", VerificationCode: invited.GetInviteCode()})
		f.must(err)
		reset, err := f.PasswordReset(f.ctx(), "1", &userv2.PasswordResetRequest{
			UserId: "ada", Medium: &userv2.PasswordResetRequest_ReturnCode{ReturnCode: &userv2.ReturnPasswordResetCode{}},
		})
		f.must(err)
		mine := f.by(herself) // with a code she may
		_, err = mine.SetPassword(mine.ctx(), "1", &userv2.SetPasswordRequest{
			UserId: "ada", NewPassword: &userv2.Password{Password: "long enough"},
			Verification: &userv2.SetPasswordRequest_VerificationCode{VerificationCode: reset.GetVerificationCode()},
		})
		f.must(err)
		if h := f.get("ada").GetHuman(); !h.GetEmail().GetIsVerified() || h.GetPasswordChanged() == nil || h.GetPhone().GetIsVerified() {
			f.Errorf("after all: %v", h)
		}
		_, err = f.VerifyPhone(f.ctx(), "1", &userv2.VerifyPhoneRequest{UserId: "ada", VerificationCode: phone.GetVerificationCode()})
		f.refused(err, "CODE-woT0xc", "verification_code")
	})
}

// second is the error of two.
func second[T any](_ T, err error) error { return err }

func TestStates(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		steps := []struct {
			do    func() error
			state userv2.UserState
		}{
			{func() error {
				return second(f.DeactivateUser(f.ctx(), "1", &userv2.DeactivateUserRequest{UserId: "ada"}))
			}, userv2.UserState_USER_STATE_INACTIVE},
			{func() error {
				return second(f.ReactivateUser(f.ctx(), "1", &userv2.ReactivateUserRequest{UserId: "ada"}))
			}, userv2.UserState_USER_STATE_ACTIVE},
			{func() error { return second(f.LockUser(f.ctx(), "1", &userv2.LockUserRequest{UserId: "ada"})) }, userv2.UserState_USER_STATE_LOCKED},
			{func() error { return second(f.UnlockUser(f.ctx(), "1", &userv2.UnlockUserRequest{UserId: "ada"})) }, userv2.UserState_USER_STATE_ACTIVE},
			{func() error {
				return second(f.HumanMFAInitSkipped(f.ctx(), "1", &userv2.HumanMFAInitSkippedRequest{UserId: "ada"}))
			}, userv2.UserState_USER_STATE_ACTIVE},
		}
		for i, step := range steps {
			f.must(step.do())
			if got := f.get("ada"); got.GetState() != step.state || got.GetHuman().GetState() != step.state {
				f.Errorf("step %d: %v", i, got)
			}
		}
		if !f.get("ada").GetHuman().GetMfaInitSkipped().AsTime().Equal(start) {
			f.Error("it is not shown when a second factor was put off")
		}
	})
}

func TestCredentials(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		later := timestamppb.New(start.Add(time.Hour))
		secret, err := f.AddSecret(f.ctx(), "1", &userv2.AddSecretRequest{UserId: "ci"})
		f.must(err)
		if len(secret.GetClientSecret()) != 64 || !f.get("ci").GetMachine().GetHasSecret() {
			f.Errorf("secret %v", secret)
		}
		f.must(second(f.RemoveSecret(f.ctx(), "1", &userv2.RemoveSecretRequest{UserId: "ci"})))
		if f.get("ci").GetMachine().GetHasSecret() {
			f.Error("the secret is there after it was removed")
		}
		key, err := f.AddKey(f.ctx(), "1", &userv2.AddKeyRequest{UserId: "ci", ExpirationDate: later})
		f.must(err)
		if !bytes.Contains(key.GetKeyContent(), []byte(`"userId":"ci"`)) {
			f.Errorf("key %s", key.GetKeyContent())
		}
		token, err := f.AddPersonalAccessToken(f.ctx(), "1", &userv2.AddPersonalAccessTokenRequest{UserId: "ci", ExpirationDate: later})
		f.must(err)
		if !strings.HasPrefix(token.GetToken(), "cstl_pat_") {
			f.Errorf("token %v", token)
		}

		mine := &filterv2.IDFilter{Id: "ci"}
		keys, err := f.ListKeys(f.ctx(), "1", &userv2.ListKeysRequest{Filters: []*userv2.KeysSearchFilter{
			{Filter: &userv2.KeysSearchFilter_UserIdFilter{UserIdFilter: mine}},
			{Filter: &userv2.KeysSearchFilter_KeyIdFilter{KeyIdFilter: &filterv2.IDFilter{Id: key.GetKeyId()}}},
			{Filter: &userv2.KeysSearchFilter_OrganizationIdFilter{OrganizationIdFilter: &filterv2.IDFilter{Id: "7"}}},
			{Filter: &userv2.KeysSearchFilter_CreatedDateFilter{CreatedDateFilter: &filterv2.TimestampFilter{Timestamp: key.GetCreationDate()}}},
			{Filter: &userv2.KeysSearchFilter_ExpirationDateFilter{ExpirationDateFilter: &filterv2.TimestampFilter{Timestamp: later}}},
		}})
		f.must(err)
		now := timestamppb.New(start)
		if want := (&userv2.Key{Id: key.GetKeyId(), UserId: "ci", OrganizationId: "7", CreationDate: now, ChangeDate: now, ExpirationDate: later}); keys.GetPagination().GetTotalResult() != 1 || !proto.Equal(keys.GetResult()[0], want) {
			f.Errorf("keys %v", keys)
		}
		tokens, err := f.ListPersonalAccessTokens(f.ctx(), "1", &userv2.ListPersonalAccessTokensRequest{Filters: []*userv2.PersonalAccessTokensSearchFilter{
			{Filter: &userv2.PersonalAccessTokensSearchFilter_UserIdFilter{UserIdFilter: mine}},
			{Filter: &userv2.PersonalAccessTokensSearchFilter_TokenIdFilter{TokenIdFilter: &filterv2.IDFilter{Id: token.GetTokenId()}}},
		}})
		f.must(err)
		if want := (&userv2.PersonalAccessToken{Id: token.GetTokenId(), UserId: "ci", OrganizationId: "7", CreationDate: now, ChangeDate: now, ExpirationDate: later}); len(tokens.GetResult()) != 1 || !proto.Equal(tokens.GetResult()[0], want) {
			f.Errorf("tokens %v", tokens)
		}
		hers := f.by(herself)
		none, err := hers.ListPersonalAccessTokens(hers.ctx(), "1", &userv2.ListPersonalAccessTokensRequest{})
		f.must(err)
		if none.GetPagination().GetTotalResult() != 0 {
			f.Errorf("somebody else's tokens: %v", none)
		}
		_, err = f.ListKeys(f.ctx(), "1", &userv2.ListKeysRequest{Pagination: &filterv2.PaginationRequest{Limit: 1001}})
		f.refused(err, "QUERY-4M0fs", "pagination.limit")
		_, err = f.ListPersonalAccessTokens(f.ctx(), "1", &userv2.ListPersonalAccessTokensRequest{Filters: []*userv2.PersonalAccessTokensSearchFilter{
			{Filter: &userv2.PersonalAccessTokensSearchFilter_ExpirationDateFilter{ExpirationDateFilter: &filterv2.TimestampFilter{}}},
		}})
		f.refused(err, "QUERY-time1", "filters[0].expiration_date_filter.timestamp")

		f.must(second(f.RemoveKey(f.ctx(), "1", &userv2.RemoveKeyRequest{UserId: "ci", KeyId: key.GetKeyId()})))
		f.must(second(f.RemovePersonalAccessToken(f.ctx(), "1", &userv2.RemovePersonalAccessTokenRequest{UserId: "ci", TokenId: token.GetTokenId()})))
	})
}

func TestMetadata(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, err := f.SetUserMetadata(f.ctx(), "1", &userv2.SetUserMetadataRequest{UserId: "ada", Metadata: []*userv2.Metadata{
			{Key: "Team", Value: []byte("red")}, {Key: "cost"},
		}})
		f.must(err)
		list := func(key string, method filterv2.TextFilterMethod) int {
			got, err := f.ListUserMetadata(f.ctx(), "1", &userv2.ListUserMetadataRequest{UserId: "ada", Filters: []*metadatav2.MetadataSearchFilter{
				{Filter: &metadatav2.MetadataSearchFilter_KeyFilter{KeyFilter: &metadatav2.MetadataKeyFilter{Key: key, Method: method}}},
			}})
			f.must(err)
			return int(got.GetPagination().GetTotalResult())
		}
		if list("team", filterv2.TextFilterMethod_TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE) != 1 || list("team", filterv2.TextFilterMethod_TEXT_FILTER_METHOD_EQUALS) != 0 {
			f.Error("metadata are not found by their keys")
		}
		_, err = f.ListUserMetadata(f.ctx(), "1", &userv2.ListUserMetadataRequest{UserId: "nobody"})
		f.refused(err, user.NotFound.ID)
		f.must(second(f.DeleteUserMetadata(f.ctx(), "1", &userv2.DeleteUserMetadataRequest{UserId: "ada", Keys: []string{"Team"}})))
		_, err = f.DeleteUserMetadata(f.ctx(), "1", &userv2.DeleteUserMetadataRequest{UserId: "ada", Keys: []string{"Team"}})
		f.refused(err, "META-2nnds")
	})
}

// What users do not have yet is an empty list; of nobody there is none.
func TestWhatIsNotThere(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for id, want := range map[string]string{"ada": "", "nobody": user.NotFound.ID} {
			for _, err := range []error{
				second(f.ListAuthenticationFactors(f.ctx(), "1", &userv2.ListAuthenticationFactorsRequest{UserId: id})),
				second(f.ListPasskeys(f.ctx(), "1", &userv2.ListPasskeysRequest{UserId: id})),
				second(f.ListIDPLinks(f.ctx(), "1", &userv2.ListIDPLinksRequest{UserId: id})),
				second(f.ListAuthenticationMethodTypes(f.ctx(), "1", &userv2.ListAuthenticationMethodTypesRequest{UserId: id})),
				second(f.GetUserByID(f.ctx(), "1", &userv2.GetUserByIDRequest{UserId: id})),
			} {
				if want == "" {
					f.must(err)
				} else {
					f.refused(err, want)
				}
			}
		}
		_, err := f.ListIDPLinks(f.ctx(), "1", &userv2.ListIDPLinksRequest{UserId: "ada", Query: &objectv2.ListQuery{Limit: 1001}})
		f.refused(err, "QUERY-4M0fs", "query.limit")
	})
}

// Every method of the table is one of the service, or making it panics.
func TestTable(*testing.T) { (&Service{}).Table() }
