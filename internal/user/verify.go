package user

import (
	"context"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// The refusals of codes that nobody needs, or that there is nothing to make for.
var (
	errEmailVerified = fault.New(fault.FailedPrecondition, "COMMAND-3M9ds", "Errors.User.Email.AlreadyVerified")
	errPhoneVerified = fault.New(fault.FailedPrecondition, "COMMAND-2M9sf", "Errors.User.Phone.AlreadyVerified")
	errNoPhone       = fault.New(fault.FailedPrecondition, "COMMAND-ieJ2e", "Errors.User.Phone.NotFound")
	errInitialised   = fault.New(fault.FailedPrecondition, "COMMAND-EF34g", "Errors.User.AlreadyInitialised")
	errNoEmailCode   = fault.New(fault.FailedPrecondition, "EMAIL-5w5ilin4yt", "Errors.User.Code.Empty")
	errNoPhoneCode   = fault.New(fault.FailedPrecondition, "PHONE-5xrra88eq8", "Errors.User.Code.Empty")
)

// MakeCode makes a code for a human, in the place of the one before it for the same purpose, and returns
// it. again demands that there be one before it. It returns [NotFound] for a machine, COMMAND-3M9ds for an
// address and COMMAND-2M9sf for a number that is verified already, COMMAND-ieJ2e for a number that is not
// there, COMMAND-EF34g for an invitation of somebody who has a password, and EMAIL-5w5ilin4yt or
// PHONE-5xrra88eq8 when again there is none.
func (s *Service) MakeCode(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID,
	purpose Purpose, again bool,
) (State, string, error) {
	code := s.makeCode()
	after, err := s.write(ctx, at, actor, id, func(ctx context.Context, w *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		if err := before.needs(purpose, again); err != nil {
			return nil, err
		}
		return codes{purpose: code}.sealed(ctx, w, id)
	}, nil)
	if err != nil {
		return State{}, "", err
	}
	return after, code.plain, nil
}

// needs returns nil when a code can be made for a purpose.
func (s State) needs(purpose Purpose, again bool) error {
	_, had := s.code(purpose)
	switch {
	case s.Kind != Human:
		return NotFound
	case purpose == ForEmail && s.EmailVerified:
		return errEmailVerified
	case purpose == ForEmail && again && !had:
		return errNoEmailCode
	case purpose == ForPhone && s.Phone == "":
		return errNoPhone
	case purpose == ForPhone && s.PhoneVerified:
		return errPhoneVerified
	case purpose == ForPhone && again && !had:
		return errNoPhoneCode
	case purpose == ForInvite && s.PasswordHash != "":
		return errInitialised
	}
	return nil
}

// Verify tells what a code shows: that the address or number is the user's, or that whoever was invited
// is here, which shows the address too. A code counts once. Verify returns [NotFound] for a machine,
// COMMAND-2M9fs when there is no code or there were too many attempts at it, CODE-QvUQ4P when it has
// expired, and CODE-woT0xc, after which there is one attempt less, when it is another. Passwords are set
// with a code by [Service.Update].
func (s *Service) Verify(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID,
	purpose Purpose, code string,
) (State, error) {
	return s.prove(ctx, at, actor, id, purpose, code, func(before State) []eventlog.Payload {
		switch {
		case purpose == ForPhone:
			return []eventlog.Payload{PhoneVerified{}}
		case purpose == ForEmail:
			return []eventlog.Payload{EmailVerified{}}
		case before.EmailVerified:
			return []eventlog.Payload{InviteCheckSucceeded{}}
		default:
			return []eventlog.Payload{InviteCheckSucceeded{}, EmailVerified{}}
		}
	})
}

// prove writes what a code shows. A wrong one is written too, in a transaction that is committed.
func (s *Service) prove(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID,
	purpose Purpose, code string, shown func(State) []eventlog.Payload,
) (State, error) {
	wrong := false
	after, err := s.write(ctx, at, actor, id, func(ctx context.Context, w *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		wrong = false
		if before.Kind != Human {
			return nil, NotFound
		}
		if err := before.live(purpose, w.Now()); err != nil {
			return nil, err
		}
		sealer, err := w.Sealer(ctx)
		if err != nil {
			return nil, err
		}
		ok, err := before.matches(sealer, purpose, code)
		if err != nil || ok {
			return shown(before), err
		}
		wrong = true
		return []eventlog.Payload{checkFailed[purpose]}, nil
	}, nil)
	if err == nil && wrong {
		return State{}, errCodeWrong
	}
	return after, err
}
