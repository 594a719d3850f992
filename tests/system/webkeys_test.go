package system_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/tests/kit"

	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

const webKeyV2 = "zitadel.webkey.v2.WebKeyService"

// keyCall is one call about the web keys of an instance, of which FIRST and NEXT are the ids of the first two
// and MADE that of the one made last.
type keyCall struct {
	method, request string
	code            codes.Code // and, unless it is OK, the id of the error
	id              string
	// want is the answer; what ends in Date stands as true, if it is there.
	want string
}

// firstKeys are the first two keys, in their states.
func firstKeys(first, next string) string {
	const rsa = `"rsa":{"bits":"RSA_BITS_2048","hasher":"RSA_HASHER_SHA256"}`
	return `{"id":"FIRST","creationDate":true,"changeDate":true,"state":"` + first + `",` + rsa + `},
		{"id":"NEXT","creationDate":true,"changeDate":true,"state":"` + next + `",` + rsa + `}`
}

var keyCalls = []keyCall{
	{method: "ListWebKeys", request: `{}`, want: `{"webKeys":[` + firstKeys("STATE_ACTIVE", "STATE_INITIAL") + `]}`},
	{method: "CreateWebKey", request: `{"ecdsa":{"curve":"ECDSA_CURVE_P512"}}`, want: `{"id":"MADE","creationDate":true}`},
	{method: "CreateWebKey", request: `{"ecdsa":{}}`, code: codes.InvalidArgument},
	{method: "CreateWebKey", request: `{"rsa":{"bits":"RSA_BITS_2048"}}`, code: codes.InvalidArgument},
	{method: "DeleteWebKey", request: `{"id":"MADE"}`, want: `{"deletionDate":true}`},
	{method: "DeleteWebKey", request: `{"id":"MADE"}`, want: `{}`},
	{method: "CreateWebKey", request: `{"ed25519":{}}`, want: `{"id":"MADE","creationDate":true}`},
	{method: "ActivateWebKey", request: `{"id":"MADE"}`, want: `{"changeDate":true}`},
	{method: "ActivateWebKey", request: `{"id":"MADE"}`, want: `{"changeDate":true}`},
	{method: "ActivateWebKey", request: `{"id":"7"}`, code: codes.NotFound, id: "COMMAND-teiG3"},
	{method: "ActivateWebKey", request: `{}`, code: codes.InvalidArgument},
	{method: "DeleteWebKey", request: `{"id":"MADE"}`, code: codes.FailedPrecondition, id: "COMMAND-Chai1"},
	{method: "ListWebKeys", request: `{}`, want: `{"webKeys":[` + firstKeys("STATE_INACTIVE", "STATE_INITIAL") + `,
		{"id":"MADE","creationDate":true,"changeDate":true,"state":"STATE_ACTIVE","ed25519":{}}]}`},
	{method: "ActivateWebKey", request: `{"id":"FIRST"}`, want: `{"changeDate":true}`},
	{method: "DeleteWebKey", request: `{"id":"MADE"}`, want: `{"deletionDate":true}`},
	{method: "ListWebKeys", request: `{}`, want: `{"webKeys":[` + firstKeys("STATE_ACTIVE", "STATE_INITIAL") + `]}`},
}

// keyEvents are what the calls leave.
var keyEvents = []string{
	"web_key.added", "web_key.activated", "web_key.added", // the first two
	"web_key.added", "web_key.removed",
	"web_key.added", "web_key.deactivated", "web_key.activated",
	"web_key.deactivated", "web_key.activated", "web_key.removed",
}

// TestWebKeys walks the keys of an instance through every call, over every protocol it has, and looks at
// the events that were left.
func TestWebKeys(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		for _, w := range kit.Wires() {
			if w.Name == "rest-printed" {
				continue // which is for the paths of the System API
			}
			made := n.Create(t, kit.WithDomain(kit.Machine("Acme"), w.Name+".example"))
			at, id := n.At(t, w.Name+".example"), ident.InstanceID(made.GetInstanceId())
			begun := len(logtest.Types(t, n.DB(), n.Events(), id))
			known := make(map[string]string)
			for _, c := range keyCalls {
				if a := sendKeyCall(t, at, w, c, known, ""); a.Code != codes.Unauthenticated {
					t.Errorf("%s for nobody over %s: %v", c.method, w.Name, a)
				}
				checkKeyCall(t, at, w, c, known, made.GetPat())
			}
			if diff := gocmp.Diff(keyEvents, logtest.Types(t, n.DB(), n.Events(), id)[begun:]); diff != "" {
				t.Errorf("events over %s (-want +got):\n%s", w.Name, diff)
			}
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// overREST returns the wire for a call: where REST has none, Connect takes its place.
func overREST(w kit.Wire, method string) kit.Wire {
	if w.Serves(webKeyV2 + "/" + method) {
		return w
	}
	return rpcWires()[len(rpcWires())-1]
}

// keyAnswer is an answer with its message, in JSON.
type keyAnswer struct {
	kit.Answer
	json string
}

func sendKeyCall(t *testing.T, at *kit.Client, w kit.Wire, c keyCall, known map[string]string, token string) keyAnswer {
	t.Helper()
	in, out := kit.Messages(webKeyV2 + "/" + c.method)
	body := c.request
	for name, id := range known {
		body = strings.ReplaceAll(body, `"`+name+`"`, `"`+id+`"`)
	}
	if err := protojson.Unmarshal([]byte(body), in); err != nil {
		t.Fatal(err)
	}
	a := overREST(w, c.method).Send(t, at, kit.Call{Method: webKeyV2 + "/" + c.method, Request: in, Token: token}, out)
	text, err := protojson.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	switch out := out.(type) {
	case *webkeyv2.CreateWebKeyResponse:
		if out.GetId() != "" {
			known["MADE"] = out.GetId()
		}
	case *webkeyv2.ListWebKeysResponse:
		if len(out.GetWebKeys()) > 1 && known["FIRST"] == "" {
			known["FIRST"], known["NEXT"] = out.GetWebKeys()[0].GetId(), out.GetWebKeys()[1].GetId()
		}
	}
	return keyAnswer{a, string(text)}
}

func checkKeyCall(t *testing.T, at *kit.Client, w kit.Wire, c keyCall, known map[string]string, token string) {
	t.Helper()
	a := sendKeyCall(t, at, w, c, known, token)
	if a.Code != c.code || a.ID != c.id {
		t.Fatalf("%s %s over %s: %v, want %v %q", c.method, c.request, w.Name, a, c.code, c.id)
	}
	if c.code == codes.NotFound && strings.HasPrefix(w.Name, "rest") && a.HTTP != 0 && a.HTTP != http.StatusNotFound {
		t.Errorf("%s %s: HTTP status %d", c.method, c.request, a.HTTP)
	}
	if c.code != codes.OK {
		return
	}
	want := c.want
	for name, id := range known {
		want = strings.ReplaceAll(want, `"`+name+`"`, `"`+id+`"`)
	}
	var wanted, got any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(a.json), &got); err != nil {
		t.Fatal(err)
	}
	undate(got)
	if diff := gocmp.Diff(wanted, got); diff != "" {
		t.Errorf("%s %s over %s (-want +got):\n%s", c.method, c.request, w.Name, diff)
	}
}
