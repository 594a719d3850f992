package user

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Create is the wish for a user of an organization. Exactly one of Human and Machine is set.
type Create struct {
	Org      ident.OrgID
	ID       ident.UserID // empty: a new one
	UserName string       // blank: the e-mail address of a human, the id of a machine
	Human    *CreateHuman
	Machine  *AddMachine // without its user name
	Also     Also        // nil: nothing
}

// CreateHuman is what the wish for a human says beyond its user name.
type CreateHuman struct {
	AddHuman // without user name, domain and hash
	Password Password
	// EmailCode and PhoneCode ask for codes to verify address and number with; of no meaning where the
	// caller vouches for them.
	EmailCode, PhoneCode bool
}

// Create makes a user. It returns the fault of KeepOrg when there is no such organization,
// COMMAND-7yiox1isql for an id that a user has or has had, or is called, V3-DKcYh for a user name that is taken,
// be it as an id,
// COMMAND-SFd21 for one below the domain of another organization, the faults of [AddHuman.Decide],
// [AddMachine.Decide], [Language] and [CheckPassword], and USER-JDk4t for a hash that cannot be used.
func (s *Service) Create(ctx context.Context, at ident.InstanceID, actor ident.Actor, wish Create) (State, Codes, error) {
	prepared, err := s.Prepare(ctx, at, wish)
	if err != nil {
		return State{}, Codes{}, err
	}
	var after State
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) (err error) {
		after, err = prepared.Begin(ctx, w)
		return err
	})
	if err != nil {
		return State{}, Codes{}, Taken(err)
	}
	return after, prepared.Codes(), nil
}

// Prepared is a user who can begin in a write, on which no slow work is left to do.
type Prepared struct {
	service *Service
	wish    Create
	chosen  bool // the id was
	events  []eventlog.Payload
	codes   codes
}

// Prepare does all of [Service.Create] that is not done in the write.
func (s *Service) Prepare(ctx context.Context, at ident.InstanceID, wish Create) (*Prepared, error) {
	chosen := wish.ID != ""
	if !chosen {
		ids, err := s.IDs.Next(ctx, 1)
		if err != nil {
			return nil, err
		}
		wish.ID = ident.UserID(ids[0])
	}
	events, codes, err := s.first(ctx, at, wish)
	if err != nil {
		return nil, err
	}
	return &Prepared{service: s, wish: wish, chosen: chosen, events: events, codes: codes}, nil
}

// Begin makes the user in a write, which may be of its organization too when that has been saved (see
// eventlog.Writer.Save). What is taken shows when the write ends, see [Taken].
func (p *Prepared) Begin(ctx context.Context, w *eventlog.Writer) (State, error) {
	if err := p.service.checkNamed(ctx, w, p.wish.ID, p.chosen, userNameOf(p.events)); err != nil {
		return State{}, err
	}
	after, err := p.service.begin(ctx, w, p.wish, p.events, p.codes)
	if err != nil || p.wish.Also == nil {
		return after, err
	}
	return after, p.wish.Also(ctx, w, after)
}

// Codes are those of the user, once it has begun.
func (p *Prepared) Codes() Codes { return p.codes.reveal() }

// first decides the first events of a user. A password is hashed when all else is in order.
func (s *Service) first(ctx context.Context, at ident.InstanceID, wish Create) ([]eventlog.Payload, codes, error) {
	name := strings.TrimSpace(wish.UserName)
	if wish.Human == nil {
		m := *wish.Machine
		m.UserName = cmp.Or(name, string(wish.ID))
		events, err := m.Decide()
		return events, nil, err
	}
	h := *wish.Human
	h.UserName = cmp.Or(name, strings.TrimSpace(h.Email), " ")
	if _, err := Language(h.PreferredLanguage); err != nil {
		return nil, nil, err
	}
	if _, err := h.Decide(); err != nil {
		return nil, nil, err
	}
	if err := s.checkPassword(ctx, s.DB, at, wish.Org, h.Password); err != nil {
		return nil, nil, err
	}
	var err error
	if h.PasswordHash, err = s.hash(ctx, at, h.Password); err != nil {
		return nil, nil, err
	}
	h.PasswordChangeRequired = h.Password.ChangeRequired
	events, err := h.Decide()
	made := make(codes)
	if h.EmailCode && !h.EmailVerified {
		made[ForEmail] = s.makeCode()
	}
	if h.PhoneCode && !h.PhoneVerified && strings.TrimSpace(h.Phone) != "" {
		made[ForPhone] = s.makeCode()
	}
	return events, made, err
}

