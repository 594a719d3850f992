package apps

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/app"
	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"

	applicationv2 "castellan/gen/zitadel/application/v2"
	filterv2 "castellan/gen/zitadel/filter/v2"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is the service on one database with instance 1, which has the domains a.example and b.example, and project p
// of organization o.
type fixture struct {
	*testing.T
	*Service
	log   *eventlog.Log
	clock *ident.ManualClock
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, clock: ident.NewManualClock(start)}
		f.log = eventlog.New(db, vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil), f.clock, instance.Noun, app.Noun, app.KeyNoun)
		f.Service = &Service{
			DB: db, Origin: func(domain string) string { return "https://" + domain },
			Apps: &app.Service{
				DB: db, Log: f.log, IDs: ident.NewSource(idgrant.New(db), f.clock), Clock: f.clock, Keys: oneKey{},
				Project: func(_ context.Context, _ store.Tx, _ ident.InstanceID, id ident.ProjectID) (ident.OrgID, error) {
					if id != "p" {
						return "", fault.New(fault.NotFound, "TEST-project", "no such project")
					}
					return "o", nil
				},
			},
		}
		f.must(f.log.Write(t.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			if err := w.Create(ctx); err != nil {
				return err
			}
			_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: "1", Owner: "1"}, instance.Added{Name: "ACME", Defaults: 1},
				instance.DomainAdded{Domain: "a.example"}, instance.DomainAdded{Domain: "b.example"}, instance.DomainPrimarySet{Domain: "a.example"})
			return err
		}))
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

// oneKey gives the same key to everybody; making one takes a while.
type oneKey struct{}

var theKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (oneKey) Take(context.Context) (*rsa.PrivateKey, error) { return theKey() }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// rights reach the same with every permission.
type rights call.Reach

func (r rights) Reach(string) call.Reach { return call.Reach(r) }
func (rights) User() ident.UserID        { return "ada" }
func (rights) Org() ident.OrgID          { return "o" }

// ctx is a call of the owner of the instance.
func (f *fixture) ctx() context.Context {
	return call.With(f.Context(), call.Call{Actor: "ada", Rights: rights{Instance: true}})
}

func (f *fixture) create(req *applicationv2.CreateApplicationRequest) *applicationv2.CreateApplicationResponse {
	f.Helper()
	req.ProjectId = "p"
	made, err := f.CreateApplication(f.ctx(), "1", req)
	f.must(err)
	return made
}

// is checks an application as it is shown.
func (f *fixture) is(want *applicationv2.Application) {
	f.Helper()
	got, err := f.GetApplication(f.ctx(), "1", &applicationv2.GetApplicationRequest{ApplicationId: want.GetApplicationId()})
	f.must(err)
	if diff := cmp.Diff(want, got.GetApplication(), protocmp.Transform()); diff != "" {
		f.Errorf("application (-want +got):\n%s", diff)
	}
}

// full says all there is to say.
func full() *applicationv2.CreateOIDCApplicationRequest {
	return &applicationv2.CreateOIDCApplicationRequest{
		RedirectUris: []string{"https://app.example/cb"}, PostLogoutRedirectUris: []string{"https://app.example/bye"},
		ResponseTypes: []applicationv2.OIDCResponseType{
			applicationv2.OIDCResponseType_OIDC_RESPONSE_TYPE_CODE, applicationv2.OIDCResponseType_OIDC_RESPONSE_TYPE_ID_TOKEN,
			applicationv2.OIDCResponseType_OIDC_RESPONSE_TYPE_ID_TOKEN_TOKEN,
		},
		GrantTypes: []applicationv2.OIDCGrantType{
			applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_AUTHORIZATION_CODE, applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_IMPLICIT,
			applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_REFRESH_TOKEN, applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_DEVICE_CODE,
			applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_TOKEN_EXCHANGE,
		},
		ApplicationType: applicationv2.OIDCApplicationType_OIDC_APP_TYPE_WEB,
		AuthMethodType:  applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_POST,
		DevelopmentMode: true, AccessTokenType: applicationv2.OIDCTokenType_OIDC_TOKEN_TYPE_JWT, AccessTokenRoleAssertion: true,
		IdTokenRoleAssertion: true, IdTokenUserinfoAssertion: true, ClockSkew: durationpb.New(time.Second),
		AdditionalOrigins: []string{"https://spa.example"}, SkipNativeAppSuccessPage: true, BackChannelLogoutUri: "https://app.example/logout",
		LoginVersion: loginV2("https://login.example"),
	}
}

