package kit

import (
	"testing"

	"google.golang.org/grpc/codes"

	authnv1 "castellan/gen/zitadel/authn/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// Machine returns the wish for an instance whose owner is a machine with a token.
func Machine(name string) *systemv1.CreateInstanceRequest {
	return &systemv1.CreateInstanceRequest{
		InstanceName: name,
		Owner: &systemv1.CreateInstanceRequest_Machine_{Machine: &systemv1.CreateInstanceRequest_Machine{
			UserName: "robot", Name: "Robot",
			PersonalAccessToken: &systemv1.CreateInstanceRequest_PersonalAccessToken{},
		}},
	}
}

// WithKey asks for a key for the machine, too.
func WithKey(r *systemv1.CreateInstanceRequest) *systemv1.CreateInstanceRequest {
	r.GetMachine().MachineKey = &systemv1.CreateInstanceRequest_MachineKey{Type: authnv1.KeyType_KEY_TYPE_JSON}
	return r
}

// WithDomain asks for a custom domain.
func WithDomain(r *systemv1.CreateInstanceRequest, domain string) *systemv1.CreateInstanceRequest {
	r.CustomDomain = domain
	return r
}

// GoodPassword keeps every rule of the complexity policy.
const GoodPassword = "Correct-Horse-7"

// Human returns the wish for an instance whose owner is a person with a password.
func Human(name string) *systemv1.CreateInstanceRequest {
	return &systemv1.CreateInstanceRequest{
		InstanceName: name,
		Owner: &systemv1.CreateInstanceRequest_Human_{Human: &systemv1.CreateInstanceRequest_Human{
			UserName: "ada",
			Email:    &systemv1.CreateInstanceRequest_Email{Email: "ada@example.com", IsEmailVerified: true},
			Profile:  &systemv1.CreateInstanceRequest_Profile{FirstName: "Ada", LastName: "Lovelace"},
			Password: &systemv1.CreateInstanceRequest_Password{Password: GoodPassword},
		}},
	}
}

// Create makes an instance over REST and fails the test when it is refused.
func (c *Client) Create(t testing.TB, req *systemv1.CreateInstanceRequest) *systemv1.CreateInstanceResponse {
	t.Helper()
	made := new(systemv1.CreateInstanceResponse)
	if a := REST().Call(t, c, "CreateInstance", req, made); a.Code != codes.OK {
		t.Fatalf("create %q: %v", req.GetInstanceName(), a)
	}
	return made
}

// Get reads an instance over REST; the answer says whether there is one.
func (c *Client) Get(t testing.TB, id string) (*systemv1.GetInstanceResponse, Answer) {
	t.Helper()
	got := new(systemv1.GetInstanceResponse)
	a := REST().Call(t, c, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: id}, got)
	return got, a
}
