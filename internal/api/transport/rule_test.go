package transport_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"castellan/internal/api/transport"
)

// get returns a rule for GET with more bindings.
func get(path string, more ...*annotations.HttpRule) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}, AdditionalBindings: more}
}

// ruleFiles counts the files linked in, as each needs a name of its own.
var ruleFiles atomic.Int64

// registerRule links in a service with one method that has the rule, and registers it. It
// returns what the registrar panics with.
func registerRule(t *testing.T, name string, rule *annotations.HttpRule) (refusal string) {
	t.Helper()
	everything()
	options := &descriptorpb.MethodOptions{}
	proto.SetExtension(options, annotations.E_Http, rule)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String(name + ".proto"), Package: proto.String("castellan.transport." + name), Syntax: proto.String("proto3"),
		Dependency: []string{"castellan/transport/everything.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("M"), InputType: proto.String(".castellan.transport.test.Everything"),
			OutputType: proto.String(".castellan.transport.test.Everything"), Options: options,
		}}}},
	}, protoregistry.GlobalFiles)
	must(err)
	must(protoregistry.GlobalFiles.RegisterFile(file))
	defer func() {
		if p := recover(); p != nil {
			refusal = fmt.Sprint(p)
		}
	}()
	transport.New(transport.Config{Dispatcher: &gate{}}).RegisterService(&grpc.ServiceDesc{
		ServiceName: "castellan.transport." + name + ".S",
		Methods:     []grpc.MethodDesc{{MethodName: "M"}},
	}, nil)
	return ""
}

func TestRulesThatCannotBeServedAreRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("/a", 17)
	cases := []struct {
		rule *annotations.HttpRule
		want string // "" when the rule is fine
	}{
		{get("/v1/a"), ""},
		{get("/v1/{f_string=a/*/b/**}:verb"), ""},
		{get("/v1/{child.child.color}"), ""},
		{get("/v1/{maybe}/{by_name}"), ""},
		{get("/v1/a.b-c_d~e!$&'()+,;@:v"), ""},
		{get("v1/a"), "no slash at the start"},
		{get(""), "no slash at the start"},
		{get("/"), `unexpected segment ""`},
		{get("/v1/"), `unexpected segment ""`},
		{get("/v1//a"), `unexpected segment ""`},
		{get("/v1/a:"), "nothing after the colon"},
		{get("/v1/{f_string"), "a brace is not closed"},
		{get("/v1/{f_string}x"), `unexpected "x"`},
		{get("/v1/x{f_string}"), `unexpected segment "x{f_string}"`},
		{get("/v1/{f_string=a/{f_bytes}}"), `unexpected segment "{f_bytes"`},
		{get("/v1/{f_string=}"), `unexpected segment ""`},
		{get("/v1/{f_string=**}/a"), "** before the end"},
		{get("/v1/**/{f_string}"), "** before the end"},
		{get("/v1/../a"), `unexpected segment ".."`},
		{get("/v1/a%20b"), `unexpected segment "a%20b"`},
		{get("/v1/a***"), `unexpected segment "a***"`},
		{get(deep), "more than 16 segments"},
		{get("/v1/{nope}"), `has no field "nope"`},
		{get("/v1/{fString}"), `has no field "fString"`},
		{get("/v1/{child}"), "a message is no value"},
		{get("/v1/{at}"), "a message is no value"},
		{get("/v1/{names}"), `"names" is repeated`},
		{get("/v1/{labels}"), `"labels" is repeated`},
		{get("/v1/{children.f_string}"), `"children" is repeated`},
		{get("/v1/{f_string.x}"), "nothing within a value"},
		{get("/v1/{f_string}", get("/v1/{f_bytes}")), "both answer GET /v1/{f_bytes}"},
		{get("/v1/{f_string}", get("/v1/b", get("/v1/c"))), "additional bindings within additional bindings"},
		{&annotations.HttpRule{}, "no HTTP method"},
		{&annotations.HttpRule{Pattern: &annotations.HttpRule_Custom{Custom: &annotations.CustomHttpPattern{Kind: "*", Path: "/a"}}}, "no HTTP method"},
		{&annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: "/a"}, ResponseBody: "f_string"}, "not supported"},
		{&annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: "/a"}, Body: "nope"}, `no field "nope" for the body`},
	}
	for _, c := range cases {
		got := registerRule(t, fmt.Sprintf("rule%d", ruleFiles.Add(1)), c.rule)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	preflight := func(method, headers string) http.Header {
		return http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {headers}}
	}
	all := "accept,accept-language,authorization,connect-protocol-version,connect-timeout-ms,content-type,grpc-timeout,idempotency-key,x-grpc-web,x-request-id,x-requested-with,x-user-agent,x-zitadel-orgid"
	for _, target := range []string{"/t/v1/all", createPath, "/nowhere"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			w := setup(t).rest("OPTIONS", target, "", preflight(method, all))
			h := w.Header()
			if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Allow-Credentials") != "true" ||
				h.Get("Access-Control-Allow-Methods") != method || h.Get("Access-Control-Allow-Headers") != all || h.Get("Access-Control-Max-Age") != "600" {
				t.Errorf("%s %s: %d %v", method, target, w.Code, h)
			}
		}
	}
	for _, h := range []http.Header{preflight("TRACE", all), preflight("POST", "x-other")} {
		if w := setup(t).rest("OPTIONS", "/t/v1/all", "", h); w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v allowed: %v", h, w.Header())
		}
	}
	for _, target := range []string{"/t/v1/all", "/t/v1/all?fBool=x", "/nowhere"} {
		h := setup(t).rest("GET", target, "", http.Header{"Origin": {"https://app.example"}}).Header()
		exposed := strings.ToLower(h.Get("Access-Control-Expose-Headers"))
		for _, name := range []string{"location", "content-length", "grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"} {
			if !strings.Contains(exposed, name) {
				t.Errorf("%s: %s is not exposed: %s", target, name, exposed)
			}
		}
		if h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" {
			t.Errorf("%s: %v", target, h)
		}
	}
}