func loginV2(at string) *applicationv2.LoginVersion {
	return &applicationv2.LoginVersion{Version: &applicationv2.LoginVersion_LoginV2{LoginV2: &applicationv2.LoginV2{BaseUri: &at}}}
}

// What is configured is shown, field by field, and so is what a change leaves.
func TestOIDC(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		made := f.create(&applicationv2.CreateApplicationRequest{
			Name: "Shop", ApplicationType: &applicationv2.CreateApplicationRequest_OidcConfiguration{OidcConfiguration: full()},
		})
		if o := made.GetOidcConfiguration(); len(o.GetClientSecret()) != 64 || o.GetClientId() == "" || o.GetNonCompliant() {
			f.Errorf("made %v", made)
		}
		c := full()
		config := &applicationv2.OIDCConfiguration{
			RedirectUris: c.GetRedirectUris(), ResponseTypes: c.GetResponseTypes(), GrantTypes: c.GetGrantTypes(), ApplicationType: c.GetApplicationType(),
			ClientId: made.GetOidcConfiguration().GetClientId(), AuthMethodType: c.GetAuthMethodType(), PostLogoutRedirectUris: c.GetPostLogoutRedirectUris(),
			DevelopmentMode: true, AccessTokenType: c.GetAccessTokenType(), AccessTokenRoleAssertion: true, IdTokenRoleAssertion: true,
			IdTokenUserinfoAssertion: true, ClockSkew: c.GetClockSkew(), AdditionalOrigins: c.GetAdditionalOrigins(),
			AllowedOrigins: []string{"https://app.example", "https://spa.example"}, SkipNativeAppSuccessPage: true,
			BackChannelLogoutUri: c.GetBackChannelLogoutUri(), LoginVersion: c.GetLoginVersion(),
		}
		want := &applicationv2.Application{
			ApplicationId: made.GetApplicationId(), ProjectId: "p", Name: "Shop", State: applicationv2.ApplicationState_APPLICATION_STATE_ACTIVE,
			CreationDate: timestamppb.New(start), ChangeDate: timestamppb.New(start),
			Configuration: &applicationv2.Application_OidcConfiguration{OidcConfiguration: config},
		}
		f.is(want)

		f.clock.Advance(time.Minute)
		update := &applicationv2.UpdateOIDCApplicationConfigurationRequest{
			RedirectUris: []string{"app:/cb"}, PostLogoutRedirectUris: []string{"app:/bye"},
			ResponseTypes:   []applicationv2.OIDCResponseType{applicationv2.OIDCResponseType_OIDC_RESPONSE_TYPE_CODE},
			GrantTypes:      []applicationv2.OIDCGrantType{applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_AUTHORIZATION_CODE},
			ApplicationType: applicationv2.OIDCApplicationType_OIDC_APP_TYPE_NATIVE.Enum(),
			AuthMethodType:  applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT.Enum(),
			DevelopmentMode: new(bool), AccessTokenType: applicationv2.OIDCTokenType_OIDC_TOKEN_TYPE_BEARER.Enum(), AccessTokenRoleAssertion: new(bool),
			IdTokenRoleAssertion: new(bool), IdTokenUserinfoAssertion: new(bool), ClockSkew: durationpb.New(0),
			AdditionalOrigins: []string{"https://other.example"}, SkipNativeAppSuccessPage: new(bool), BackChannelLogoutUri: proto.String(""),
			LoginVersion: &applicationv2.LoginVersion{Version: &applicationv2.LoginVersion_LoginV1{LoginV1: &applicationv2.LoginV1{}}},
		}
		changed, err := f.UpdateApplication(f.ctx(), "1", &applicationv2.UpdateApplicationRequest{
			ApplicationId: made.GetApplicationId(), ProjectId: "p", Name: "Store",
			ApplicationType: &applicationv2.UpdateApplicationRequest_OidcConfiguration{OidcConfiguration: update},
		})
		f.must(err)
		want.Name, want.ChangeDate = "Store", changed.GetChangeDate()
		config.RedirectUris, config.PostLogoutRedirectUris = update.GetRedirectUris(), update.GetPostLogoutRedirectUris()
		config.ResponseTypes, config.GrantTypes = update.GetResponseTypes(), update.GetGrantTypes()
		config.ApplicationType, config.AuthMethodType = update.GetApplicationType(), update.GetAuthMethodType()
		config.DevelopmentMode, config.AccessTokenType, config.AccessTokenRoleAssertion = false, update.GetAccessTokenType(), false
		config.IdTokenRoleAssertion, config.IdTokenUserinfoAssertion, config.ClockSkew = false, false, update.GetClockSkew()
		config.AdditionalOrigins, config.AllowedOrigins = update.GetAdditionalOrigins(), update.GetAdditionalOrigins()
		config.SkipNativeAppSuccessPage, config.BackChannelLogoutUri, config.LoginVersion = false, "", update.GetLoginVersion()
		config.NonCompliant, config.ComplianceProblems = true, []*applicationv2.OIDCLocalizedMessage{
			{Key: string(app.NotCompliant), LocalizedMessage: app.NotCompliant.Text()},
			{Key: string(app.NativeWithoutSecret), LocalizedMessage: app.NativeWithoutSecret.Text()},
		}
		f.is(want)
		if !changed.GetChangeDate().AsTime().Equal(start.Add(time.Minute)) {
			f.Errorf("changed at %v", changed.GetChangeDate())
		}

		nothing := &applicationv2.UpdateOIDCApplicationConfigurationRequest{}
		_, err = f.UpdateApplication(f.ctx(), "1", &applicationv2.UpdateApplicationRequest{
			ApplicationId: made.GetApplicationId(), ProjectId: "p",
			ApplicationType: &applicationv2.UpdateApplicationRequest_OidcConfiguration{OidcConfiguration: nothing},
		})
		f.must(err)
		f.is(want) // what is left out stays
	})
}

