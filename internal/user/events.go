package user

// HumanAdded begins a human user.
type HumanAdded struct {
	UserName          string `json:"userName"`
	FirstName         string `json:"firstName"`
	LastName          string `json:"lastName"`
	DisplayName       string `json:"displayName"`
	PreferredLanguage string `json:"preferredLanguage,omitempty"`
	Email             string `json:"email"`
	PasswordHash      string `json:"encodedHash,omitempty"`
	ChangeRequired    bool   `json:"changeRequired,omitempty"`
}

// EmailVerified records that the e-mail address belongs to the user.
type EmailVerified struct{}

// MachineAdded begins a machine user.
type MachineAdded struct {
	UserName string `json:"userName"`
	Name     string `json:"name"`
	// AccessTokenType is bearer (opaque) or jwt.
	AccessTokenType string `json:"accessTokenType"`
}

// EventType implements eventlog.Payload.
func (HumanAdded) EventType() string { return "user.human.added" }

// EventType implements eventlog.Payload.
func (EmailVerified) EventType() string { return "user.human.email.verified" }

// EventType implements eventlog.Payload.
func (MachineAdded) EventType() string { return "user.machine.added" }
