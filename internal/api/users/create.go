package users

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/user"
	"castellan/internal/usermetadata"

	userv2 "castellan/gen/zitadel/user/v2"
)

// CreateUser makes a human or a machine of an organization. It returns the faults of user.Service.Create,
// USERv2-j0z7uy for metadata in both places, USER-mail1 for a code that is to be sent, and a fault of kind
// Unimplemented for what needs an identity provider or a second factor.
func (s *Service) CreateUser(ctx context.Context, at ident.InstanceID, req *userv2.CreateUserRequest) (*userv2.CreateUserResponse, error) {
	wish := user.Create{Org: ident.OrgID(req.GetOrganizationId()), ID: ident.UserID(req.GetUserId()), UserName: req.GetUsername()}
	entries := entriesOf(req.GetMetadata())
	names := v2.HumanFields("human.")
	if m := req.GetMachine(); m != nil {
		wish.Machine = &user.AddMachine{
			Name: m.GetName(), Description: m.GetDescription(), AccessTokenType: tokenTypes[m.GetAccessTokenType()],
		}
	} else {
		h := req.GetHuman()
		if len(entries) > 0 && len(h.GetMetadata()) > 0 {
			return nil, errTwoMetadata
		}
		entries = append(entries, entriesOf(h.GetMetadata())...)
		var err error
		if wish.Human, err = v2.Human(h); err != nil {
			return nil, err
		}
	}
	after, codes, err := s.create(ctx, at, wish, entries)
	if err != nil {
		return nil, names.Of(err)
	}
	return &userv2.CreateUserResponse{
		Id: after.ID, CreationDate: timestamppb.New(after.CreatedAt),
		EmailCode: v2.OrNone(codes.Email), PhoneCode: v2.OrNone(codes.Phone),
	}, nil
}

// AddHumanUser makes a human, see [Service.CreateUser], of the organization that is named by its id or by
// one of its domains.
func (s *Service) AddHumanUser(ctx context.Context, at ident.InstanceID, req *userv2.AddHumanUserRequest) (*userv2.AddHumanUserResponse, error) {
	wish, entries, err := v2.AddHuman(req)
	if err != nil {
		return nil, err
	}
	wish.Org = ident.OrgID(req.GetOrganization().GetOrgId())
	after, codes, err := s.create(ctx, at, wish, entries)
	if err != nil {
		return nil, v2.HumanFields("").Of(err)
	}
	return &userv2.AddHumanUserResponse{
		UserId: after.ID, Details: v2.Details(after.Head),
		EmailCode: v2.OrNone(codes.Email), PhoneCode: v2.OrNone(codes.Phone),
	}, nil
}

// create makes a user with metadata.
func (s *Service) create(ctx context.Context, at ident.InstanceID, wish user.Create, entries []usermetadata.Entry) (after user.State, codes user.Codes, err error) {
	if wish.Also, err = s.also(ctx, entries); err != nil {
		return after, codes, err
	}
	return s.Users.Create(ctx, at, call.From(ctx).Actor, wish)
}

// also returns what writes metadata beside a user; nil when there is none.
func (s *Service) also(ctx context.Context, entries []usermetadata.Entry) (user.Also, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	put, err := s.Metadata.Putting(ctx, entries)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, w *eventlog.Writer, after user.State) error {
		return put(ctx, w, ident.UserID(after.ID), ident.OrgID(after.Owner))
	}, nil
}

var errTwoMetadata = fault.New(fault.InvalidArgument, "USERv2-j0z7uy", "Errors.User.Metadata.Conflicting").
	WithViolation("metadata", "must be in one place alone").WithViolation("human.metadata", "must be in one place alone")

// tokenTypes are the types of access tokens; one that is not declared is refused before.
var tokenTypes = map[userv2.AccessTokenType]string{
	userv2.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER: user.Bearer,
	userv2.AccessTokenType_ACCESS_TOKEN_TYPE_JWT:    user.JWT,
}

// entriesOf reads metadata.
func entriesOf(metadata []*userv2.Metadata) []usermetadata.Entry {
	entries := make([]usermetadata.Entry, len(metadata))
	for i, m := range metadata {
		entries[i] = usermetadata.Entry{Key: m.GetKey(), Value: m.GetValue()}
	}
	return entries
}
