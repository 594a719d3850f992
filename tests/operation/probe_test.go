package operation_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

const service = "zitadel.system.v1.SystemService"

// services are all services, and the proto files that declare them.
var services = map[string]string{
	service:                               "zitadel/system.proto",
	"zitadel.instance.v2.InstanceService": "zitadel/instance/v2/instance_service.proto",
	"zitadel.instance.v2beta.InstanceService":                  "zitadel/instance/v2beta/instance_service.proto",
	"castellan.system.v1.InstanceLifecycleService":             "castellan/system/v1/lifecycle.proto",
	"castellan.events.v1.EventService":                         "castellan/events/v1/events.proto",
	"zitadel.admin.v1.AdminService":                            "zitadel/admin.proto",
	"zitadel.application.v2.ApplicationService":                "zitadel/application/v2/application_service.proto",
	"zitadel.auth.v1.AuthService":                              "zitadel/auth.proto",
	"zitadel.authorization.v2.AuthorizationService":            "zitadel/authorization/v2/authorization_service.proto",
	"zitadel.internal_permission.v2.InternalPermissionService": "zitadel/internal_permission/v2/internal_permission_service.proto",
	"zitadel.management.v1.ManagementService":                  "zitadel/management.proto",
	"zitadel.org.v2.OrganizationService":                       "zitadel/org/v2/org_service.proto",
	"zitadel.project.v2.ProjectService":                        "zitadel/project/v2/project_service.proto",
	"zitadel.user.v2.UserService":                              "zitadel/user/v2/user_service.proto",
	"zitadel.webkey.v2.WebKeyService":                          "zitadel/webkey/v2/webkey_service.proto",
	"grpc.health.v1.Health":                                    "grpc/health/v1/health.proto",
}

// TestProbes is contract section 7: alive, ready, and both without credentials.
func TestProbes(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		status, h, text := kit.Raw(t, n.HTTP, "GET", n.URL+"/debug/healthz", "", nil)
		if status != http.StatusOK || text != "ok" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
			t.Errorf("/debug/healthz: %d %q %v", status, text, h)
		}
		status, h, text = kit.Raw(t, n.HTTP, "GET", n.URL+"/debug/ready", "", nil)
		if status != http.StatusOK || strings.TrimSpace(text) != `"ok"` || h.Get("Content-Type") != "application/json" {
			t.Errorf("/debug/ready: %d %q %v", status, text, h)
		}
		if status, _, _ = kit.Raw(t, n.HTTP, "GET", n.URL+"/debug/pprof/", "", nil); status != http.StatusNotFound {
			t.Errorf("/debug/pprof/: %d", status)
		}
	})
}

// counters reads the metrics and returns the values of all counters by name and labels.
func counters(t *testing.T, c *kit.Client) map[string]float64 {
	t.Helper()
	status, h, text := kit.Raw(t, c.HTTP, "GET", c.URL+"/debug/metrics", "", nil)
	if status != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("/debug/metrics: %d %v", status, h)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("/debug/metrics is no Prometheus text: %v", err)
	}
	values := make(map[string]float64)
	for name, f := range families {
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		for _, m := range f.GetMetric() {
			if f.GetType() == dto.MetricType_COUNTER {
				values[name+labels(m)] = m.GetCounter().GetValue()
			}
		}
	}
	return values
}

func labels(m *dto.Metric) string {
	var parts []string
	for _, l := range m.GetLabel() {
		parts = append(parts, l.GetName()+"="+l.GetValue())
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ",") + "}"
}

