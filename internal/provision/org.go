package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/org"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/user"
)

// AddOrg is the wish for one more organization of an instance, with who looks after it.
type AddOrg struct {
	ID     ident.OrgID // empty: a new one
	Name   string
	Admins []Admin
}

// Admin is who looks after a new organization. Exactly one of User and New is set.
type Admin struct {
	User ident.UserID // a user of the instance
	// New is a user who comes to be with the organization, to which it belongs.
	New   *user.Create
	Roles []string // on the organization; none are those of an owner
}

// AddedOrg is an organization that has just been made.
type AddedOrg struct {
	Org org.State
	// Users are those who came to be with it, in the order of the wish.
	Users []AddedUser
}

// AddedUser is a user who came to be with its organization.
type AddedUser struct {
	ID    ident.UserID
	Codes user.Codes
}

// Orgs makes organizations of instances that are there.
type Orgs struct {
	DB    store.DB
	Log   *eventlog.Log
	IDs   *ident.Source
	Orgs  *org.Service
	Users *user.Service
}

// Add makes an organization, as actor, and its administrators: all of it or nothing. It returns ORG-mruNY
// for a blank name, V3-DKcYh for the name of another organization, ORG-lapo2n for an id that is or was
// taken, Org-4N8es for roles that are none of an organization, ORG-GoXOn for a user there is not, ORG-poWwe
// for one who is named twice, SEARCH-max01 for too many of them, and the faults of user.Service.Create.
// Fields of an administrator are named as those of admins[0] and so on.
func (s *Orgs) Add(ctx context.Context, at ident.InstanceID, actor ident.Actor, wish AddOrg) (AddedOrg, error) {
	if err := wish.check(); err != nil {
		return AddedOrg{}, err
	}
	ids, err := s.IDs.Next(ctx, 1+len(wish.Admins))
	if err != nil {
		return AddedOrg{}, err
	}
	if wish.ID == "" {
		wish.ID = ident.OrgID(ids[0])
	}
	made := make([]*user.Prepared, len(wish.Admins))
	for i, a := range wish.Admins {
		if a.New == nil {
			continue
		}
		a.New.Org = wish.ID
		if made[i], err = s.Users.Prepare(ctx, at, *a.New); err != nil {
			return AddedOrg{}, InAdmin(err, i)
		}
	}
	var added AddedOrg
	for try := 1; ; try++ {
		err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) (err error) {
			added, err = s.begin(ctx, w, wish, made, ids[1:])
			return err
		})
		// What was free when it was looked for, a domain or an id, is not the second time: another domain
		// is chosen, and the id refused.
		if try == suffixTries || !store.ConflictIn(err, org.DomainsTable) && !store.ConflictIn(err, "events") {
			break
		}
	}
	if err != nil {
		return AddedOrg{}, org.Taken(err)
	}
	return added, nil
}

// check refuses administrators who cannot be.
func (a AddOrg) check() error {
	if err := search.TooMany("admins", len(a.Admins), search.MaxConditions); err != nil {
		return err
	}
	for i, admin := range a.Admins {
		if len(admin.Roles) > 0 {
			if err := member.Org.CheckRoles(admin.Roles); err != nil {
				return InAdmin(err, i)
			}
		}
		same := func(other Admin) bool { return other.New == nil && other.User == admin.User }
		if admin.New == nil && slices.ContainsFunc(a.Admins[:i], same) {
			return errTwice.WithViolation(fmt.Sprintf("admins[%d].user_id", i), "must not be named twice")
		}
	}
	return nil
}

var (
	errTwice  = fault.New(fault.AlreadyExists, "ORG-poWwe", "Errors.Org.Member.AlreadyExists")
	errNobody = fault.New(fault.FailedPrecondition, "ORG-GoXOn", "Errors.User.NotFound")
)

// InAdmin gives the violations of an administrator the place where it stands, such as admins[0].
func InAdmin(err error, i int) error {
	f := fault.Of(err)
	for _, v := range f.Violations {
		err = fault.Renamed(err, v.Field, fmt.Sprintf("admins[%d].%s", i, v.Field))
	}
	return err
}

// begin appends the organization, its new users and their memberships.
func (s *Orgs) begin(ctx context.Context, w *eventlog.Writer, wish AddOrg, made []*user.Prepared, ids []string) (added AddedOrg, err error) {
	if added.Org, err = s.Orgs.Begin(ctx, w, wish.ID, wish.Name); err != nil || len(wish.Admins) == 0 {
		return added, err
	}
	if err := w.Save(ctx); err != nil { // so that its users find it
		return added, err
	}
	for i, a := range wish.Admins {
		id := a.User
		if a.New != nil {
			u, err := start(ctx, w, made[i])
			if err != nil {
				return added, InAdmin(err, i)
			}
			id = ident.UserID(u.ID)
			added.Users = append(added.Users, AddedUser{ID: id, Codes: made[i].Codes()})
		} else if err := s.keep(ctx, w, i, id); err != nil {
			return added, err
		}
		if err := s.join(ctx, w, ids[i], wish.ID, id, a.Roles); err != nil {
			return added, err
		}
	}
	return added, nil
}

// start makes a user. It is saved, and read, at once: what is taken is then known to be of this one, which
// engines that answer later would not say otherwise (see store.Tx.Exec).
func start(ctx context.Context, w *eventlog.Writer, u *user.Prepared) (user.State, error) {
	after, err := u.Begin(ctx, w)
	if err == nil {
		err = w.Save(ctx)
	}
	if err == nil {
		after, err = user.Get(ctx, w, w.Instance(), ident.UserID(after.ID))
	}
	return after, user.Taken(err)
}

// keep keeps a user who is to be the administrator with a number.
func (s *Orgs) keep(ctx context.Context, w *eventlog.Writer, number int, id ident.UserID) error {
	_, err := user.Keep(ctx, w, s.DB.Dialect(), w.Instance(), id)
	if errors.Is(err, user.NotFound) {
		return errNobody.WithViolation(fmt.Sprintf("admins[%d].user_id", number), "must be the id of a user").WithCause(err)
	}
	return err
}

// join makes a user a member of the organization.
func (s *Orgs) join(ctx context.Context, w *eventlog.Writer, id string, of ident.OrgID, who ident.UserID, roles []string) error {
	if len(roles) == 0 {
		roles = []string{member.OrgOwner}
	}
	events, err := member.New{User: who, Roles: roles}.Decide(member.Thing{Scope: member.Org, ID: string(of), Owner: string(of)})
	if err != nil {
		return err
	}
	_, err = eventlog.Begin(ctx, w, member.Noun, eventlog.Origin{ID: id, Owner: string(of)}, events...)
	return err
}
