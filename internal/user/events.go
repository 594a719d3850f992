package user

import (
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
)

// HumanAdded begins a human user.
type HumanAdded struct {
	UserName          string `json:"userName"`
	FirstName         string `json:"firstName"`
	LastName          string `json:"lastName"`
	NickName          string `json:"nickName,omitempty"`
	DisplayName       string `json:"displayName"`
	PreferredLanguage string `json:"preferredLanguage,omitempty"`
	Gender            Gender `json:"gender,omitempty"`
	Email             string `json:"email"`
	Phone             string `json:"phone,omitempty"`
	PasswordHash      string `json:"encodedHash,omitempty"`
	ChangeRequired    bool   `json:"changeRequired,omitempty"`
}

// MachineAdded begins a machine user.
type MachineAdded struct {
	UserName    string `json:"userName"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// AccessTokenType is Bearer (opaque) or JWT.
	AccessTokenType string `json:"accessTokenType"`
}

// NameChanged gives a user another name to log in with.
type NameChanged struct {
	UserName string `json:"userName"`
}

// ProfileChanged changes what it names; what is nil stays.
type ProfileChanged struct {
	FirstName         *string `json:"firstName,omitempty"`
	LastName          *string `json:"lastName,omitempty"`
	NickName          *string `json:"nickName,omitempty"`
	DisplayName       *string `json:"displayName,omitempty"`
	PreferredLanguage *string `json:"preferredLanguage,omitempty"`
	Gender            *Gender `json:"gender,omitempty"`
}

// EmailChanged gives a human another address, which is not verified.
type EmailChanged struct {
	Email string `json:"email"`
}

// EmailVerified records that the e-mail address belongs to the user.
type EmailVerified struct{}

// PhoneChanged gives a human another number, which is not verified.
type PhoneChanged struct {
	Phone string `json:"phone"`
}

// PhoneVerified records that the telephone number belongs to the user.
type PhoneVerified struct{}

// PhoneRemoved takes the number away.
type PhoneRemoved struct{}

// PasswordChanged gives a human another password, or the first.
type PasswordChanged struct {
	PasswordHash   string `json:"encodedHash"`
	ChangeRequired bool   `json:"changeRequired"`
}

// CodeAdded is what all events say that a code was made for something; see [Code].
type CodeAdded struct {
	Sealed []byte        `json:"code"`
	Expiry time.Duration `json:"expiry"` // nanoseconds
	// Returned says that the caller was given the code, instead of the user being sent it.
	Returned bool `json:"codeReturned,omitempty"`
}

// EmailCodeAdded is a code with which the address is verified.
type EmailCodeAdded struct{ CodeAdded }

// PhoneCodeAdded is a code with which the number is verified.
type PhoneCodeAdded struct{ CodeAdded }

// PasswordCodeAdded is a code with which a password is set without the one before it.
type PasswordCodeAdded struct{ CodeAdded }

// InviteCodeAdded is a code with which an invited human shows who it is.
type InviteCodeAdded struct{ CodeAdded }

// EmailCheckFailed records a wrong code for the address.
type EmailCheckFailed struct{}

// PhoneCheckFailed records a wrong code for the number.
type PhoneCheckFailed struct{}

// PasswordCodeCheckFailed records a wrong code for a password.
type PasswordCodeCheckFailed struct{}

// InviteCheckFailed records a wrong code of an invitation.
type InviteCheckFailed struct{}

// InviteCheckSucceeded ends an invitation.
type InviteCheckSucceeded struct{}

// MFAInitSkipped records that a human has put off setting up a second factor.
type MFAInitSkipped struct{}

// MachineChanged changes what it names; what is nil stays.
type MachineChanged struct {
	Name            *string `json:"name,omitempty"`
	Description     *string `json:"description,omitempty"`
	AccessTokenType *string `json:"accessTokenType,omitempty"`
}

// SecretSet gives a machine another secret, or the first.
type SecretSet struct {
	Hash []byte `json:"hashedSecret"` // see vault.HashSecret
}

// SecretRemoved takes the secret away.
type SecretRemoved struct{}

// Deactivated makes a user inactive.
type Deactivated struct{}

// Reactivated makes an inactive user active.
type Reactivated struct{}

// Locked locks a user out.
type Locked struct{}

// Unlocked lets a locked user in again.
type Unlocked struct{}

// Impersonated records that somebody was given a token of the user (RFC 8693). It changes nothing.
type Impersonated struct {
	// Client is the client_id of the application that has asked for the token.
	Client string `json:"applicationId"`
	// Actor is who acts for the user.
	Actor Actor `json:"actor"`
}

// Actor is who acts for a user, and for whom it acted before.
type Actor struct {
	User   ident.UserID `json:"user_id"`
	Issuer string       `json:"issuer"`
	Actor  *Actor       `json:"actor,omitempty"`
}

// Removed ends a user.
type Removed struct{}

var payloads = []eventlog.Payload{
	HumanAdded{}, MachineAdded{}, NameChanged{}, ProfileChanged{}, MachineChanged{},
	EmailChanged{}, EmailVerified{}, PhoneChanged{}, PhoneVerified{}, PhoneRemoved{}, PasswordChanged{},
	EmailCodeAdded{}, PhoneCodeAdded{}, PasswordCodeAdded{}, InviteCodeAdded{},
	EmailCheckFailed{}, PhoneCheckFailed{}, PasswordCodeCheckFailed{}, InviteCheckFailed{}, InviteCheckSucceeded{},
	MFAInitSkipped{}, SecretSet{}, SecretRemoved{}, Deactivated{}, Reactivated{}, Locked{}, Unlocked{}, Impersonated{}, Removed{},
}

// EventType implements eventlog.Payload.
func (HumanAdded) EventType() string { return "user.human.added" }

// EventType implements eventlog.Payload.
func (MachineAdded) EventType() string { return "user.machine.added" }

// EventType implements eventlog.Payload.
func (NameChanged) EventType() string { return "user.username.changed" }

// EventType implements eventlog.Payload.
func (ProfileChanged) EventType() string { return "user.human.profile.changed" }

// EventType implements eventlog.Payload.
func (EmailChanged) EventType() string { return "user.human.email.changed" }

// EventType implements eventlog.Payload.
func (EmailVerified) EventType() string { return "user.human.email.verified" }

// EventType implements eventlog.Payload.
func (PhoneChanged) EventType() string { return "user.human.phone.changed" }

// EventType implements eventlog.Payload.
func (PhoneVerified) EventType() string { return "user.human.phone.verified" }

// EventType implements eventlog.Payload.
func (PhoneRemoved) EventType() string { return "user.human.phone.removed" }

// EventType implements eventlog.Payload.
func (PasswordChanged) EventType() string { return "user.human.password.changed" }

// EventType implements eventlog.Payload.
func (EmailCodeAdded) EventType() string { return "user.human.email.code.added" }

// EventType implements eventlog.Payload.
func (PhoneCodeAdded) EventType() string { return "user.human.phone.code.added" }

// EventType implements eventlog.Payload.
func (PasswordCodeAdded) EventType() string { return "user.human.password.code.added" }

// EventType implements eventlog.Payload.
func (InviteCodeAdded) EventType() string { return "user.human.invite.code.added" }

// EventType implements eventlog.Payload.
func (EmailCheckFailed) EventType() string { return "user.human.email.verification.failed" }

// EventType implements eventlog.Payload.
func (PhoneCheckFailed) EventType() string { return "user.human.phone.verification.failed" }

// EventType implements eventlog.Payload. The contract has no name for it.
func (PasswordCodeCheckFailed) EventType() string { return "user.human.password.code.check.failed" }

// EventType implements eventlog.Payload.
func (InviteCheckFailed) EventType() string { return "user.human.invite.check.failed" }

// EventType implements eventlog.Payload.
func (InviteCheckSucceeded) EventType() string { return "user.human.invite.check.succeeded" }

// EventType implements eventlog.Payload.
func (MFAInitSkipped) EventType() string { return "user.human.mfa.init.skipped" }

// EventType implements eventlog.Payload.
func (MachineChanged) EventType() string { return "user.machine.changed" }

// EventType implements eventlog.Payload.
func (SecretSet) EventType() string { return "user.machine.secret.set" }

// EventType implements eventlog.Payload.
func (SecretRemoved) EventType() string { return "user.machine.secret.removed" }

// EventType implements eventlog.Payload.
func (Deactivated) EventType() string { return "user.deactivated" }

// EventType implements eventlog.Payload.
func (Reactivated) EventType() string { return "user.reactivated" }

// EventType implements eventlog.Payload.
func (Locked) EventType() string { return "user.locked" }

// EventType implements eventlog.Payload.
func (Unlocked) EventType() string { return "user.unlocked" }

// EventType implements eventlog.Payload.
func (Impersonated) EventType() string { return "user.impersonated" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "user.removed" }