// begin appends the first events.
func (s *Service) begin(ctx context.Context, w *eventlog.Writer, wish Create, events []eventlog.Payload, made codes) (State, error) {
	if err := s.KeepOrg(ctx, w, w.Instance(), wish.Org); err != nil {
		return State{}, err
	}
	if err := s.checkFree(ctx, w, wish.ID); err != nil {
		return State{}, err
	}
	if err := s.checkDomain(ctx, w, w.Instance(), wish.Org, userNameOf(events)); err != nil {
		return State{}, err
	}
	sealed, err := made.sealed(ctx, w, wish.ID)
	if err != nil {
		return State{}, err
	}
	return eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(wish.ID), Owner: string(wish.Org)},
		append(events[:len(events):len(events)], sealed...)...)
}

// checkFree returns COMMAND-7yiox1isql for an id that a user has. That of one that was removed, and of one
// that is made at the same time, is found by the log.
func (s *Service) checkFree(ctx context.Context, w *eventlog.Writer, id ident.UserID) error {
	_, err := Get(ctx, w, w.Instance(), id)
	switch {
	case err == nil:
		return errExists
	case errors.Is(err, NotFound):
		return nil
	}
	return err
}

// checkNamed returns COMMAND-7yiox1isql for an id that was chosen and is what another user is called, and V3-DKcYh
// for a user name that is the id of another. Clients name users by both: a text names one alone, and who comes
// later does not take the place of who was there.
func (s *Service) checkNamed(ctx context.Context, w *eventlog.Writer, id ident.UserID, chosen bool, name string) error {
	called := "" // by nobody
	if chosen {
		called = LoginKey(string(id))
	}
	found, err := store.All(ctx, w, func(row store.Scanner) (other ident.UserID, err error) { return other, row.Scan(&other) },
		`SELECT user_id FROM users WHERE instance_id = $1 AND (user_id = $2 OR login_key = $3) AND user_id <> $4`,
		w.Instance(), name, called, id)
	if err != nil {
		return fmt.Errorf("look for users of instance %s who are called so: %w", w.Instance(), err)
	}
	switch {
	case len(found) == 0:
		return nil
	case string(found[0]) == name:
		return errNameTaken
	}
	return errExists
}

// userNameOf returns the user name that a user begins with.
func userNameOf(events []eventlog.Payload) string {
	switch p := events[0].(type) {
	case HumanAdded:
		return p.UserName
	case MachineAdded:
		return p.UserName
	}
	return ""
}

// codes are codes in the making, by what they are for.
type codes map[Purpose]made

// sealed returns the events that the codes were made.
func (c codes) sealed(ctx context.Context, w *eventlog.Writer, id ident.UserID) ([]eventlog.Payload, error) {
	if len(c) == 0 {
		return nil, nil
	}
	sealer, err := w.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	var events []eventlog.Payload
	for purpose := ForEmail; purpose <= ForInvite; purpose++ {
		if m, asked := c[purpose]; asked {
			events = append(events, codeAdded(purpose, m.seal(sealer, w.Instance(), id, purpose)))
		}
	}
	return events, nil
}

// reveal returns the codes for the caller.
func (c codes) reveal() Codes { return Codes{Email: c[ForEmail].plain, Phone: c[ForPhone].plain} }

// The refusals of a user that is to be made.
var (
	errExists    = fault.New(fault.FailedPrecondition, "COMMAND-7yiox1isql", "Errors.User.AlreadyExisting")
	errNameTaken = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.User.AlreadyExists").
			WithViolation("username", "is already the name of a user")
	errForeignDomain = fault.Invalid("COMMAND-SFd21", "Errors.User.DomainNotAllowedAsUsername", "username",
		"must not end in a domain that another organization has verified")
)

// Taken turns the conflict of a write that makes a user into the fault that callers know: V3-DKcYh for the
// user name, COMMAND-7yiox1isql for the id. Other errors come back as they are.
func Taken(err error) error {
	if store.ConflictIn(err, "events") {
		return errExists.WithCause(err)
	}
	return taken(err)
}

// taken turns the conflict of a user name into its fault.
func taken(err error) error {
	if store.ConflictIn(err, Table) {
		return errNameTaken.WithCause(err)
	}
	return err
}

// checkDomain returns COMMAND-SFd21 for a user name that ends in a domain of another organization.
func (s *Service) checkDomain(ctx context.Context, q store.Querier, at ident.InstanceID, org ident.OrgID, userName string) error {
	i := strings.LastIndexByte(userName, '@')
	if i < 0 {
		return nil
	}
	owner, err := s.DomainOwner(ctx, q, at, userName[i+1:])
	if err == nil && owner != "" && owner != org {
		return errForeignDomain
	}
	return err
}
