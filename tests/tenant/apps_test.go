package tenant_test

import (
	"encoding/json"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/tests/kit"

	applicationv2 "castellan/gen/zitadel/application/v2"
	filterv2 "castellan/gen/zitadel/filter/v2"
)

const applicationAPI = "zitadel.application.v2.ApplicationService/"

// ownProject is the project an instance begins with.
func (x *tenant) ownProject() string {
	x.Helper()
	return kit.Column[string](x, x.Node.DB(), `SELECT iam_project_id FROM instances WHERE instance_id = $1`, x.ID)[0]
}

// skipsREST reports whether a method has no path in REST, in which x calls.
func (x *tenant) skipsREST(method string) bool { return !x.Wire.Serves(method) }

func webClient() *applicationv2.CreateApplicationRequest_OidcConfiguration {
	return &applicationv2.CreateApplicationRequest_OidcConfiguration{OidcConfiguration: &applicationv2.CreateOIDCApplicationRequest{
		RedirectUris:    []string{"http://app.example/callback"},
		ApplicationType: applicationv2.OIDCApplicationType_OIDC_APP_TYPE_USER_AGENT,
	}}
}

// when leaves out of a comparison what the time of a test decides.
var when = protocmp.IgnoreFields(&applicationv2.Application{}, "creation_date", "change_date")

// An application is made, looked at, changed, switched off and on, and removed; each call leaves its event.
func TestApplication(t *testing.T) {
	eachWire(t, func(x *tenant) {
		if x.skipsREST(applicationAPI + "CreateApplication") {
			return
		}
		project := x.ownProject()
		var made applicationv2.CreateApplicationResponse
		x.write(applicationAPI+"CreateApplication", &applicationv2.CreateApplicationRequest{
			ProjectId: project, Name: "Shop", ApplicationType: webClient(),
		}, &made, []string{"project.application.added", "project.application.config.oidc.added"})
		id, client := made.GetApplicationId(), made.GetOidcConfiguration()
		problems := client.GetComplianceProblems()
		if client.GetClientId() == "" || len(client.GetClientSecret()) != 64 || !client.GetNonCompliant() ||
			problems[0].GetKey() != "Application.OIDC.V1.NotCompliant" || problems[0].GetLocalizedMessage() == "" {
			x.Errorf("made %v", &made)
		}
		var got applicationv2.GetApplicationResponse
		x.read(applicationAPI+"GetApplication", &applicationv2.GetApplicationRequest{ApplicationId: id}, &got)
		if c := got.GetApplication().GetOidcConfiguration(); c.GetClientId() != client.GetClientId() || len(c.GetComplianceProblems()) != len(problems) ||
			got.GetApplication().GetState() != applicationv2.ApplicationState_APPLICATION_STATE_ACTIVE || got.GetApplication().GetProjectId() != project {
			x.Errorf("got %v", &got)
		}
		update := &applicationv2.UpdateApplicationRequest{
			ApplicationId: id, ProjectId: project, Name: "Store",
			ApplicationType: &applicationv2.UpdateApplicationRequest_OidcConfiguration{
				OidcConfiguration: &applicationv2.UpdateOIDCApplicationConfigurationRequest{
					RedirectUris:   []string{"https://app.example/callback"},
					AuthMethodType: applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_NONE.Enum(), AccessTokenRoleAssertion: proto.Bool(true),
				},
			},
		}
		var changed applicationv2.UpdateApplicationResponse
		x.write(applicationAPI+"UpdateApplication", update, &changed, []string{"project.application.changed", "project.application.config.oidc.changed"})
		x.read(applicationAPI+"UpdateApplication", update, &changed) // the same again changes nothing
		want := got.GetApplication()
		want.Name = "Store"
		c := want.GetOidcConfiguration()
		c.RedirectUris, c.AuthMethodType, c.AccessTokenRoleAssertion = []string{"https://app.example/callback"}, applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_NONE, true
		c.NonCompliant, c.ComplianceProblems, c.AllowedOrigins = false, nil, []string{"https://app.example"}
		x.isApplication(want)

		named := func(into proto.Message) proto.Message {
			m := into.ProtoReflect()
			m.Set(m.Descriptor().Fields().ByName("application_id"), protoreflect.ValueOfString(id))
			m.Set(m.Descriptor().Fields().ByName("project_id"), protoreflect.ValueOfString(project))
			return into
		}
		off := named(&applicationv2.DeactivateApplicationRequest{})
		x.write(applicationAPI+"DeactivateApplication", off, &applicationv2.DeactivateApplicationResponse{}, []string{"project.application.deactivated"})
		x.refused(applicationAPI+"DeactivateApplication", off, codes.FailedPrecondition, "COMMAND-dsh35")
		want.State = applicationv2.ApplicationState_APPLICATION_STATE_INACTIVE
		x.isApplication(want)
		on := named(&applicationv2.ReactivateApplicationRequest{})
		x.write(applicationAPI+"ReactivateApplication", on, &applicationv2.ReactivateApplicationResponse{}, []string{"project.application.reactivated"})
		x.refused(applicationAPI+"ReactivateApplication", on, codes.FailedPrecondition, "COMMAND-1n8cM")
		var secret applicationv2.GenerateClientSecretResponse
		x.write(applicationAPI+"GenerateClientSecret", named(&applicationv2.GenerateClientSecretRequest{}), &secret,
			[]string{"project.application.config.oidc.secret.changed"})
		if s := secret.GetClientSecret(); len(s) != 64 || s == client.GetClientSecret() {
			x.Error("the secret is not another one")
		}
		remove := named(&applicationv2.DeleteApplicationRequest{})
		x.write(applicationAPI+"DeleteApplication", remove, &applicationv2.DeleteApplicationResponse{}, []string{"project.application.removed"})
		for method, in := range map[string]proto.Message{
			"DeleteApplication": remove, "UpdateApplication": update, "GetApplication": &applicationv2.GetApplicationRequest{ApplicationId: id},
			"DeactivateApplication": off, "ReactivateApplication": on, "GenerateClientSecret": named(&applicationv2.GenerateClientSecretRequest{}),
		} {
			x.refused(applicationAPI+method, in, codes.NotFound, "QUERY-8cjj8ao6yY")
		}
	})
}

