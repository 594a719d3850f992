package user

import (
	"context"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// Update is the wish for another user name, profile, address, number or password of a user, all at
// once or not at all.
type Update struct {
	Change      // without a password
	NewPassword *SetPassword
	// Some refuses a wish that changes nothing: with COMMAND-Uch5e.
	Some bool
	Also Also // nil: nothing
}

// SetPassword is the wish for another password. Of Current and Code at most one is set: what shows
// that it is the user's own wish. With none of them it is up to the caller who may wish it.
type SetPassword struct {
	Password
	Current string // the password before it
	Code    string // one that Service.MakeCode has made
}

var (
	errSameEmail = fault.New(fault.FailedPrecondition, "COMMAND-Uch5e", "Errors.User.Email.NotChanged")
	errSamePhone = fault.New(fault.FailedPrecondition, "COMMAND-Uch5e", "Errors.User.Phone.NotChanged")
)

// Update makes a user as it is wished; what is so already stays, and nothing is written. It returns
// the codes that were asked for with an address or number that is not verified, the faults of
// [Change.Decide] and [Service.Create], and those of a password: COMMAND-3M0fs when Current is not the
// password, COMMAND-3nJ4t when there is none, and those of [Service.Verify] for Code.
func (s *Service) Update(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID, wish Update) (State, Codes, error) {
	var verified string // the hash that Current was compared with
	if wish.NewPassword != nil {
		var err error
		if wish.Password, verified, err = s.newPassword(ctx, at, actor, id, *wish.NewPassword); err != nil {
			return State{}, Codes{}, err
		}
	}
	made := make(codes)
	if wish.Email != nil && wish.Email.Code && !wish.Email.Verified {
		made[ForEmail] = s.makeCode()
	}
	if wish.Phone != nil && wish.Phone.Code && !wish.Phone.Verified {
		made[ForPhone] = s.makeCode()
	}
	after, err := s.write(ctx, at, actor, id, func(ctx context.Context, w *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		if p := wish.NewPassword; p != nil {
			if err := before.stillProved(ctx, w, *p, verified); err != nil {
				return nil, err
			}
		}
		events, err := wish.decide(before)
		if err != nil {
			return nil, err
		}
		if err := s.checkRename(ctx, w, before, events); err != nil {
			return nil, err
		}
		sealed, err := made.sealed(ctx, w, id)
		return append(events, sealed...), err
	}, wish.Also)
	if err != nil {
		return State{}, Codes{}, err
	}
	return after, made.reveal(), nil
}

// decide is Change.Decide, and COMMAND-Uch5e for nothing.
func (u Update) decide(s State) ([]eventlog.Payload, error) {
	events, err := u.Decide(s)
	if err != nil || len(events) > 0 || !u.Some {
		return events, err
	}
	switch {
	case u.Email != nil && !u.Email.Code:
		return nil, errSameEmail
	case u.Phone != nil && !u.Phone.Code:
		return nil, errSamePhone
	}
	return nil, nil
}

// checkRename returns COMMAND-SFd21 for a new user name below the domain of another organization, and V3-DKcYh for
// one that is the id of another user.
func (s *Service) checkRename(ctx context.Context, w *eventlog.Writer, before State, events []eventlog.Payload) error {
	for _, e := range events {
		if renamed, ok := e.(NameChanged); ok {
			if err := s.checkNamed(ctx, w, ident.UserID(before.ID), false, renamed.UserName); err != nil {
				return err
			}
			return s.checkDomain(ctx, w, w.Instance(), ident.OrgID(before.Owner), renamed.UserName)
		}
	}
	return nil
}

// newPassword checks the wish for a password and does the slow work: nothing is hashed for a caller who
// has not shown what it has to.
func (s *Service) newPassword(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID,
	wish SetPassword,
) (p *NewPassword, verified string, err error) {
	before, err := Get(ctx, s.DB, at, id)
	if err != nil {
		return nil, "", err
	}
	switch {
	case before.Kind != Human:
		return nil, "", NotFound
	case wish.Plain == "" && wish.Hash == "":
		return nil, "", fault.Invalid("COMMAND-3klek4sbns", "Errors.User.Password.Empty", FieldPassword, "must not be empty")
	}
	if err := s.checkPassword(ctx, s.DB, at, ident.OrgID(before.Owner), wish.Password); err != nil {
		return nil, "", err
	}
	switch {
	case wish.Code != "":
		_, err = s.prove(ctx, at, actor, id, ForPassword, wish.Code, func(State) []eventlog.Payload { return nil })
	case wish.Current != "":
		verified, err = before.PasswordHash, s.checkCurrent(ctx, at, before, wish.Current)
	}
	if err != nil {
		return nil, "", err
	}
	hash, err := s.hash(ctx, at, wish.Password)
	return &NewPassword{Hash: hash, ChangeRequired: wish.ChangeRequired}, verified, err
}

// checkCurrent returns nil when a text is the user's password.
func (s *Service) checkCurrent(ctx context.Context, at ident.InstanceID, before State, text string) error {
	if before.PasswordHash == "" {
		return fault.New(fault.FailedPrecondition, "COMMAND-3nJ4t", "Errors.User.Password.NotSet")
	}
	ok, err := s.Passwords.Verify(ctx, string(at), before.PasswordHash, text)
	if err == nil && !ok {
		err = fault.Invalid("COMMAND-3M0fs", "Errors.User.Password.Invalid", "current_password", "is not the password of the user")
	}
	return err
}

// stillProved returns nil when what was shown before the write began is so within it.
func (s State) stillProved(ctx context.Context, w *eventlog.Writer, wish SetPassword, verified string) error {
	if wish.Current != "" && s.PasswordHash != verified {
		return fault.New(fault.Aborted, "USER-race1", "Errors.User.Password.Changed").
			WithCause(fmt.Errorf("the password of user %s was changed meanwhile", s.ID))
	}
	if wish.Code == "" {
		return nil
	}
	if err := s.live(ForPassword, w.Now()); err != nil {
		return err
	}
	sealer, err := w.Sealer(ctx)
	if err != nil {
		return err
	}
	ok, err := s.matches(sealer, ForPassword, wish.Code)
	if err == nil && !ok {
		err = errCodeWrong
	}
	return err
}
