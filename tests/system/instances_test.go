package system_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/tests/kit"
)

const (
	instanceV2     = "zitadel.instance.v2.InstanceService"
	instanceV2Beta = "zitadel.instance.v2beta.InstanceService"
)

// instanceCall is one call about the instance ID of a test, with a host GENERATED, and what is
// answered, in JSON as v2 has it. DOMAIN is one that nobody else has.
type instanceCall struct {
	method, request string
	code            codes.Code // and, unless it is OK, the id of the error
	id              string
	// want is the answer; what ends in Date stands as true, if it is there.
	want string
}

// instanceCalls walk through every method of InstanceService.
var instanceCalls = []instanceCall{
	{method: "GetInstance", request: `{"instanceId":"ID"}`, want: `{"instance":{"id":"ID","changeDate":true,"creationDate":true,
		"state":"STATE_RUNNING","name":"Acme","version":"` + kit.Version + `","customDomains":[
		{"instanceId":"ID","creationDate":true,"domain":"GENERATED","primary":true,"generated":true}]}}`},
	{method: "UpdateInstance", request: `{"instanceId":"ID","instanceName":"Bücher & Co"}`, want: `{"changeDate":true}`},
	{method: "UpdateInstance", request: `{"instanceId":"ID","instanceName":" "}`, code: codes.InvalidArgument, id: "INST-092mid"},
	{method: "ListInstances", request: `{"filters":[{"inIdsFilter":{"ids":["ID","1"]}}],"pagination":{"limit":7}}`,
		want: `{"instances":[{"id":"ID","changeDate":true,"creationDate":true,"state":"STATE_RUNNING","name":"Bücher & Co",
		"version":"` + kit.Version + `","customDomains":[
		{"instanceId":"ID","creationDate":true,"domain":"GENERATED","primary":true,"generated":true}]}],
		"pagination":{"totalResult":"1","appliedLimit":"7"}}`},
	{method: "ListInstances", request: `{"pagination":{"limit":1001}}`, code: codes.InvalidArgument, id: "QUERY-4M0fs"},
	{method: "AddCustomDomain", request: `{"instanceId":"ID","customDomain":"DOMAIN"}`, want: `{"creationDate":true}`},
	{method: "AddCustomDomain", request: `{"instanceId":"ID","customDomain":"DOMAIN"}`, code: codes.AlreadyExists, id: "INST-i2nl"},
	{method: "ListCustomDomains", request: `{"instanceId":"ID","filters":[{"generatedFilter":false}],"sortingColumn":"DOMAIN_FIELD_NAME_DOMAIN"}`,
		want: `{"domains":[{"instanceId":"ID","creationDate":true,"domain":"DOMAIN"}],"pagination":{"totalResult":"1","appliedLimit":"100"}}`},
	{method: "RemoveCustomDomain", request: `{"instanceId":"ID","customDomain":"DOMAIN"}`, want: `{"deletionDate":true}`},
	{method: "RemoveCustomDomain", request: `{"instanceId":"ID","customDomain":"GENERATED"}`, code: codes.FailedPrecondition, id: "INSTANCE-9hn3n"},
	{method: "AddTrustedDomain", request: `{"instanceId":"ID","trustedDomain":"DOMAIN"}`, want: `{"creationDate":true}`},
	{method: "AddTrustedDomain", request: `{"instanceId":"ID","trustedDomain":"a_b"}`, code: codes.InvalidArgument, id: "COMMA-S3v3w"},
	{method: "ListTrustedDomains", request: `{"instanceId":"ID","filters":[{"domainFilter":{"domain":".EXAMPLE","method":"TEXT_QUERY_METHOD_ENDS_WITH_IGNORE_CASE"}}]}`,
		want: `{"trustedDomain":[{"instanceId":"ID","creationDate":true,"domain":"DOMAIN"}],"pagination":{"totalResult":"1","appliedLimit":"100"}}`},
	{method: "RemoveTrustedDomain", request: `{"instanceId":"ID","trustedDomain":"DOMAIN"}`, want: `{"deletionDate":true}`},
	{method: "RemoveTrustedDomain", request: `{"instanceId":"ID","trustedDomain":"DOMAIN"}`, code: codes.NotFound, id: "COMMA-de3z9"},
	{method: "DeleteInstance", request: `{"instanceId":"ID"}`, want: `{"deletionDate":true}`},
	{method: "GetInstance", request: `{"instanceId":"ID"}`, code: codes.NotFound, id: "QUERY-n0wng"},
}

// What v2beta calls otherwise, in requests and in answers.
var (
	betaRequest = strings.NewReplacer(`"customDomain"`, `"domain"`, `"trustedDomain"`, `"domain"`, `"filters"`, `"queries"`,
		`"inIdsFilter"`, `"idQuery"`, `"domainFilter"`, `"domainQuery"`, `"generatedFilter":false`, `"generatedQuery":{}`)
	betaAnswer = strings.NewReplacer(`"customDomains"`, `"domains"`)
)

