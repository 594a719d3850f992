package orgs

import (
	"cmp"
	"context"
	"fmt"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/provision"
	"castellan/internal/search"
	"castellan/internal/user"

	orgv2 "castellan/gen/zitadel/org/v2"
)

// AddOrganization makes an organization with its administrators. It returns the faults of
// provision.Orgs.Add and of v2.AddHuman, and ORGv2-SD2r1 for an administrator who is neither a user nor a
// new human.
func (s *Service) AddOrganization(ctx context.Context, at ident.InstanceID, req *orgv2.AddOrganizationRequest) (*orgv2.AddOrganizationResponse, error) {
	admins, err := s.adminsOf(ctx, req.GetAdmins())
	if err != nil {
		return nil, err
	}
	added, err := s.Begin.Add(ctx, at, call.From(ctx).Actor, provision.AddOrg{
		ID: ident.OrgID(cmp.Or(req.GetOrgId(), req.GetOrganizationId())), Name: req.GetName(), Admins: admins,
	})
	if err != nil {
		return nil, renamed(err, req.GetAdmins())
	}
	answer := &orgv2.AddOrganizationResponse{
		Details: v2.Details(added.Org.Head), OrganizationId: added.Org.ID,
		CreatedAdmins: make([]*orgv2.AddOrganizationResponse_CreatedAdmin, len(added.Users)),
	}
	for i, u := range added.Users {
		answer.CreatedAdmins[i] = &orgv2.AddOrganizationResponse_CreatedAdmin{
			UserId: string(u.ID), EmailCode: v2.OrNone(u.Codes.Email), PhoneCode: v2.OrNone(u.Codes.Phone),
		}
	}
	return answer, nil
}

// adminsOf reads who is to look after an organization.
func (s *Service) adminsOf(ctx context.Context, asked []*orgv2.AddOrganizationRequest_Admin) ([]provision.Admin, error) {
	if err := search.TooMany("admins", len(asked), search.MaxConditions); err != nil {
		return nil, err // before anything is done for each
	}
	admins := make([]provision.Admin, len(asked))
	for i, a := range asked {
		admins[i].Roles = a.GetRoles()
		switch a := a.GetUserType().(type) {
		case *orgv2.AddOrganizationRequest_Admin_UserId:
			admins[i].User = ident.UserID(a.UserId)
		case *orgv2.AddOrganizationRequest_Admin_Human:
			wish, entries, err := v2.AddHuman(a.Human)
			if err != nil {
				return nil, renamed(provision.InAdmin(err, i), asked)
			}
			if len(entries) > 0 {
				put, err := s.Metadata.Putting(ctx, entries)
				if err != nil {
					return nil, err
				}
				wish.Also = func(ctx context.Context, w *eventlog.Writer, after user.State) error {
					return put(ctx, w, ident.UserID(after.ID), ident.OrgID(after.Owner))
				}
			}
			admins[i].New = &wish
		default:
			return nil, fault.Invalid("ORGv2-SD2r1", "Errors.Org.AdminMissing", fmt.Sprintf("admins[%d]", i),
				"must be a user of the instance or a new human")
		}
	}
	return admins, nil
}

// renamed gives the fields of new humans the names they have in the message.
func renamed(err error, admins []*orgv2.AddOrganizationRequest_Admin) error {
	for i, a := range admins {
		if a.GetHuman() == nil {
			continue
		}
		place := fmt.Sprintf("admins[%d].", i)
		names := append(v2.HumanFields("human."), "username", "human.username")
		for j := range a.GetHuman().GetMetadata() {
			entry := fmt.Sprintf("metadata[%d].value", j)
			names = append(names, entry, "human."+entry)
		}
		for j, name := range names {
			names[j] = place + name
		}
		err = names.Of(err)
	}
	return err
}