// isApplication checks an application as it is shown.
func (x *tenant) isApplication(want *applicationv2.Application) {
	x.Helper()
	var got applicationv2.GetApplicationResponse
	x.read(applicationAPI+"GetApplication", &applicationv2.GetApplicationRequest{ApplicationId: want.GetApplicationId()}, &got)
	x.equal(got.GetApplication(), want, when)
}

// A key is in the answer that made it, is listed without its halves, and goes with its application.
func TestApplicationKey(t *testing.T) {
	eachWire(t, func(x *tenant) {
		if x.skipsREST(applicationAPI + "CreateApplicationKey") {
			return
		}
		project := x.ownProject()
		var app applicationv2.CreateApplicationResponse
		x.write(applicationAPI+"CreateApplication", &applicationv2.CreateApplicationRequest{
			ProjectId: project, Name: "Stock", ApplicationType: &applicationv2.CreateApplicationRequest_ApiConfiguration{
				ApiConfiguration: &applicationv2.CreateAPIApplicationRequest{AuthMethodType: applicationv2.APIAuthMethodType_API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT},
			},
		}, &app, []string{"project.application.added", "project.application.config.api.added"})
		if app.GetApiConfiguration().GetClientSecret() != "" {
			x.Error("an API that signs assertions got a secret")
		}
		later := timestamppb.New(time.Now().Add(time.Hour).Truncate(time.Second))
		create := &applicationv2.CreateApplicationKeyRequest{ApplicationId: app.GetApplicationId(), ProjectId: project, ExpirationDate: later}
		var first, second applicationv2.CreateApplicationKeyResponse
		x.write(applicationAPI+"CreateApplicationKey", create, &first, []string{"project.application.oidc.key.added"})
		x.write(applicationAPI+"CreateApplicationKey", create, &second, []string{"project.application.oidc.key.added"})
		var file struct{ Type, KeyID, Key, AppID, ClientID string }
		if err := json.Unmarshal(first.GetKeyDetails(), &file); err != nil || file.Type != "application" || file.KeyID != first.GetKeyId() ||
			file.AppID != app.GetApplicationId() || file.ClientID != app.GetApiConfiguration().GetClientId() || len(file.Key) < 1000 {
			x.Errorf("key file of %s: %v", file.KeyID, err)
		}
		var got applicationv2.GetApplicationKeyResponse
		x.read(applicationAPI+"GetApplicationKey", &applicationv2.GetApplicationKeyRequest{KeyId: first.GetKeyId()}, &got)
		x.equal(&got, &applicationv2.GetApplicationKeyResponse{KeyId: first.GetKeyId(), CreationDate: first.GetCreationDate(), ExpirationDate: later})
		list := &applicationv2.ListApplicationKeysRequest{
			Filters: []*applicationv2.ApplicationKeySearchFilter{{Filter: &applicationv2.ApplicationKeySearchFilter_ApplicationIdFilter{
				ApplicationIdFilter: &applicationv2.ApplicationKeyApplicationIDFilter{ApplicationId: app.GetApplicationId()},
			}}},
			SortingColumn: applicationv2.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_CREATION_DATE,
			Pagination:    &filterv2.PaginationRequest{Asc: true, Limit: 1},
		}
		var keys applicationv2.ListApplicationKeysResponse
		x.read(applicationAPI+"ListApplicationKeys", list, &keys)
		x.equal(&keys, &applicationv2.ListApplicationKeysResponse{
			Keys: []*applicationv2.ApplicationKey{{
				KeyId: first.GetKeyId(), ApplicationId: app.GetApplicationId(), ProjectId: project, OrganizationId: x.Org,
				CreationDate: first.GetCreationDate(), ExpirationDate: later,
			}},
			Pagination: &filterv2.PaginationResponse{TotalResult: 2, AppliedLimit: 1},
		})
		remove := &applicationv2.DeleteApplicationKeyRequest{KeyId: first.GetKeyId(), ApplicationId: app.GetApplicationId(), ProjectId: project}
		x.write(applicationAPI+"DeleteApplicationKey", remove, &applicationv2.DeleteApplicationKeyResponse{}, []string{"project.application.oidc.key.removed"})
		x.refused(applicationAPI+"DeleteApplicationKey", remove, codes.NotFound, "QUERY-Tha6f")
		x.refused(applicationAPI+"GetApplicationKey", &applicationv2.GetApplicationKeyRequest{KeyId: first.GetKeyId()}, codes.NotFound, "QUERY-Tha6f")
		x.write(applicationAPI+"DeleteApplication", &applicationv2.DeleteApplicationRequest{ApplicationId: app.GetApplicationId(), ProjectId: project},
			&applicationv2.DeleteApplicationResponse{}, []string{"project.application.oidc.key.removed", "project.application.removed"})
		x.refused(applicationAPI+"GetApplicationKey", &applicationv2.GetApplicationKeyRequest{KeyId: second.GetKeyId()}, codes.NotFound, "QUERY-Tha6f")
	})
}