func TestAPI(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		made := f.create(&applicationv2.CreateApplicationRequest{
			Name: "Stock", ApplicationId: " stock ", ApplicationType: &applicationv2.CreateApplicationRequest_ApiConfiguration{
				ApiConfiguration: &applicationv2.CreateAPIApplicationRequest{},
			},
		})
		first := made.GetApiConfiguration().GetClientSecret()
		if made.GetApplicationId() != "stock" || len(first) != 64 || !made.GetCreationDate().AsTime().Equal(start) {
			f.Errorf("made %v", made)
		}
		name := &applicationv2.UpdateApplicationRequest{ApplicationId: "stock", ProjectId: "p"}
		secret, err := f.GenerateClientSecret(f.ctx(), "1", &applicationv2.GenerateClientSecretRequest{ApplicationId: "stock", ProjectId: "p"})
		f.must(err)
		if len(secret.GetClientSecret()) != 64 || secret.GetClientSecret() == first || secret.GetCreationDate() == nil {
			f.Error("the secret is not another one")
		}
		off, err := f.DeactivateApplication(f.ctx(), "1", &applicationv2.DeactivateApplicationRequest{ApplicationId: "stock", ProjectId: "p"})
		f.must(err)
		want := &applicationv2.Application{
			ApplicationId: "stock", ProjectId: "p", Name: "Stock", State: applicationv2.ApplicationState_APPLICATION_STATE_INACTIVE,
			CreationDate: timestamppb.New(start), ChangeDate: timestamppb.New(start),
			Configuration: &applicationv2.Application_ApiConfiguration{ApiConfiguration: &applicationv2.APIConfiguration{
				ClientId: made.GetApiConfiguration().GetClientId(),
			}},
		}
		f.is(want)
		on, err := f.ReactivateApplication(f.ctx(), "1", &applicationv2.ReactivateApplicationRequest{ApplicationId: "stock", ProjectId: "p"})
		f.must(err)
		want.State = applicationv2.ApplicationState_APPLICATION_STATE_ACTIVE
		f.is(want)
		name.ApplicationType = &applicationv2.UpdateApplicationRequest_ApiConfiguration{ApiConfiguration: &applicationv2.UpdateAPIApplicationConfigurationRequest{
			AuthMethodType: applicationv2.APIAuthMethodType_API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT,
		}}
		_, err = f.UpdateApplication(f.ctx(), "1", name)
		f.must(err)
		want.GetApiConfiguration().AuthMethodType = applicationv2.APIAuthMethodType_API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT
		f.is(want)
		gone, err := f.DeleteApplication(f.ctx(), "1", &applicationv2.DeleteApplicationRequest{ApplicationId: "stock", ProjectId: "p"})
		f.must(err)
		for _, at := range []*timestamppb.Timestamp{off.GetDeactivationDate(), on.GetReactivationDate(), gone.GetDeletionDate()} {
			if !at.AsTime().Equal(start) {
				f.Errorf("done at %v", at)
			}
		}
		if _, err := f.UpdateApplication(f.ctx(), "1", name); !errors.Is(err, app.NotFound) {
			f.Errorf("changed one that is gone: %v", err)
		}
	})
}

