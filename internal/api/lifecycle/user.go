package lifecycle

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/systemuser"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// ListSystemUsers returns all system users that count on this node.
func (s *Service) ListSystemUsers(ctx context.Context, _ *castellansystemv1.ListSystemUsersRequest) (*castellansystemv1.ListSystemUsersResponse, error) {
	list, err := s.Operators.List(ctx)
	if err != nil {
		return nil, err
	}
	answer := &castellansystemv1.ListSystemUsersResponse{
		Details: &zitadelv1.ListDetails{TotalResult: uint64(len(list))},
		Result:  make([]*castellansystemv1.SystemUser, len(list)),
	}
	for i, l := range list {
		answer.Result[i] = userOf(l)
	}
	return answer, nil
}

// AddSystemUser adds a system user.
func (s *Service) AddSystemUser(ctx context.Context, req *castellansystemv1.AddSystemUserRequest) (*castellansystemv1.AddSystemUserResponse, error) {
	wish := systemuser.Add{
		Name: req.GetId(), PublicKey: req.GetPublicKey(),
		Memberships: make([]systemuser.Membership, len(req.GetMemberships())),
	}
	for i, m := range req.GetMemberships() {
		wish.Memberships[i] = systemuser.Membership{
			Type: memberTypes[m.GetType()], AggregateID: m.GetAggregateId(), Roles: m.GetRoles(),
		}
	}
	after, err := s.Operators.Add(ctx, proofOf(ctx), wish)
	if err != nil {
		return nil, err
	}
	return &castellansystemv1.AddSystemUserResponse{Id: after.ID, Details: &zitadelv1.ObjectDetails{
		Sequence: after.Sequence, CreationDate: timestamppb.New(after.ChangedAt), ResourceOwner: after.Owner,
	}}, nil
}

// RotateSystemUserKey gives a system user another key.
func (s *Service) RotateSystemUserKey(ctx context.Context, req *castellansystemv1.RotateSystemUserKeyRequest) (*castellansystemv1.RotateSystemUserKeyResponse, error) {
	wish := systemuser.Rotate{PublicKey: req.GetPublicKey()}
	if keep := req.GetKeepPreviousFor(); keep != nil {
		if err := keep.CheckValid(); err != nil {
			return nil, fault.Plain(fault.InvalidArgument, "keep_previous_for: must be a duration").
				WithViolation("keep_previous_for", "must be a duration").WithCause(err)
		}
		wish.Keep = keep.AsDuration()
	}
	after, err := s.Operators.Rotate(ctx, proofOf(ctx), req.GetId(), wish)
	if err != nil {
		return nil, err
	}
	return &castellansystemv1.RotateSystemUserKeyResponse{Details: changed(after.Head)}, nil
}

// RemoveSystemUser removes a system user.
func (s *Service) RemoveSystemUser(ctx context.Context, req *castellansystemv1.RemoveSystemUserRequest) (*castellansystemv1.RemoveSystemUserResponse, error) {
	after, err := s.Operators.Remove(ctx, proofOf(ctx), req.GetId())
	if err != nil {
		return nil, err
	}
	return &castellansystemv1.RemoveSystemUserResponse{Details: changed(after.Head)}, nil
}

// proofOf is what the caller was authenticated by.
func proofOf(ctx context.Context) systemuser.Proof {
	c := call.From(ctx)
	return systemuser.Proof{Name: c.Actor, Sequence: c.ActorSequence, Key: c.ActorKey}
}

// memberTypes are the types of memberships; one that is not declared is none.
var memberTypes = map[castellansystemv1.MembershipType]systemuser.MemberType{
	castellansystemv1.MembershipType_MEMBERSHIP_TYPE_SYSTEM:       systemuser.System,
	castellansystemv1.MembershipType_MEMBERSHIP_TYPE_INSTANCE:     systemuser.IAM,
	castellansystemv1.MembershipType_MEMBERSHIP_TYPE_ORGANIZATION: systemuser.Organization,
}

// shownTypes are the types the other way round.
var shownTypes = func() map[systemuser.MemberType]castellansystemv1.MembershipType {
	types := make(map[systemuser.MemberType]castellansystemv1.MembershipType, len(memberTypes))
	for shown, t := range memberTypes {
		types[t] = shown
	}
	return types
}()

// userOf shows a system user.
func userOf(l systemuser.Listed) *castellansystemv1.SystemUser {
	shown := &castellansystemv1.SystemUser{
		Id:         string(l.Name),
		Source:     castellansystemv1.SystemUserSource_SYSTEM_USER_SOURCE_CONFIGURATION,
		Overridden: l.Overridden,
	}
	if !l.Configured {
		shown.Source = castellansystemv1.SystemUserSource_SYSTEM_USER_SOURCE_DATABASE
		shown.Details = &zitadelv1.ObjectDetails{
			Sequence: l.Sequence, CreationDate: timestamppb.New(l.CreatedAt),
			ChangeDate: timestamppb.New(l.ChangedAt), ResourceOwner: l.Owner,
		}
	}
	for _, m := range l.Memberships {
		shown.Memberships = append(shown.Memberships, &castellansystemv1.Membership{
			Type: shownTypes[m.Type], AggregateId: m.AggregateID, Roles: m.Roles,
		})
	}
	for _, k := range l.Keys {
		shown.Keys = append(shown.Keys, &castellansystemv1.SystemUserKey{
			Fingerprint: k.Fingerprint,
			NotBefore:   timeOf(k.NotBefore), NotAfter: timeOf(k.NotAfter), KeptUntil: timeOf(k.Until),
		})
	}
	return shown
}

// timeOf shows a time, nil for none.
func timeOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
