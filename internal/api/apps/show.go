package apps

import (
	"context"
	"slices"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/app"
	"castellan/internal/ident"
	"castellan/internal/instance"

	applicationv2 "castellan/gen/zitadel/application/v2"
)

// show shows applications.
func (s *Service) show(ctx context.Context, at ident.InstanceID, all []app.State) ([]*applicationv2.Application, error) {
	if slices.ContainsFunc(all, func(one app.State) bool { return one.Console }) {
		if err := s.completeConsole(ctx, at, all); err != nil {
			return nil, err
		}
	}
	shown := make([]*applicationv2.Application, len(all))
	for i, one := range all {
		shown[i] = &applicationv2.Application{
			ApplicationId: one.ID, ProjectId: string(one.Project), Name: one.Name, State: stateOf(one.Status),
			CreationDate: timestamppb.New(one.CreatedAt), ChangeDate: timestamppb.New(one.ChangedAt),
		}
		switch one.Kind {
		case app.OIDC:
			shown[i].Configuration = &applicationv2.Application_OidcConfiguration{OidcConfiguration: oidcOf(one)}
		case app.API:
			shown[i].Configuration = &applicationv2.Application_ApiConfiguration{ApiConfiguration: &applicationv2.APIConfiguration{
				ClientId: one.ClientID, AuthMethodType: value[applicationv2.APIAuthMethodType](apiMethods, one.APIAuth),
			}}
		case app.SAML:
			shown[i].Configuration = &applicationv2.Application_SamlConfiguration{SamlConfiguration: &applicationv2.SAMLConfiguration{
				MetadataXml: one.SAML.Metadata, MetadataUrl: one.SAML.URL, LoginVersion: showLogin(one.SAML.Login),
			}}
		}
	}
	return shown, nil
}

// The paths of the console to which people are sent (contract section 1.4).
const (
	consoleSignedIn  = "/ui/console/auth/callback"
	consoleSignedOut = "/ui/console/signedout"
)

// completeConsole gives the console among some applications its redirect URIs, which follow from the
// domains of the instance.
func (s *Service) completeConsole(ctx context.Context, at ident.InstanceID, all []app.State) error {
	of, err := instance.Get(ctx, s.DB, at)
	if err != nil {
		return err
	}
	for i := range all {
		for _, d := range of.Domains {
			if c := &all[i].OIDC; all[i].Console {
				c.RedirectURIs = append(c.RedirectURIs, s.Origin(d.Name)+consoleSignedIn)
				c.PostLogoutRedirectURIs = append(c.PostLogoutRedirectURIs, s.Origin(d.Name)+consoleSignedOut)
			}
		}
	}
	return nil
}

func stateOf(s app.Status) applicationv2.ApplicationState {
	if s == app.Inactive {
		return applicationv2.ApplicationState_APPLICATION_STATE_INACTIVE
	}
	return applicationv2.ApplicationState_APPLICATION_STATE_ACTIVE
}

// oidcOf shows how an application signs people in.
func oidcOf(s app.State) *applicationv2.OIDCConfiguration {
	c := s.OIDC
	problems := problemsOf(c)
	return &applicationv2.OIDCConfiguration{
		RedirectUris:             c.RedirectURIs,
		ResponseTypes:            values[applicationv2.OIDCResponseType](responseTypes, c.ResponseTypes),
		GrantTypes:               values[applicationv2.OIDCGrantType](grantTypes, c.GrantTypes),
		ApplicationType:          value[applicationv2.OIDCApplicationType](applicationTypes, c.Type),
		ClientId:                 s.ClientID,
		AuthMethodType:           value[applicationv2.OIDCAuthMethodType](oidcMethods, c.AuthMethod),
		PostLogoutRedirectUris:   c.PostLogoutRedirectURIs,
		Version:                  applicationv2.OIDCVersion_OIDC_VERSION_1_0,
		NonCompliant:             len(problems) > 0,
		ComplianceProblems:       problems,
		DevelopmentMode:          c.DevMode,
		AccessTokenType:          value[applicationv2.OIDCTokenType](tokenTypes, c.AccessTokenType),
		AccessTokenRoleAssertion: c.AccessTokenRoles,
		IdTokenRoleAssertion:     c.IDTokenRoles,
		IdTokenUserinfoAssertion: c.IDTokenUserinfo,
		ClockSkew:                durationpb.New(c.ClockSkew),
		AdditionalOrigins:        c.AdditionalOrigins,
		AllowedOrigins:           c.AllowedOrigins(),
		SkipNativeAppSuccessPage: c.SkipNativeAppSuccessPage,
		BackChannelLogoutUri:     c.BackChannelLogoutURI,
		LoginVersion:             showLogin(c.Login),
	}
}

// problemsOf says in what a configuration differs from what the specifications advise.
func problemsOf(c app.OIDCConfig) []*applicationv2.OIDCLocalizedMessage {
	var shown []*applicationv2.OIDCLocalizedMessage
	for _, p := range c.Problems() {
		shown = append(shown, &applicationv2.OIDCLocalizedMessage{Key: string(p), LocalizedMessage: p.Text()})
	}
	return shown
}

// showLogin shows which login pages are wanted; nil: those of the instance.
func showLogin(l app.Login) *applicationv2.LoginVersion {
	switch l.Version {
	case app.LoginV1:
		return &applicationv2.LoginVersion{Version: &applicationv2.LoginVersion_LoginV1{LoginV1: &applicationv2.LoginV1{}}}
	case app.LoginV2:
		v2 := &applicationv2.LoginV2{}
		if l.BaseURI != "" {
			v2.BaseUri = &l.BaseURI
		}
		return &applicationv2.LoginVersion{Version: &applicationv2.LoginVersion_LoginV2{LoginV2: v2}}
	}
	return nil
}

// value returns the value of the interface for a term.
func value[V ~int32, T ~string](terms []T, t T) V { return V(max(slices.Index(terms, t), 0)) }

// values returns the values for terms.
func values[V ~int32, T ~string](terms []T, of []T) []V {
	var all []V
	for _, t := range of {
		all = append(all, value[V](terms, t))
	}
	return all
}
