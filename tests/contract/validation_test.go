package contract

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	filterv2 "castellan/gen/zitadel/filter/v2"
	instancev1 "castellan/gen/zitadel/instance/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// create is a CreateInstanceRequest with a machine that asks for a key of the given type.
func create(name string, key *systemv1.CreateInstanceRequest_MachineKey) *systemv1.CreateInstanceRequest {
	return &systemv1.CreateInstanceRequest{
		InstanceName: name,
		Owner: &systemv1.CreateInstanceRequest_Machine_{
			Machine: &systemv1.CreateInstanceRequest_Machine{MachineKey: key},
		},
	}
}

// human is a CreateInstanceRequest with a person.
func human(email *systemv1.CreateInstanceRequest_Email) *systemv1.CreateInstanceRequest {
	return &systemv1.CreateInstanceRequest{
		InstanceName: "A",
		Owner: &systemv1.CreateInstanceRequest_Human_{
			Human: &systemv1.CreateInstanceRequest_Human{Email: email},
		},
	}
}

// TestValidationTexts pins the texts clients see (contract section 1.3), and that lengths count
// characters, not bytes.
func TestValidationTexts(t *testing.T) {
	for _, c := range []struct {
		message interface{ Validate() error }
		want    string // empty: valid
	}{
		{create(strings.Repeat("ü", 200), nil), ""},
		{create("", nil),
			"invalid CreateInstanceRequest.InstanceName: value length must be between 1 and 200 runes, inclusive"},
		{create(strings.Repeat("ü", 201), nil),
			"invalid CreateInstanceRequest.InstanceName: value length must be between 1 and 200 runes, inclusive"},
		{&systemv1.CreateInstanceRequest{InstanceName: "A"},
			"invalid CreateInstanceRequest.Owner: value is required"},
		{&systemv1.CreateInstanceRequest{InstanceName: "A", FirstOrgName: strings.Repeat("x", 201)},
			"invalid CreateInstanceRequest.FirstOrgName: value length must be at most 200 runes"},
		{human(nil),
			"invalid CreateInstanceRequest.Human: embedded message failed validation | caused by: " +
				"invalid CreateInstanceRequest_Human.Email: value is required"},
		{human(&systemv1.CreateInstanceRequest_Email{Email: "no"}),
			"invalid CreateInstanceRequest.Human: embedded message failed validation | caused by: " +
				"invalid CreateInstanceRequest_Human.Email: embedded message failed validation | caused by: " +
				"invalid CreateInstanceRequest_Email.Email: value must be a valid email address | caused by: " +
				"mail: missing '@' or angle-addr"},
		{human(&systemv1.CreateInstanceRequest_Email{Email: "a@example.com"}), ""},
		{create("A", &systemv1.CreateInstanceRequest_MachineKey{}),
			"invalid CreateInstanceRequest.Machine: embedded message failed validation | caused by: " +
				"invalid CreateInstanceRequest_Machine.MachineKey: embedded message failed validation | caused by: " +
				"invalid CreateInstanceRequest_MachineKey.Type: value must not be in list [KEY_TYPE_UNSPECIFIED]"},
		{create("A", &systemv1.CreateInstanceRequest_MachineKey{Type: 7}),
			"invalid CreateInstanceRequest.Machine: embedded message failed validation | caused by: " +
				"invalid CreateInstanceRequest_Machine.MachineKey: embedded message failed validation | caused by: " +
				"invalid CreateInstanceRequest_MachineKey.Type: value must be one of the defined enum values"},
		{&systemv1.AddQuotaRequest{InstanceId: "1", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED},
			"invalid AddQuotaRequest.From: value is required"},
		{&systemv1.AddQuotaRequest{
			InstanceId: "1", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED,
			From: &timestamppb.Timestamp{}, ResetInterval: &durationpb.Duration{},
		}, "invalid AddQuotaRequest.Amount: value must be greater than 0"},
		{&instancev1.DomainsQuery{Domains: make([]string, 21)},
			"invalid DomainsQuery.Domains: value must contain no more than 20 item(s)"},
		{&instancev1.DomainsQuery{Domains: []string{"a", ""}},
			"invalid DomainsQuery.Domains[1]: value length must be between 1 and 100 runes, inclusive"},
		{&instancev1.Query{}, "invalid Query.Query: value is required"},
		{&systemv1.UpdateInstanceRequest{InstanceName: "A"}, ""},
		{&systemv1.SetInstanceFeatureRequest{InstanceId: "1", FeatureId: 1},
			"invalid SetInstanceFeatureRequest.Value: value is required"},
		{&instancev2.GetInstanceRequest{}, ""},
		{&instancev2beta.GetInstanceRequest{},
			"invalid GetInstanceRequest.InstanceId: value length must be between 1 and 200 runes, inclusive"},
		{&instancev2.AddTrustedDomainRequest{TrustedDomain: strings.Repeat("ü", 254)},
			"invalid AddTrustedDomainRequest.TrustedDomain: value length must be between 1 and 253 runes, inclusive"},
		{&instancev2.ListInstancesRequest{SortingColumn: 9},
			"invalid ListInstancesRequest.SortingColumn: value must be one of the defined enum values"},
		{&instancev2beta.ListInstancesRequest{SortingColumn: instancev2beta.FieldName(9).Enum()}, ""},
		{&instancev2.Filter{}, "invalid Filter.Filter: value is required"},
		{&filterv2.InIDsFilter{Ids: []string{"1", "2", "1"}},
			"invalid InIDsFilter.Ids[2]: repeated value must contain unique items"},
	} {
		got := ""
		if err := c.message.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v:\n got %q\nwant %q", c.message, got, c.want)
		}
	}
}
