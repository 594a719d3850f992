package tenant_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "castellan/gen/zitadel/admin/v1"
	managementv1 "castellan/gen/zitadel/management/v1"
	policyv1 "castellan/gen/zitadel/policy/v1"
	settingsv1 "castellan/gen/zitadel/settings/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

var (
	noDates = protocmp.IgnoreFields(&zitadelv1.ObjectDetails{}, "creation_date", "change_date")
	builtIn = &policyv1.PasswordComplexityPolicy{MinLength: 8, HasUppercase: true, HasLowercase: true, HasNumber: true, HasSymbol: true}
)

// complexity is a policy of passwords with a length, which has been set sequence times by owner.
func complexity(length uint64, isDefault bool, owner string, sequence uint64) *policyv1.PasswordComplexityPolicy {
	p := proto.Clone(builtIn).(*policyv1.PasswordComplexityPolicy)
	p.MinLength, p.IsDefault = length, isDefault
	p.Details = &zitadelv1.ObjectDetails{ResourceOwner: owner, Sequence: sequence}
	return p
}

// Policies inherit: built-in default, instance, organization.
func TestPasswordComplexity(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.addOrg("77", "Second")
		inInstance := func(want *policyv1.PasswordComplexityPolicy) {
			x.Helper()
			got := new(adminv1.GetPasswordComplexityPolicyResponse)
			x.read(adminAPI+"GetPasswordComplexityPolicy", &adminv1.GetPasswordComplexityPolicyRequest{}, got)
			x.equal(got.GetPolicy(), want, noDates)
			if d := got.GetPolicy().GetDetails(); d.GetCreationDate() == nil || d.GetChangeDate() == nil {
				x.Errorf("details %v", d)
			}
		}
		in := func(org string, want *policyv1.PasswordComplexityPolicy) {
			x.Helper()
			got := new(managementv1.GetPasswordComplexityPolicyResponse)
			var header []string
			if org != "" {
				header = []string{"x-zitadel-orgid", org}
			}
			x.read(managementAPI+"GetPasswordComplexityPolicy", &managementv1.GetPasswordComplexityPolicyRequest{}, got, header...)
			x.equal(got, &managementv1.GetPasswordComplexityPolicyResponse{Policy: want, IsDefault: want.GetIsDefault()}, noDates)
		}
		instance := func(method string, in proto.Message, want ...string) {
			x.Helper()
			x.write(adminAPI+method, in, nil, want)
		}
		add := func(length uint64) proto.Message {
			return &managementv1.AddCustomPasswordComplexityPolicyRequest{MinLength: length, HasUppercase: true, HasLowercase: true, HasNumber: true, HasSymbol: true}
		}
		update := func(length uint64) proto.Message {
			return &managementv1.UpdateCustomPasswordComplexityPolicyRequest{MinLength: length, HasUppercase: true, HasLowercase: true, HasNumber: true, HasSymbol: true}
		}
		reset := &managementv1.ResetPasswordComplexityPolicyToDefaultRequest{}
		const (
			adds, updates, resets = managementAPI + "AddCustomPasswordComplexityPolicy", managementAPI + "UpdateCustomPasswordComplexityPolicy",
				managementAPI + "ResetPasswordComplexityPolicyToDefault"
			events = "org.policy.password.complexity."
		)
		inInstance(complexity(8, true, x.ID, 0))
		in("", complexity(8, true, x.ID, 0))
		in("77", complexity(8, true, x.ID, 0))

		change := &adminv1.UpdatePasswordComplexityPolicyRequest{MinLength: 12, HasUppercase: true, HasLowercase: true, HasNumber: true, HasSymbol: true}
		instance("UpdatePasswordComplexityPolicy", change, "instance.policy.password.complexity.changed")
		x.refused(adminAPI+"UpdatePasswordComplexityPolicy", change, codes.FailedPrecondition, "INSTANCE-9jlsf")
		x.refused(adminAPI+"UpdatePasswordComplexityPolicy", &adminv1.UpdatePasswordComplexityPolicyRequest{}, codes.InvalidArgument, "MODEL-Lsp0e")
		inInstance(complexity(12, true, x.ID, 1))
		in("77", complexity(12, true, x.ID, 1))

		added := new(managementv1.AddCustomPasswordComplexityPolicyResponse)
		x.write(adds, add(10), added, []string{events + "added"}, "x-zitadel-orgid", "77")
		if d := added.GetDetails(); d.GetResourceOwner() != "77" || d.GetCreationDate() == nil || d.GetChangeDate() != nil {
			x.Errorf("details %v", d)
		}
		x.refused(adds, add(11), codes.AlreadyExists, "Org-LdhbS", "x-zitadel-orgid", "77")
		in("77", complexity(10, false, "77", 1))
		in("", complexity(12, true, x.ID, 1))
		x.write(updates, update(11), nil, []string{events + "changed"}, "x-zitadel-orgid", "77")
		x.refused(updates, update(11), codes.FailedPrecondition, "Org-DAs21", "x-zitadel-orgid", "77")
		x.refused(updates, update(73), codes.InvalidArgument, "MODEL-Lsp0e", "x-zitadel-orgid", "77")
		x.refused(updates, update(11), codes.NotFound, "ORG-Dgs3g")
		in("77", complexity(11, false, "77", 2))
		x.write(resets, reset, nil, []string{events + "removed"}, "x-zitadel-orgid", "77")
		x.refused(resets, reset, codes.NotFound, "ORG-ADgs2", "x-zitadel-orgid", "77")
		in("77", complexity(12, true, x.ID, 1))
		x.write(adds, add(9), nil, []string{events + "added"}, "x-zitadel-orgid", "77.example") // a domain names it, too
		in("77", complexity(9, false, "77", 1))
		x.refused(adds, add(9), codes.PermissionDenied, "AUTH-Bs7Ds", "x-zitadel-orgid", "404")
	})
}