// TestMetrics counts calls over several protocols, taken and refused.
func TestMetrics(t *testing.T) {
	t.Parallel()
	n := kit.NewBackend(t, "sqlite").Start(t, nil)
	before := counters(t, n.Client)
	for _, w := range kit.Wires() {
		w.Call(t, n.Client, "CreateInstance", kit.Machine("Acme"), nil)
		w.Call(t, n.Client, "CreateInstance", kit.Machine(""), nil)
		w.Send(t, n.Client, kit.Call{Method: "GetInstance", Request: &systemv1.GetInstanceRequest{InstanceId: "1"}}, nil)
	}
	after := counters(t, n.Client)
	calls := float64(len(kit.Wires()))
	const create, get = "/" + service + "/CreateInstance", "/" + service + "/GetInstance"
	for name, want := range map[string]float64{
		"grpc_server_request_counter_total{grpc_method=" + create + "}":                              2 * calls,
		"grpc_server_request_counter_total{grpc_method=" + get + "}":                                 calls,
		"grpc_server_total_request_counter_total{}":                                                  3 * calls,
		"grpc_server_grpc_status_code_total{grpc_method=" + create + ",return_code=OK}":              calls,
		"grpc_server_grpc_status_code_total{grpc_method=" + create + ",return_code=InvalidArgument}": calls,
		"grpc_server_grpc_status_code_total{grpc_method=" + get + ",return_code=Unauthenticated}":    calls,
	} {
		if got := after[name] - before[name]; got != want {
			t.Errorf("%s went up by %v, want %v", name, got, want)
		}
	}
	for _, made := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if _, _, text := kit.Raw(t, n.HTTP, "GET", n.URL+"/debug/metrics", "", nil); !strings.Contains(text, "\n"+made+" ") {
			t.Errorf("no %s", made)
		}
	}
}

// TestHealthService is grpc.health.v1: SERVING by name until the server stops.
func TestHealthService(t *testing.T) {
	t.Parallel()
	n := kit.NewBackend(t, "sqlite").Start(t, nil)
	conn, err := n.GRPC()
	if err != nil {
		t.Fatal(err)
	}
	c := healthv1.NewHealthClient(conn)
	for _, name := range append(slices.Collect(maps.Keys(services)), "") {
		if name == healthv1.Health_ServiceDesc.ServiceName {
			continue // it does not speak of itself
		}
		got, err := c.Check(t.Context(), &healthv1.HealthCheckRequest{Service: name})
		if err != nil || got.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v %v", name, got, err)
		}
	}
	if _, err := c.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "unknown"}); status.Code(err) != codes.NotFound {
		t.Errorf("unknown: %v", err)
	}
}

// TestHealthWatchEnds: a stream that watches is told that the program stops, and does not keep
// it from stopping.
func TestHealthWatchEnds(t *testing.T) {
	t.Parallel()
	n := kit.NewBackend(t, "sqlite").Exec(t)
	conn, err := n.GRPC()
	if err != nil {
		t.Fatal(err)
	}
	watch, err := healthv1.NewHealthClient(conn).Watch(context.WithoutCancel(t.Context()), &healthv1.HealthCheckRequest{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{
		healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING,
	} {
		got, err := watch.Recv()
		if err != nil || got.GetStatus() != want {
			t.Fatalf("%v %v, want %v", got, err, want)
		}
		if want == healthv1.HealthCheckResponse_SERVING {
			n.Terminate(t)
		}
	}
	if err := n.Wait(t); err != nil {
		t.Errorf("ended with %v; it logged:\n%s", err, n.Logs.Bytes())
	}
}

// TestReflection: both versions list the services and describe them, with all they refer to.
func TestReflection(t *testing.T) {
	t.Parallel()
	n := kit.NewBackend(t, "sqlite").Start(t, nil)
	conn, err := n.GRPC()
	if err != nil {
		t.Fatal(err)
	}
	v1, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		t.Helper()
		if err := v1.Send(r); err != nil {
			t.Fatal(err)
		}
		got, err := v1.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	var listed []string
	for _, s := range ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
	}).GetListServicesResponse().GetService() {
		listed = append(listed, s.GetName())
	}
	if slices.Sort(listed); !slices.Equal(listed, slices.Sorted(maps.Keys(services))) {
		t.Errorf("services %q", listed)
	}
	// The files of the services and of everything they import make a whole.
	files := &descriptorpb.FileDescriptorSet{}
	for asked, queue := map[string]bool{}, slices.Collect(maps.Values(services)); len(queue) > 0; queue = queue[1:] {
		if asked[queue[0]] {
			continue
		}
		asked[queue[0]] = true
		for _, packed := range ask(&reflectionv1.ServerReflectionRequest{
			MessageRequest: &reflectionv1.ServerReflectionRequest_FileByFilename{FileByFilename: queue[0]},
		}).GetFileDescriptorResponse().GetFileDescriptorProto() {
			file := &descriptorpb.FileDescriptorProto{}
			if err := proto.Unmarshal(packed, file); err != nil {
				t.Fatal(err)
			}
			if file.GetName() == queue[0] {
				files.File = append(files.File, file)
			}
			queue = append(queue, file.GetDependency()...)
		}
	}
	registry, err := protodesc.NewFiles(files)
	if err != nil {
		t.Fatalf("the files are no whole: %v", err)
	}
	for name := range services {
		if _, err := registry.FindDescriptorByName(protoreflect.FullName(name)); err != nil {
			t.Error(err)
		}
	}
	checkAlpha(t, conn)
}