// The applications an instance begins with are listed like others, the console with where people come back.
func TestOwnApplications(t *testing.T) {
	eachWire(t, func(x *tenant) {
		if x.skipsREST(applicationAPI + "ListApplications") {
			return
		}
		var all applicationv2.ListApplicationsResponse
		x.read(applicationAPI+"ListApplications", &applicationv2.ListApplicationsRequest{
			SortingColumn: applicationv2.ApplicationSorting_APPLICATION_SORT_BY_NAME, Pagination: &filterv2.PaginationRequest{Asc: true},
		}, &all)
		var names []string
		for _, a := range all.GetApplications() {
			names = append(names, a.GetName())
			if c := a.GetOidcConfiguration(); c != nil && (len(c.GetRedirectUris()) == 0 || c.GetNonCompliant() != c.GetDevelopmentMode()) {
				x.Errorf("the console: %v", c)
			}
		}
		if len(names) != 4 || names[0] != "Admin-API" || all.GetPagination().GetTotalResult() != 4 || all.GetPagination().GetAppliedLimit() != 100 {
			x.Errorf("listed %q, %v", names, all.GetPagination())
		}
	})
}

// What cannot be is refused with the id clients know, and names the field.
func TestApplicationRefusals(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		project := x.ownProject()
		api := &applicationv2.CreateApplicationRequest_ApiConfiguration{ApiConfiguration: &applicationv2.CreateAPIApplicationRequest{}}
		var made applicationv2.CreateApplicationResponse
		x.write(applicationAPI+"CreateApplication", &applicationv2.CreateApplicationRequest{ProjectId: project, ApplicationId: "mine", Name: "Stock", ApplicationType: api},
			&made, []string{"project.application.added", "project.application.config.api.added"})
		saml := func(document string) *applicationv2.CreateApplicationRequest_SamlConfiguration {
			return &applicationv2.CreateApplicationRequest_SamlConfiguration{SamlConfiguration: &applicationv2.CreateSAMLApplicationRequest{
				Metadata: &applicationv2.CreateSAMLApplicationRequest_MetadataXml{MetadataXml: []byte(document)},
			}}
		}
		oidc := func(change func(c *applicationv2.CreateOIDCApplicationRequest)) *applicationv2.CreateApplicationRequest_OidcConfiguration {
			c := webClient()
			change(c.OidcConfiguration)
			return c
		}
		for name, c := range map[string]struct {
			in    *applicationv2.CreateApplicationRequest
			code  codes.Code
			id    string
			field string
		}{
			"no project":      {&applicationv2.CreateApplicationRequest{ProjectId: "404", Name: "a", ApplicationType: api}, codes.NotFound, "QUERY-fk2fs", ""},
			"no type":         {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "a"}, codes.InvalidArgument, "", "application_type"},
			"blank name":      {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: " ", ApplicationType: api}, codes.InvalidArgument, "PROJECT-1n8df", "name"},
			"name taken":      {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "STOCK", ApplicationType: api}, codes.AlreadyExists, "V3-DKcYh", "name"},
			"id taken":        {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "a", ApplicationId: "mine", ApplicationType: api}, codes.FailedPrecondition, "PROJECT-lxowmp", "application_id"},
			"document type":   {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "a", ApplicationType: saml(`<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`)}, codes.InvalidArgument, "SAML-bquso", "saml_configuration.metadata_xml"},
			"empty document":  {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "a", ApplicationType: saml("")}, codes.InvalidArgument, "SAML-wmqlo1", "saml_configuration.metadata_xml"},
			"script":          {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "a", ApplicationType: oidc(func(c *applicationv2.CreateOIDCApplicationRequest) { c.RedirectUris = []string{"javascript:alert(1)"} })}, codes.InvalidArgument, "PROJECT-1n8df", "oidc_configuration.redirect_uris[0]"},
			"response alone":  {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "a", ApplicationType: oidc(func(c *applicationv2.CreateOIDCApplicationRequest) { c.GrantTypes = []applicationv2.OIDCGrantType{1} })}, codes.InvalidArgument, "PROJECT-1n8df", "oidc_configuration.response_types"},
			"no such value":   {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "a", ApplicationType: oidc(func(c *applicationv2.CreateOIDCApplicationRequest) { c.AuthMethodType = 9 })}, codes.InvalidArgument, "", "oidc_configuration.auth_method_type"},
			"no such version": {&applicationv2.CreateApplicationRequest{ProjectId: project, Name: "a", ApplicationType: oidc(func(c *applicationv2.CreateOIDCApplicationRequest) { c.Version = 1 })}, codes.InvalidArgument, "", "oidc_configuration.version"},
		} {
			a := x.refused(applicationAPI+"CreateApplication", c.in, c.code, c.id)
			if c.field != "" && (len(a.Fields) != 1 || a.Fields[0] != c.field) {
				x.Errorf("%s: the fields are %q, want %q", name, a.Fields, c.field)
			}
		}
		x.refused(applicationAPI+"UpdateApplication", &applicationv2.UpdateApplicationRequest{
			ApplicationId: "mine", ProjectId: project, ApplicationType: &applicationv2.UpdateApplicationRequest_OidcConfiguration{},
		}, codes.InvalidArgument, "COMMAND-GBr34")
		x.refused(applicationAPI+"UpdateApplication", &applicationv2.UpdateApplicationRequest{ApplicationId: "mine", ProjectId: "404", Name: "b"},
			codes.NotFound, "QUERY-8cjj8ao6yY") // an application of another project is none
		x.refused(applicationAPI+"CreateApplicationKey", &applicationv2.CreateApplicationKeyRequest{ApplicationId: "mine", ProjectId: project},
			codes.FailedPrecondition, "COMMAND-Dff54")
		x.refused(applicationAPI+"ListApplications", &applicationv2.ListApplicationsRequest{Pagination: &filterv2.PaginationRequest{Limit: 1001}},
			codes.InvalidArgument, "QUERY-4M0fs")
	})
}