func TestSAML(t *testing.T) {
	const doc = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://sp.example"/>`
	eachEngine(t, func(f *fixture) {
		made := f.create(&applicationv2.CreateApplicationRequest{
			Name: "HR", ApplicationType: &applicationv2.CreateApplicationRequest_SamlConfiguration{SamlConfiguration: &applicationv2.CreateSAMLApplicationRequest{
				Metadata: &applicationv2.CreateSAMLApplicationRequest_MetadataXml{MetadataXml: []byte(doc)}, LoginVersion: loginV2(""),
			}},
		})
		if made.GetSamlConfiguration() == nil {
			f.Errorf("made %v", made)
		}
		config := &applicationv2.SAMLConfiguration{
			MetadataXml:  []byte(doc),
			LoginVersion: &applicationv2.LoginVersion{Version: &applicationv2.LoginVersion_LoginV2{LoginV2: &applicationv2.LoginV2{}}},
		}
		want := &applicationv2.Application{
			ApplicationId: made.GetApplicationId(), ProjectId: "p", Name: "HR", State: applicationv2.ApplicationState_APPLICATION_STATE_ACTIVE,
			CreationDate: timestamppb.New(start), ChangeDate: timestamppb.New(start),
			Configuration: &applicationv2.Application_SamlConfiguration{SamlConfiguration: config},
		}
		f.is(want)
		for _, c := range []*applicationv2.UpdateSAMLApplicationConfigurationRequest{
			{Metadata: &applicationv2.UpdateSAMLApplicationConfigurationRequest_MetadataUrl{MetadataUrl: "https://sp.example/md"}},
			{LoginVersion: &applicationv2.LoginVersion{}},
		} {
			_, err := f.UpdateApplication(f.ctx(), "1", &applicationv2.UpdateApplicationRequest{
				ApplicationId: made.GetApplicationId(), ProjectId: "p",
				ApplicationType: &applicationv2.UpdateApplicationRequest_SamlConfiguration{SamlConfiguration: c},
			})
			f.must(err)
		}
		config.MetadataXml, config.MetadataUrl, config.LoginVersion = nil, "https://sp.example/md", nil
		f.is(want)
	})
}