// checkAlpha checks the version that older clients speak. Its messages are those of v1 under
// another name.
func checkAlpha(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	const method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
	alpha, err := conn.NewStream(t.Context(), &reflectionv1.ServerReflection_ServiceDesc.Streams[0], method)
	if err != nil {
		t.Fatal(err)
	}
	err = alpha.SendMsg(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := new(reflectionv1.ServerReflectionResponse)
	if err := alpha.RecvMsg(got); err != nil || len(got.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("v1alpha: %v %v", got, err)
	}
}

// TestOpenAPI: the document of each service with REST names every path, and everything it refers
// to is in it.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	n := kit.NewBackend(t, "sqlite").Start(t, nil)
	status, h, index := kit.Raw(t, n.HTTP, "GET", n.URL+"/openapi/", "", nil)
	if status != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		t.Errorf("/openapi/: %d %v %s", status, h, index)
	}
	for service, least := range map[string]int{service: 50, "zitadel.instance.v2beta.InstanceService": 30} {
		name := strings.TrimSuffix(services[service], ".proto") + ".json"
		if !strings.Contains(index, name) {
			t.Errorf("%s is not in %s", name, index)
		}
		status, h, text := kit.Raw(t, n.HTTP, "GET", n.URL+"/openapi/"+name, "", nil)
		if status != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
			t.Fatalf("%s: %d %v", name, status, h)
		}
		checkDocument(t, service, text)
		checkReferences(t, text, least)
	}
}

// checkDocument checks that a document names every path of a service.
func checkDocument(t *testing.T, service, text string) {
	t.Helper()
	var doc struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") || doc.Info.Title == "" || doc.Info.Version == "" {
		t.Errorf("openapi %q, info %+v", doc.OpenAPI, doc.Info)
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		t.Fatal(err)
	}
	methods := d.(protoreflect.ServiceDescriptor).Methods()
	for i := range methods.Len() {
		verb, path := kit.Route(service + "/" + string(methods.Get(i).Name()))
		if doc.Paths[path][strings.ToLower(verb)] == nil {
			t.Errorf("%s %s is not in the document", verb, path)
		}
	}
}

// checkReferences checks that the references in a document, of which there are so many at least,
// lead to something.
func checkReferences(t *testing.T, text string, least int) {
	t.Helper()
	var whole any
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		t.Fatal(err)
	}
	refs := regexp.MustCompile(`"\$ref":\s*"([^"]*)"`).FindAllStringSubmatch(text, -1)
	if len(refs) < least {
		t.Errorf("only %d references", len(refs))
	}
	for _, ref := range refs {
		at := whole
		for _, part := range strings.Split(strings.TrimPrefix(ref[1], "#/"), "/") {
			object, _ := at.(map[string]any)
			at = object[part]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", ref[1])
		}
	}
}