// TestInstanceServices walks an instance through every call of both services, over every protocol
// they have, and looks at the events that were left.
func TestInstanceServices(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		for _, service := range []string{instanceV2, instanceV2Beta} {
			for _, w := range kit.Wires() {
				if !w.Serves(service + "/GetInstance") {
					continue // v2 has no REST
				}
				i := newCalledInstance(t, n, w, service)
				begun := len(i.events())
				for _, c := range instanceCalls {
					i.guarded(c)
					i.check(c)
				}
				want := []string{
					"instance.changed", "instance.domain.added", "instance.domain.removed",
					"instance.trusted_domains.added", "instance.trusted_domains.removed", "instance.removed",
				}
				if diff := gocmp.Diff(want, i.events()[begun:]); diff != "" {
					t.Errorf("events of %s over %s (-want +got):\n%s", service, w.Name, diff)
				}
			}
		}
		for more := true; more; { // what removed instances have left is no fold of anything
			var err error
			if more, err = n.Events().Reclaim(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// TestInstanceServicesAreWalked: a method that is new appears among the calls.
func TestInstanceServicesAreWalked(t *testing.T) {
	t.Parallel()
	for _, service := range []string{instanceV2, instanceV2Beta} {
		methods := kit.Method(service + "/GetInstance").Parent().(protoreflect.ServiceDescriptor).Methods()
		for i := range methods.Len() {
			name := string(methods.Get(i).Name())
			if !slices.ContainsFunc(instanceCalls, func(c instanceCall) bool { return c.method == name && c.code == codes.OK }) {
				t.Errorf("%s.%s is not called", service, name)
			}
		}
		if methods.Len() != 10 {
			t.Errorf("%s has %d methods", service, methods.Len())
		}
	}
}

// calledInstance is an instance that one of the services is called about, over one protocol.
type calledInstance struct {
	*testing.T
	n        *kit.Node
	w        kit.Wire
	service  string
	id       string
	replacer *strings.Replacer // of ID, GENERATED and DOMAIN
}

func newCalledInstance(t *testing.T, n *kit.Node, w kit.Wire, service string) *calledInstance {
	t.Helper()
	id := n.Create(t, kit.Machine("Acme")).GetInstanceId()
	got, _ := n.Get(t, id)
	return &calledInstance{T: t, n: n, w: w, service: service, id: id, replacer: strings.NewReplacer(
		`"ID"`, `"`+id+`"`, `"GENERATED"`, `"`+got.GetInstance().GetDomains()[0].GetDomain()+`"`,
		`"DOMAIN"`, `"`+w.Name+`.`+id+`.example"`,
	)}
}

func (i *calledInstance) events() []string {
	i.Helper()
	return logtest.Types(i.T, i.n.DB(), i.n.Events(), ident.InstanceID(i.id))
}

func (i *calledInstance) beta() bool { return i.service == instanceV2Beta }

// must ends the test unless err is nil.
func (i *calledInstance) must(err error) {
	i.Helper()
	if err != nil {
		i.Fatal(err)
	}
}

// send sends a call with a token, and returns its answer and the message in it.
func (i *calledInstance) send(c instanceCall, token string) (kit.Answer, proto.Message) {
	i.Helper()
	name := i.service + "/" + c.method
	in, out := kit.Messages(name)
	body := i.replacer.Replace(c.request)
	if i.beta() {
		body = betaRequest.Replace(body)
	}
	i.must(protojson.Unmarshal([]byte(body), in))
	return i.w.Send(i.T, i.n.Client, kit.Call{Method: name, Request: in, Token: token}, out), out
}

// guarded sends a call as those who may not make it: strangers, and viewers if it changes something.
func (i *calledInstance) guarded(c instanceCall) {
	i.Helper()
	if a, _ := i.send(c, ""); a.Code != codes.Unauthenticated || strings.HasPrefix(i.w.Name, "rest") && a.HTTP != http.StatusUnauthorized {
		i.Errorf("%s of %s for nobody over %s: %v", c.method, i.service, i.w.Name, a)
	}
	if strings.HasPrefix(c.method, "Get") || strings.HasPrefix(c.method, "List") {
		return
	}
	if a, _ := i.send(c, kit.Viewer().Token(i.T)); a.Code != codes.PermissionDenied || a.ID != "AUTH-5mWD2" {
		i.Errorf("%s of %s for a viewer over %s: %v", c.method, i.service, i.w.Name, a)
	}
}

// check sends a call and checks its answer.
func (i *calledInstance) check(c instanceCall) {
	i.Helper()
	a, out := i.send(c, kit.Operator().Token(i.T))
	if a.Code != c.code || a.ID != c.id {
		i.Fatalf("%s of %s over %s: %v, want %v %q", c.method, i.service, i.w.Name, a, c.code, c.id)
	}
	if c.code != codes.OK {
		return
	}
	text, err := protojson.Marshal(out)
	i.must(err)
	want := i.replacer.Replace(c.want)
	if i.beta() {
		want = betaAnswer.Replace(want)
	}
	var wanted, got any
	i.must(json.Unmarshal([]byte(want), &wanted))
	i.must(json.Unmarshal(text, &got))
	undate(got)
	if diff := gocmp.Diff(wanted, got); diff != "" {
		i.Errorf("%s of %s over %s (-want +got):\n%s", c.method, i.service, i.w.Name, diff)
	}
}

// undate puts true in the place of all dates.
func undate(v any) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			undate(element)
		}
	case map[string]any:
		for key, element := range v {
			if strings.HasSuffix(key, "Date") {
				v[key] = true
			}
			undate(element)
		}
	}
}
