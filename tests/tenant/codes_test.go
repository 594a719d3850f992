package tenant_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	objectv2 "castellan/gen/zitadel/object/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// Codes are sent and sent again; of several the last one counts.
func TestCodesOfUsers(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.human("ada")
		x.refused(userAPI+"ResendEmailCode", &userv2.ResendEmailCodeRequest{
			UserId: "ada", Verification: &userv2.ResendEmailCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}},
		}, codes.FailedPrecondition, "EMAIL-5w5ilin4yt") // none was sent
		sent, again := new(userv2.SendEmailCodeResponse), new(userv2.ResendEmailCodeResponse)
		x.write(userAPI+"SendEmailCode", &userv2.SendEmailCodeRequest{
			UserId: "ada", Verification: &userv2.SendEmailCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}},
		}, sent, []string{"user.human.email.code.added"})
		x.write(userAPI+"ResendEmailCode", &userv2.ResendEmailCodeRequest{
			UserId: "ada", Verification: &userv2.ResendEmailCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}},
		}, again, []string{"user.human.email.code.added"})
		if sent.GetVerificationCode() == "" || sent.GetDetails().GetSequence()+1 != again.GetDetails().GetSequence() {
			x.Errorf("sent %v, again %v", sent, again)
		}
		x.write(userAPI+"VerifyEmail", &userv2.VerifyEmailRequest{UserId: "ada", VerificationCode: again.GetVerificationCode()},
			new(userv2.VerifyEmailResponse), []string{"user.human.email.verified"})

		phone, more := new(userv2.SetPhoneResponse), new(userv2.ResendPhoneCodeResponse)
		x.write(userAPI+"SetPhone", &userv2.SetPhoneRequest{
			UserId: "ada", Phone: "+41791234567", Verification: &userv2.SetPhoneRequest_ReturnCode{ReturnCode: &userv2.ReturnPhoneVerificationCode{}},
		}, phone, []string{"user.human.phone.changed", "user.human.phone.code.added"})
		x.write(userAPI+"ResendPhoneCode", &userv2.ResendPhoneCodeRequest{
			UserId: "ada", Verification: &userv2.ResendPhoneCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnPhoneVerificationCode{}},
		}, more, []string{"user.human.phone.code.added"})
		x.write(userAPI+"VerifyPhone", &userv2.VerifyPhoneRequest{UserId: "ada", VerificationCode: more.GetVerificationCode()},
			new(userv2.VerifyPhoneResponse), []string{"user.human.phone.verified"})
	})
}

// What a human has to sign in with beside a password: nothing yet, which can be put off.
func TestFactorsOfUsers(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.human("ada")
		skipped := new(userv2.HumanMFAInitSkippedResponse)
		x.write(userAPI+"HumanMFAInitSkipped", &userv2.HumanMFAInitSkippedRequest{UserId: "ada"}, skipped, []string{"user.human.mfa.init.skipped"})
		if d := skipped.GetDetails(); d.GetSequence() != 2 || d.GetResourceOwner() != x.Org || d.GetChangeDate() == nil {
			x.Errorf("details %v", d)
		}
		factors := new(userv2.ListAuthenticationFactorsResponse)
		x.read(userAPI+"ListAuthenticationFactors", &userv2.ListAuthenticationFactorsRequest{UserId: "ada"}, factors)
		x.equal(factors, &userv2.ListAuthenticationFactorsResponse{})
		passkeys := new(userv2.ListPasskeysResponse)
		x.read(userAPI+"ListPasskeys", &userv2.ListPasskeysRequest{UserId: "ada"}, passkeys)
		links := new(userv2.ListIDPLinksResponse)
		x.read(userAPI+"ListIDPLinks", &userv2.ListIDPLinksRequest{UserId: "ada"}, links)
		for _, d := range []*objectv2.ListDetails{passkeys.GetDetails(), links.GetDetails()} {
			if d == nil || d.GetTotalResult() != 0 {
				x.Errorf("details %v", d)
			}
		}
		if len(passkeys.GetResult()) > 0 || len(links.GetResult()) > 0 {
			x.Errorf("passkeys %v, links %v", passkeys, links)
		}
		machine := x.machine("worker") // which is not a human
		x.refused(userAPI+"HumanMFAInitSkipped", &userv2.HumanMFAInitSkippedRequest{UserId: machine}, codes.NotFound, "QUERY-Dfbg2")
		for method, in := range map[string]proto.Message{
			"HumanMFAInitSkipped": &userv2.HumanMFAInitSkippedRequest{UserId: "404"}, "ListPasskeys": &userv2.ListPasskeysRequest{UserId: "404"},
			"ListAuthenticationFactors": &userv2.ListAuthenticationFactorsRequest{UserId: "404"}, "ListIDPLinks": &userv2.ListIDPLinksRequest{UserId: "404"},
		} {
			x.refused(userAPI+method, in, codes.NotFound, "QUERY-Dfbg2")
		}
	})
}