// The console is shown with where people come back to it: at each domain of the instance.
func TestConsole(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.must(f.log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			add := app.Add{App: "c", Project: "p", Name: "Management Console", ClientID: "9", Console: true}
			_, err := eventlog.Begin(ctx, w, app.Noun, eventlog.Origin{ID: "c", Owner: "o"}, add.Decide()...)
			return err
		}))
		f.is(&applicationv2.Application{
			ApplicationId: "c", ProjectId: "p", Name: "Management Console", State: applicationv2.ApplicationState_APPLICATION_STATE_ACTIVE,
			CreationDate: timestamppb.New(start), ChangeDate: timestamppb.New(start),
			Configuration: &applicationv2.Application_OidcConfiguration{OidcConfiguration: &applicationv2.OIDCConfiguration{
				ClientId: "9", ApplicationType: applicationv2.OIDCApplicationType_OIDC_APP_TYPE_USER_AGENT,
				AuthMethodType:         applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_NONE,
				RedirectUris:           []string{"https://a.example/ui/console/auth/callback", "https://b.example/ui/console/auth/callback"},
				PostLogoutRedirectUris: []string{"https://a.example/ui/console/signedout", "https://b.example/ui/console/signedout"},
				ResponseTypes:          []applicationv2.OIDCResponseType{applicationv2.OIDCResponseType_OIDC_RESPONSE_TYPE_CODE},
				GrantTypes:             []applicationv2.OIDCGrantType{applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_AUTHORIZATION_CODE},
				ClockSkew:              durationpb.New(0), AllowedOrigins: []string{"https://a.example", "https://b.example"},
			}},
		})
	})
}

func TestKeys(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create(&applicationv2.CreateApplicationRequest{
			Name: "Stock", ApplicationId: "stock", ApplicationType: &applicationv2.CreateApplicationRequest_ApiConfiguration{
				ApiConfiguration: &applicationv2.CreateAPIApplicationRequest{AuthMethodType: applicationv2.APIAuthMethodType_API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT},
			},
		})
		later := timestamppb.New(start.Add(time.Hour))
		made, err := f.CreateApplicationKey(f.ctx(), "1", &applicationv2.CreateApplicationKeyRequest{ApplicationId: "stock", ProjectId: "p", ExpirationDate: later})
		f.must(err)
		var file struct{ Type, KeyID, AppID string }
		f.must(json.Unmarshal(made.GetKeyDetails(), &file))
		if file.Type != "application" || file.KeyID != made.GetKeyId() || file.AppID != "stock" {
			f.Errorf("file %+v", file)
		}
		got, err := f.GetApplicationKey(f.ctx(), "1", &applicationv2.GetApplicationKeyRequest{KeyId: made.GetKeyId()})
		f.must(err)
		want := &applicationv2.GetApplicationKeyResponse{KeyId: made.GetKeyId(), CreationDate: timestamppb.New(start), ExpirationDate: later}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			f.Errorf("key (-want +got):\n%s", diff)
		}
		bad := &timestamppb.Timestamp{Nanos: -1}
		_, err = f.CreateApplicationKey(f.ctx(), "1", &applicationv2.CreateApplicationKeyRequest{ApplicationId: "stock", ProjectId: "p", ExpirationDate: bad})
		logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.InvalidArgument, ID: "DOMAIN-dv3t5", Fields: []string{"expiration_date"}})
		for by, column := range applicationv2.ApplicationKeysSorting_name {
			for filter, total := range map[*applicationv2.ApplicationKeySearchFilter]uint64{
				{Filter: &applicationv2.ApplicationKeySearchFilter_ApplicationIdFilter{ApplicationIdFilter: &applicationv2.ApplicationKeyApplicationIDFilter{ApplicationId: "stock"}}}:   1,
				{Filter: &applicationv2.ApplicationKeySearchFilter_ProjectIdFilter{ProjectIdFilter: &applicationv2.ApplicationKeyProjectIDFilter{ProjectId: "p"}}}:                       1,
				{Filter: &applicationv2.ApplicationKeySearchFilter_OrganizationIdFilter{OrganizationIdFilter: &applicationv2.ApplicationKeyOrganizationIDFilter{OrganizationId: "404"}}}: 0,
			} {
				all, err := f.ListApplicationKeys(f.ctx(), "1", &applicationv2.ListApplicationKeysRequest{
					Filters: []*applicationv2.ApplicationKeySearchFilter{filter}, SortingColumn: applicationv2.ApplicationKeysSorting(by),
				})
				f.must(err)
				if all.GetPagination().GetTotalResult() != total {
					f.Errorf("%s, %v: %v", column, filter, all)
				}
				for _, k := range all.GetKeys() {
					want := &applicationv2.ApplicationKey{
						KeyId: made.GetKeyId(), ApplicationId: "stock", ProjectId: "p", OrganizationId: "o", CreationDate: timestamppb.New(start), ExpirationDate: later,
					}
					if diff := cmp.Diff(want, k, protocmp.Transform()); diff != "" {
						f.Errorf("key (-want +got):\n%s", diff)
					}
				}
			}
		}
		_, err = f.DeleteApplicationKey(f.ctx(), "1", &applicationv2.DeleteApplicationKeyRequest{ApplicationId: "stock", ProjectId: "p", KeyId: made.GetKeyId()})
		f.must(err)
		if _, err := f.GetApplicationKey(f.ctx(), "1", &applicationv2.GetApplicationKeyRequest{KeyId: made.GetKeyId()}); !errors.Is(err, app.KeyNotFound) {
			f.Errorf("shown although it is gone: %v", err)
		}
	})
}

