package system

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/provision"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// AddInstance makes an instance that a person owns, who is the default owner wherever the
// request says nothing (contract section 1.5).
func (s *Service) AddInstance(ctx context.Context, req *systemv1.AddInstanceRequest) (*systemv1.AddInstanceResponse, error) {
	c := call.From(ctx)
	key, err := onceKey(c, req)
	if err != nil {
		return nil, err
	}
	made, err := s.Provision.SetUp(ctx, c.Actor, provision.SetUp{
		InstanceName:    req.GetInstanceName(),
		OrgName:         req.GetFirstOrgName(),
		CustomDomain:    req.GetCustomDomain(),
		DefaultLanguage: req.GetDefaultLanguage(),
		Human: &provision.Human{
			Inherits:               true,
			UserName:               req.GetOwnerUserName(),
			FirstName:              req.GetOwnerProfile().GetFirstName(),
			LastName:               req.GetOwnerProfile().GetLastName(),
			PreferredLanguage:      req.GetOwnerProfile().GetPreferredLanguage(),
			Email:                  req.GetOwnerEmail().GetEmail(),
			EmailVerified:          req.GetOwnerEmail().GetIsEmailVerified(),
			Password:               req.GetOwnerPassword().GetPassword(),
			PasswordChangeRequired: req.GetOwnerPassword().GetPasswordChangeRequired(),
		},
	}, key)
	if err != nil {
		return nil, inOwnersFields(err)
	}
	return &systemv1.AddInstanceResponse{InstanceId: string(made.Instance), Details: detailsOfNew(made)}, nil
}

// detailsOfNew are the details of an instance that has just been made; they name its
// organization (contract section 2.1).
func detailsOfNew(made provision.Result) *zitadelv1.ObjectDetails {
	return &zitadelv1.ObjectDetails{
		Sequence: made.Sequence, CreationDate: timestamppb.New(made.CreatedAt), ResourceOwner: string(made.Org),
	}
}

// ownersFields are the fields of AddInstance by those of CreateInstance, whose names the inner
// rings know.
var ownersFields = map[string]string{
	"human.user_name":          "owner_user_name",
	"human.email.email":        "owner_email.email",
	"human.profile.first_name": "owner_profile.first_name",
	"human.profile.last_name":  "owner_profile.last_name",
	"human.password.password":  "owner_password.password",
}

// inOwnersFields makes a fault name the fields that the caller of AddInstance knows.
func inOwnersFields(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	named := *f
	named.Violations = nil
	for _, v := range f.Violations {
		if field, known := ownersFields[v.Field]; known {
			v.Field = field
		}
		named.Violations = append(named.Violations, v)
	}
	return &named
}
