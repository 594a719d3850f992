package users

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	userv2 "castellan/gen/zitadel/user/v2"
)

// Who acts on itself without user.write cannot say who it is; with it, it can.
func TestNobodyVouchesForItself(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		code := &userv2.ReturnEmailVerificationCode{}
		for name, try := range map[string]func(f *fixture) error{
			"a verified address": func(f *fixture) error {
				_, err := f.SetEmail(f.ctx(), "1", &userv2.SetEmailRequest{
					UserId: "ada", Email: "ada@king.example", Verification: &userv2.SetEmailRequest_IsVerified{IsVerified: true},
				})
				return err
			},
			"a code for an address": func(f *fixture) error {
				_, err := f.SendEmailCode(f.ctx(), "1", &userv2.SendEmailCodeRequest{
					UserId: "ada", Verification: &userv2.SendEmailCodeRequest_ReturnCode{ReturnCode: code},
				})
				return err
			},
			"a code with an address": func(f *fixture) error {
				_, err := f.UpdateUser(f.ctx(), "1", &userv2.UpdateUserRequest{UserId: "ada", UserType: &userv2.UpdateUserRequest_Human_{
					Human: &userv2.UpdateUserRequest_Human{Email: &userv2.SetHumanEmail{
						Email: "ada@queen.example", Verification: &userv2.SetHumanEmail_ReturnCode{ReturnCode: code},
					}},
				}})
				return err
			},
			"a verified number": func(f *fixture) error {
				_, err := f.SetPhone(f.ctx(), "1", &userv2.SetPhoneRequest{
					UserId: "ada", Phone: "+41791234567", Verification: &userv2.SetPhoneRequest_IsVerified{IsVerified: true},
				})
				return err
			},
			"a password": func(f *fixture) error {
				_, err := f.SetPassword(f.ctx(), "1", &userv2.SetPasswordRequest{
					UserId: "ada", NewPassword: &userv2.Password{Password: "long enough"},
				})
				return err
			},
			"a code for a password": func(f *fixture) error {
				_, err := f.PasswordReset(f.ctx(), "1", &userv2.PasswordResetRequest{
					UserId: "ada", Medium: &userv2.PasswordResetRequest_ReturnCode{ReturnCode: &userv2.ReturnPasswordResetCode{}},
				})
				return err
			},
			"metadata": func(f *fixture) error {
				_, err := f.UpdateUser(f.ctx(), "1", &userv2.UpdateUserRequest{
					UserId: "ada", Metadata: []*userv2.Metadata{{Key: "admin", Value: []byte("yes")}},
				})
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				mine := f.by(herself)
				mine.T = t
				mine.refused(try(mine), "AUTH-5mWD2")
				managed := mine.by(rights{user: "ada", org: "7", inOrg: []string{"ORG_USER_MANAGER"}})
				if err := try(managed); err != nil && name != "a code for an address" { // the address is verified by then, perhaps
					t.Errorf("with user.write: %v", err)
				}
			})
		}
		mine := f.by(herself)
		_, err := mine.SetEmail(mine.ctx(), "1", &userv2.SetEmailRequest{UserId: "ada", Email: "ada@other.example"})
		f.must(err)
		if got := f.get("ada").GetHuman().GetEmail(); got.GetEmail() != "ada@other.example" || got.GetIsVerified() {
			f.Errorf("her own address: %v", got)
		}
	})
}

// Nobody who may less takes over a user who may more: boss and ci are ORG_OWNER, which a manager of users
// is not.
func TestNobodyTakesOverWhoMayMore(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		later := timestamppb.New(start.Add(time.Hour))
		for name, try := range map[string]func(f *fixture, human, machine string) error{
			"password": func(f *fixture, human, _ string) error {
				_, err := f.SetPassword(f.ctx(), "1", &userv2.SetPasswordRequest{UserId: human, NewPassword: &userv2.Password{Password: "long enough"}})
				return err
			},
			"code for a password": func(f *fixture, human, _ string) error {
				_, err := f.PasswordReset(f.ctx(), "1", &userv2.PasswordResetRequest{
					UserId: human, Medium: &userv2.PasswordResetRequest_ReturnCode{ReturnCode: &userv2.ReturnPasswordResetCode{}},
				})
				return err
			},
			"verified address": func(f *fixture, human, _ string) error {
				_, err := f.SetEmail(f.ctx(), "1", &userv2.SetEmailRequest{
					UserId: human, Email: "me@evil.example", Verification: &userv2.SetEmailRequest_IsVerified{IsVerified: true},
				})
				return err
			},
			"token": func(f *fixture, _, machine string) error {
				_, err := f.AddPersonalAccessToken(f.ctx(), "1", &userv2.AddPersonalAccessTokenRequest{UserId: machine, ExpirationDate: later})
				return err
			},
			"key": func(f *fixture, _, machine string) error {
				_, err := f.AddKey(f.ctx(), "1", &userv2.AddKeyRequest{UserId: machine, ExpirationDate: later})
				return err
			},
			"secret": func(f *fixture, _, machine string) error {
				_, err := f.AddSecret(f.ctx(), "1", &userv2.AddSecretRequest{UserId: machine})
				return err
			},
		} {
			plain, err := f.CreateUser(f.ctx(), "1", &userv2.CreateUserRequest{OrganizationId: "7", UserType: aMachine("plain " + name)})
			f.must(err)
			managed := f.by(manager)
			if err := try(managed, "boss", "ci"); err == nil {
				f.Errorf("%s: a manager of users takes over an owner", name)
			} else {
				managed.refused(err, "AUTH-5mWD2")
			}
			f.must(try(managed, "ada", plain.GetId()))
			f.must(try(f, "boss", "ci")) // an owner of the instance may all that they may
			if name != "verified address" && name != "password" && name != "code for a password" {
				itself := f.by(rights{user: "ci", org: "7"})
				f.must(try(itself, "", "ci")) // a machine changes its own credentials
			}
		}
	})
}