func TestList(t *testing.T) {
	const doc = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://sp.example"/>`
	eachEngine(t, func(f *fixture) {
		f.create(&applicationv2.CreateApplicationRequest{Name: "a", ApplicationId: "1", ApplicationType: &applicationv2.CreateApplicationRequest_ApiConfiguration{}})
		oidc := f.create(&applicationv2.CreateApplicationRequest{Name: "B", ApplicationId: "2", ApplicationType: &applicationv2.CreateApplicationRequest_OidcConfiguration{}})
		f.create(&applicationv2.CreateApplicationRequest{Name: "c", ApplicationId: "3", ApplicationType: &applicationv2.CreateApplicationRequest_SamlConfiguration{
			SamlConfiguration: &applicationv2.CreateSAMLApplicationRequest{Metadata: &applicationv2.CreateSAMLApplicationRequest_MetadataXml{MetadataXml: []byte(doc)}},
		}})
		_, err := f.DeactivateApplication(f.ctx(), "1", &applicationv2.DeactivateApplicationRequest{ApplicationId: "3", ProjectId: "p"})
		f.must(err)
		type filter = applicationv2.ApplicationSearchFilter
		for name, c := range map[string]struct {
			filter *filter
			want   string
		}{
			"project": {&filter{Filter: &applicationv2.ApplicationSearchFilter_ProjectIdFilter{ProjectIdFilter: &applicationv2.ProjectIDFilter{ProjectId: "p"}}}, "1 2 3"},
			"name": {&filter{Filter: &applicationv2.ApplicationSearchFilter_NameFilter{NameFilter: &applicationv2.ApplicationNameFilter{
				Name: "b", Method: filterv2.TextFilterMethod_TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE,
			}}}, "2"},
			"active":    {&filter{Filter: &applicationv2.ApplicationSearchFilter_StateFilter{StateFilter: applicationv2.ApplicationState_APPLICATION_STATE_ACTIVE}}, "1 2"},
			"inactive":  {&filter{Filter: &applicationv2.ApplicationSearchFilter_StateFilter{StateFilter: applicationv2.ApplicationState_APPLICATION_STATE_INACTIVE}}, "3"},
			"removed":   {&filter{Filter: &applicationv2.ApplicationSearchFilter_StateFilter{StateFilter: applicationv2.ApplicationState_APPLICATION_STATE_REMOVED}}, ""},
			"OIDC":      {&filter{Filter: &applicationv2.ApplicationSearchFilter_TypeFilter{TypeFilter: applicationv2.ApplicationType_APPLICATION_TYPE_OIDC}}, "2"},
			"API":       {&filter{Filter: &applicationv2.ApplicationSearchFilter_TypeFilter{TypeFilter: applicationv2.ApplicationType_APPLICATION_TYPE_API}}, "1"},
			"SAML":      {&filter{Filter: &applicationv2.ApplicationSearchFilter_TypeFilter{TypeFilter: applicationv2.ApplicationType_APPLICATION_TYPE_SAML}}, "3"},
			"client id": {&filter{Filter: &applicationv2.ApplicationSearchFilter_ClientIdFilter{ClientIdFilter: &applicationv2.ClientIDFilter{ClientId: oidc.GetOidcConfiguration().GetClientId()}}}, "2"},
			"entity id": {&filter{Filter: &applicationv2.ApplicationSearchFilter_EntityIdFilter{EntityIdFilter: &applicationv2.EntityIDFilter{EntityId: "https://sp.example"}}}, "3"},
		} {
			for by := range applicationv2.ApplicationSorting_name {
				answer, err := f.ListApplications(f.ctx(), "1", &applicationv2.ListApplicationsRequest{
					Filters: []*filter{c.filter}, SortingColumn: applicationv2.ApplicationSorting(by), Pagination: &filterv2.PaginationRequest{Asc: true},
				})
				f.must(err)
				var ids []string
				for _, a := range answer.GetApplications() {
					ids = append(ids, a.GetApplicationId())
				}
				got := strings.Join(ids, " ")
				if by == 0 && got != c.want || len(got) != len(c.want) || int(answer.GetPagination().GetTotalResult()) != len(ids) {
					f.Errorf("%s by %d: %q, want %q", name, by, got, c.want)
				}
			}
		}
		unseen := call.With(f.Context(), call.Call{Rights: rights{Projects: []ident.ProjectID{"q"}}})
		if all, err := f.ListApplications(unseen, "1", &applicationv2.ListApplicationsRequest{}); err != nil || len(all.GetApplications()) > 0 || all.GetPagination().GetTotalResult() > 0 {
			f.Errorf("who may see others sees %v, %v", all, err)
		}
		if all, err := f.ListApplicationKeys(unseen, "1", &applicationv2.ListApplicationKeysRequest{}); err != nil || len(all.GetKeys()) > 0 {
			f.Errorf("who may see others sees %v, %v", all, err)
		}
	})
}

func TestListRefuses(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		large := &filterv2.PaginationRequest{Limit: 1001}
		_, apps := f.ListApplications(f.ctx(), "1", &applicationv2.ListApplicationsRequest{Pagination: large})
		_, keys := f.ListApplicationKeys(f.ctx(), "1", &applicationv2.ListApplicationKeysRequest{Pagination: large})
		for _, err := range []error{apps, keys} {
			logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.InvalidArgument, ID: "QUERY-4M0fs", Fields: []string{"pagination.limit"}})
		}
		const many = search.MaxConditions + 1
		_, apps = f.ListApplications(f.ctx(), "1", &applicationv2.ListApplicationsRequest{Filters: make([]*applicationv2.ApplicationSearchFilter, many)})
		_, keys = f.ListApplicationKeys(f.ctx(), "1", &applicationv2.ListApplicationKeysRequest{Filters: make([]*applicationv2.ApplicationKeySearchFilter, many)})
		for _, err := range []error{apps, keys} {
			logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.InvalidArgument, ID: "SEARCH-max01", Fields: []string{"filters"}})
		}
	})
}
