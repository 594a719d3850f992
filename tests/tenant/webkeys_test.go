package tenant_test

import (
	"net/http"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"castellan/tests/kit"

	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

const webKeyAPI = "zitadel.webkey.v2.WebKeyService/"

// anyREST is x over its protocol where a method has a path in REST, and otherwise over Connect in JSON, which a
// client of REST can write as well.
func (x *tenant) anyREST(method string) *tenant {
	if x.Wire.Serves(method) {
		return x
	}
	other := *x
	other.Wire = kit.Wires()[len(kit.Wires())-1]
	return &other
}

// webKeys are those of the instance, which have to be there in these states. Every key is dated.
func (x *tenant) webKeys(states ...webkeyv2.State) []*webkeyv2.WebKey {
	x.Helper()
	got := new(webkeyv2.ListWebKeysResponse)
	x.read(webKeyAPI+"ListWebKeys", &webkeyv2.ListWebKeysRequest{}, got)
	var are []webkeyv2.State
	for _, k := range got.GetWebKeys() {
		are = append(are, k.GetState())
		if k.GetCreationDate() == nil || k.GetChangeDate() == nil {
			x.Errorf("key %v has no dates", k)
		}
	}
	if !slices.Equal(are, states) {
		x.Fatalf("the keys are %v, want %v", are, states)
	}
	return got.GetWebKeys()
}

// newKey makes a web key.
func (x *tenant) newKey(req *webkeyv2.CreateWebKeyRequest) string {
	x.Helper()
	made := new(webkeyv2.CreateWebKeyResponse)
	x.anyREST(webKeyAPI+"CreateWebKey").write(webKeyAPI+"CreateWebKey", req, made, []string{"web_key.added"})
	if made.GetId() == "" || made.GetCreationDate() == nil {
		x.Errorf("made %v", made)
	}
	return made.GetId()
}

// Keys are made, take turns in signing, and go; the one that signs stays.
func TestWebKeys(t *testing.T) {
	const active, initial, inactive = webkeyv2.State_STATE_ACTIVE, webkeyv2.State_STATE_INITIAL, webkeyv2.State_STATE_INACTIVE
	eachWire(t, func(x *tenant) {
		rpc := x.anyREST(webKeyAPI + "ActivateWebKey")
		// The first two come to be when somebody asks for them first.
		got := new(webkeyv2.ListWebKeysResponse)
		x.write(webKeyAPI+"ListWebKeys", &webkeyv2.ListWebKeysRequest{}, got, []string{"web_key.added", "web_key.activated", "web_key.added"})
		for _, k := range x.webKeys(active, initial) {
			x.equal(k.GetRsa(), &webkeyv2.RSA{Bits: webkeyv2.RSABits_RSA_BITS_2048, Hasher: webkeyv2.RSAHasher_RSA_HASHER_SHA256})
		}
		first := got.GetWebKeys()[0].GetId()

		curve := &webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Ecdsa{Ecdsa: &webkeyv2.ECDSA{Curve: webkeyv2.ECDSACurve_ECDSA_CURVE_P512}}}
		remove := &webkeyv2.DeleteWebKeyRequest{Id: x.newKey(curve)}
		gone := new(webkeyv2.DeleteWebKeyResponse)
		x.write(webKeyAPI+"DeleteWebKey", remove, gone, []string{"web_key.removed"})
		if gone.GetDeletionDate() == nil {
			x.Error("removed at no time")
		}
		gone.Reset()
		x.read(webKeyAPI+"DeleteWebKey", remove, gone)
		x.equal(gone, &webkeyv2.DeleteWebKeyResponse{})

		made := x.newKey(&webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Ed25519{Ed25519: &webkeyv2.ED25519{}}})
		activate := &webkeyv2.ActivateWebKeyRequest{Id: made}
		signs := new(webkeyv2.ActivateWebKeyResponse)
		rpc.write(webKeyAPI+"ActivateWebKey", activate, signs, []string{"web_key.deactivated", "web_key.activated"})
		if signs.GetChangeDate() == nil {
			x.Error("activated at no time")
		}
		rpc.read(webKeyAPI+"ActivateWebKey", activate, signs)
		keys := x.webKeys(inactive, initial, active)
		x.equal(keys[2], &webkeyv2.WebKey{Id: made, State: active, Key: &webkeyv2.WebKey_Ed25519{Ed25519: &webkeyv2.ED25519{}}},
			protocmp.IgnoreFields(&webkeyv2.WebKey{}, "creation_date", "change_date"))
		x.refused(webKeyAPI+"DeleteWebKey", &webkeyv2.DeleteWebKeyRequest{Id: made}, codes.FailedPrecondition, "COMMAND-Chai1")
		rpc.write(webKeyAPI+"ActivateWebKey", &webkeyv2.ActivateWebKeyRequest{Id: first}, nil, []string{"web_key.deactivated", "web_key.activated"})
		x.write(webKeyAPI+"DeleteWebKey", &webkeyv2.DeleteWebKeyRequest{Id: made}, nil, []string{"web_key.removed"})
		x.webKeys(active, initial)
		x.refusedKeys(rpc)
	})
}

// refusedKeys are calls of a good caller that are wrong, and good calls of nobody.
func (x *tenant) refusedKeys(rpc *tenant) {
	x.Helper()
	for _, c := range []struct {
		method string
		in     proto.Message
		code   codes.Code
		id     string
	}{
		{"CreateWebKey", &webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Ecdsa{Ecdsa: &webkeyv2.ECDSA{}}}, codes.InvalidArgument, ""},
		{"CreateWebKey", &webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Rsa{Rsa: &webkeyv2.RSA{Bits: webkeyv2.RSABits_RSA_BITS_2048}}}, codes.InvalidArgument, ""},
		{"ActivateWebKey", &webkeyv2.ActivateWebKeyRequest{Id: "7"}, codes.NotFound, "COMMAND-teiG3"},
		{"ActivateWebKey", &webkeyv2.ActivateWebKeyRequest{}, codes.InvalidArgument, ""},
	} {
		if a := rpc.refused(webKeyAPI+c.method, c.in, c.code, c.id); c.code == codes.NotFound && a.HTTP != 0 && rpc.Wire.Name == "connect-json" && a.HTTP != http.StatusNotFound {
			x.Errorf("%s: status %d", c.method, a.HTTP)
		}
	}
	for method, in := range map[string]proto.Message{
		"CreateWebKey": &webkeyv2.CreateWebKeyRequest{}, "ActivateWebKey": &webkeyv2.ActivateWebKeyRequest{Id: "7"},
		"DeleteWebKey": &webkeyv2.DeleteWebKeyRequest{Id: "7"}, "ListWebKeys": &webkeyv2.ListWebKeysRequest{},
	} {
		x.as("").anyREST(webKeyAPI+method).refused(webKeyAPI+method, in, codes.Unauthenticated, "")
	}
}
