package app

import (
	"slices"
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// NotFound is the fault of an application that does not exist, or that the caller may not know of.
var NotFound = fault.New(fault.NotFound, "QUERY-8cjj8ao6yY", "Errors.App.NotFound")

// The answers to what an application does not allow.
var (
	errTaken       = fault.New(fault.FailedPrecondition, "PROJECT-lxowmp", "Errors.Project.App.AlreadyExisting").WithViolation("application_id", "must be an id that was never used")
	errNameTaken   = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Project.App.AlreadyExists").WithViolation("name", "is already the name of an application of the project")
	errEntityTaken = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Project.App.SAMLEntityIDAlreadyExisting").WithViolation(fieldXML, "is of an entity that is already an application of the instance")
	errNotOIDC     = fault.New(fault.InvalidArgument, "COMMAND-GBr34", "Errors.Project.App.IsNotOIDC").WithViolation("oidc_configuration", "must not be given for another kind of application")
	errNotAPI      = fault.New(fault.InvalidArgument, "COMMAND-Gnwt3", "Errors.Project.App.IsNotAPI").WithViolation("api_configuration", "must not be given for another kind of application")
	errNotSAML     = fault.New(fault.InvalidArgument, "COMMAND-GBr35", "Errors.Project.App.IsNotSAML").WithViolation("saml_configuration", "must not be given for another kind of application")
	errNoSecret    = fault.New(fault.InvalidArgument, "APP-aLWIzw", "unknown app type").WithViolation("application_id", "must be of an OIDC or API application")
	errNotActive   = fault.New(fault.FailedPrecondition, "COMMAND-dsh35", "Errors.Project.App.NotActive").WithViolation("application_id", "must be of an active application")
	errNotInactive = fault.New(fault.FailedPrecondition, "COMMAND-1n8cM", "Errors.Project.App.NotInactive").WithViolation("application_id", "must be of an inactive application")
)

// New is the wish for an application. Exactly one of OIDC, API and SAML says what for.
type New struct {
	App     ident.AppID // empty: a new one
	Project ident.ProjectID
	Name    string
	OIDC    *OIDCConfig
	API     *AuthMethod
	SAML    *SAMLWish
}

// SAMLWish is the wish for a service provider: a document, or the URL of one.
type SAMLWish struct {
	Metadata []byte
	URL      string
	Login    Login
}

// Credentials are what is made for a new application.
type Credentials struct {
	App        ident.AppID
	ClientID   string
	SecretHash []byte // nil for one that has no secret
}

// NeedsSecret reports whether the application is to authenticate with a secret.
func (n New) NeedsSecret() bool {
	return n.OIDC != nil && n.OIDC.AuthMethod.NeedsSecret() || n.API != nil && n.API.NeedsSecret()
}

// Decide returns the events that begin the application. It returns PROJECT-1n8df for a name that is blank,
// and faults that name the fields for a configuration that no client could use.
func (n New) Decide(c Credentials) ([]eventlog.Payload, error) {
	name, err := nameOf(n.Name, "PROJECT-1n8df")
	if err != nil {
		return nil, err
	}
	added := Added{App: c.App, Project: n.Project, Name: name}
	switch {
	case n.OIDC != nil:
		config, wrong := n.OIDC.withDefaults().normal()
		if err := violations(wrong).refusal("PROJECT-1n8df", "Errors.Project.App.Invalid"); err != nil {
			return nil, err
		}
		return []eventlog.Payload{added, OIDCConfigAdded{App: c.App, ClientID: c.ClientID, SecretHash: c.SecretHash, OIDCConfig: config}}, nil
	case n.API != nil:
		if err := checkAPI(*n.API, "PROJECT-Bff2g", "Errors.Project.App.Invalid"); err != nil {
			return nil, err
		}
		return []eventlog.Payload{added, APIConfigAdded{App: c.App, ClientID: c.ClientID, AuthMethod: *n.API, SecretHash: c.SecretHash}}, nil
	case n.SAML != nil:
		config, err := n.SAML.config()
		if err != nil {
			return nil, err
		}
		return []eventlog.Payload{added, SAMLConfigAdded{App: c.App, SAMLConfig: config}}, nil
	}
	return nil, fault.Invalid("APP-0iiN46", "unknown app type", "application_type", "is needed")
}

// nameOf returns a name without blanks around it.
func nameOf(name, id string) (string, error) {
	if name = strings.TrimSpace(name); name == "" {
		return "", fault.Invalid(id, "Errors.Project.App.Invalid", "name", "must not be blank")
	}
	return name, nil
}

// checkAPI refuses a way to authenticate that APIs do not have.
func checkAPI(m AuthMethod, id, message string) error {
	if m == SecretBasic || m == PrivateKeyJWT {
		return nil
	}
	return fault.Invalid(id, message, "api_configuration.auth_method_type", "must be a value that is declared")
}

// config is the configuration of a new service provider.
func (w SAMLWish) config() (c SAMLConfig, err error) {
	if len(w.Metadata) == 0 && strings.TrimSpace(w.URL) == "" {
		return c, noMetadata.WithViolation(fieldXML, "is needed, unless metadata_url is given")
	}
	if c.SAMLMetadata, err = document(w.Metadata, w.URL, badMetadata); err != nil {
		return c, err
	}
	c.Login = w.Login
	return c, checkSAMLLogin(c.Login, "PROJECT-1n9df", "Errors.Project.App.Invalid")
}

func checkSAMLLogin(l Login, id, message string) error {
	var wrong violations
	wrong.login(l)
	for i := range wrong {
		wrong[i].Field = strings.Replace(wrong[i].Field, field, "saml_configuration.", 1)
	}
	return wrong.refusal(id, message)
}

// Change is the wish for a change. What is nil stays as it is.
type Change struct {
	Name *string
	OIDC *OIDCPatch
	API  *AuthMethod
	SAML *SAMLChange
}

// SAMLChange is a change of a service provider. Without a document and without a URL its metadata stay.
type SAMLChange struct {
	Metadata []byte
	URL      string
	Login    *Login
}

// Decide returns the events of what differs, or none when nothing does. It returns the fault of a
// configuration that is not of the kind of the application (COMMAND-GBr34, COMMAND-Gnwt3, COMMAND-GBr35),
// COMMAND-4m9vS for a name that is blank, and faults that name the fields for a configuration that no
// client could use.
func (c Change) Decide(s State) (events []eventlog.Payload, err error) {
	for _, part := range []func(State) ([]eventlog.Payload, error){c.name, c.oidc, c.api, c.saml} {
		more, err := part(s)
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	return events, nil
}

func (c Change) name(s State) ([]eventlog.Payload, error) {
	if c.Name == nil {
		return nil, nil
	}
	name, err := nameOf(*c.Name, "COMMAND-4m9vS")
	if err != nil || name == s.Name {
		return nil, err
	}
	return []eventlog.Payload{Changed{App: s.App(), Name: name}}, nil
}

func (c Change) oidc(s State) ([]eventlog.Payload, error) {
	if c.OIDC == nil {
		return nil, nil
	}
	if s.Kind != OIDC {
		return nil, errNotOIDC
	}
	config, wrong := c.OIDC.over(s.OIDC).normal()
	if err := violations(wrong).refusal("COMMAND-5m9fs", "Errors.Project.App.OIDCConfigInvalid"); err != nil {
		return nil, err
	}
	patch, differs := changeOf(s.OIDC, config)
	if !differs {
		return nil, nil
	}
	return []eventlog.Payload{OIDCConfigChanged{App: s.App(), OIDCPatch: patch}}, nil
}

func (c Change) api(s State) ([]eventlog.Payload, error) {
	if c.API == nil {
		return nil, nil
	}
	if s.Kind != API {
		return nil, errNotAPI
	}
	if err := checkAPI(*c.API, "COMMAND-1m900", "Errors.Project.App.APIConfigInvalid"); err != nil || *c.API == s.APIAuth {
		return nil, err
	}
	return []eventlog.Payload{APIConfigChanged{App: s.App(), AuthMethod: *c.API}}, nil
}

func (c Change) saml(s State) ([]eventlog.Payload, error) {
	if c.SAML == nil {
		return nil, nil
	}
	if s.Kind != SAML {
		return nil, errNotSAML
	}
	changed := SAMLConfigChanged{App: s.App()}
	if len(c.SAML.Metadata) > 0 || strings.TrimSpace(c.SAML.URL) != "" {
		m, err := document(c.SAML.Metadata, c.SAML.URL, badMetadataLate)
		if err != nil {
			return nil, err
		}
		if was := s.SAML.SAMLMetadata; m.URL != was.URL || !slices.Equal(m.Metadata, was.Metadata) {
			changed.SAMLMetadata = &m
		}
	}
	if c.SAML.Login != nil {
		if err := checkSAMLLogin(*c.SAML.Login, "COMMAND-5n9fs", "Errors.Project.App.SAMLConfigInvalid"); err != nil {
			return nil, err
		}
		changed.LoginPatch = loginChangeOf(s.SAML.Login, *c.SAML.Login)
	}
	if changed.SAMLMetadata == nil && changed.LoginPatch == (LoginPatch{}) {
		return nil, nil
	}
	return []eventlog.Payload{changed}, nil
}

// Deactivate is the wish that an application is of no use.
type Deactivate struct{}

// Decide returns the event. It returns COMMAND-dsh35 when the application is not active.
func (Deactivate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status != Active {
		return nil, errNotActive
	}
	return []eventlog.Payload{Deactivated{App: s.App()}}, nil
}

// Reactivate is the wish that an application is of use again.
type Reactivate struct{}

// Decide returns the event. It returns COMMAND-1n8cM when the application is active.
func (Reactivate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status != Inactive {
		return nil, errNotInactive
	}
	return []eventlog.Payload{Reactivated{App: s.App()}}, nil
}

// SetSecret is the wish for another secret, of which this is the hash. The one before is of no use from
// then on.
type SetSecret struct {
	Hash []byte
}

// Decide returns the event. It returns APP-aLWIzw for an application of SAML, which has none.
func (w SetSecret) Decide(s State) ([]eventlog.Payload, error) {
	switch s.Kind {
	case OIDC:
		return []eventlog.Payload{OIDCSecretChanged{App: s.App(), SecretHash: w.Hash}}, nil
	case API:
		return []eventlog.Payload{APISecretChanged{App: s.App(), SecretHash: w.Hash}}, nil
	}
	return nil, errNoSecret
}

// Remove is the wish that an application is no more. Its keys go with it, see [Service.Remove].
type Remove struct{}

// Decide returns the event.
func (Remove) Decide(s State) ([]eventlog.Payload, error) {
	return []eventlog.Payload{Removed{App: s.App()}}, nil
}