func TestDomainPolicy(t *testing.T) {
	eachWire(t, func(x *tenant) {
		get := func(want *policyv1.DomainPolicy) {
			x.Helper()
			got := new(adminv1.GetDomainPolicyResponse)
			x.read(adminAPI+"GetDomainPolicy", &adminv1.GetDomainPolicyRequest{}, got)
			x.equal(got.GetPolicy(), want, noDates)
		}
		get(&policyv1.DomainPolicy{IsDefault: true, Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID}})
		change := &adminv1.UpdateDomainPolicyRequest{ValidateOrgDomains: true, SmtpSenderAddressMatchesInstanceDomain: true}
		changed := new(adminv1.UpdateDomainPolicyResponse)
		x.write(adminAPI+"UpdateDomainPolicy", change, changed, []string{"instance.policy.domain.changed"})
		x.equal(changed, &adminv1.UpdateDomainPolicyResponse{Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID, Sequence: 1}}, noDates)
		x.refused(adminAPI+"UpdateDomainPolicy", change, codes.FailedPrecondition, "INSTANCE-pl9fN")
		x.refused(adminAPI+"UpdateDomainPolicy", &adminv1.UpdateDomainPolicyRequest{UserLoginMustBeDomain: true}, codes.Unimplemented, "POLICY-login1")
		get(&policyv1.DomainPolicy{
			IsDefault: true, ValidateOrgDomains: true, SmtpSenderAddressMatchesInstanceDomain: true,
			Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID, Sequence: 1},
		})
	})
}

func TestOIDCSettings(t *testing.T) {
	eachWire(t, func(x *tenant) {
		hours := func(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Hour) }
		get := func(want *settingsv1.OIDCSettings) {
			x.Helper()
			got := new(adminv1.GetOIDCSettingsResponse)
			x.read(adminAPI+"GetOIDCSettings", &adminv1.GetOIDCSettingsRequest{}, got)
			x.equal(got.GetSettings(), want, noDates)
		}
		get(&settingsv1.OIDCSettings{
			Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID}, AccessTokenLifetime: hours(12), IdTokenLifetime: hours(12),
			RefreshTokenIdleExpiration: hours(720), RefreshTokenExpiration: hours(2160),
		})
		change := &adminv1.UpdateOIDCSettingsRequest{
			AccessTokenLifetime: hours(1), IdTokenLifetime: hours(2), RefreshTokenIdleExpiration: hours(720), RefreshTokenExpiration: hours(4),
		}
		x.write(adminAPI+"UpdateOIDCSettings", change, nil, []string{"instance.oidc.settings.changed"})
		x.refused(adminAPI+"UpdateOIDCSettings", change, codes.FailedPrecondition, "COMMAND-0pk2nu")
		x.refused(adminAPI+"UpdateOIDCSettings", &adminv1.UpdateOIDCSettingsRequest{}, codes.InvalidArgument, "INST-10sxks")
		for _, bad := range []*durationpb.Duration{{Seconds: -1}, {Nanos: 1}} {
			broken := proto.Clone(change).(*adminv1.UpdateOIDCSettingsRequest)
			broken.IdTokenLifetime = bad
			x.refused(adminAPI+"UpdateOIDCSettings", broken, codes.InvalidArgument, "INST-10sxks")
		}
		get(&settingsv1.OIDCSettings{
			Details: &zitadelv1.ObjectDetails{ResourceOwner: x.ID, Sequence: 1}, AccessTokenLifetime: hours(1), IdTokenLifetime: hours(2),
			RefreshTokenIdleExpiration: hours(720), RefreshTokenExpiration: hours(4),
		})
	})
}
