package dispatch

import (
	"context"
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"

	"castellan/internal/access"
	"castellan/internal/api/transport"

	optionsv1 "castellan/gen/castellan/options/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// BenchmarkSystemUser is what the dispatcher itself costs a call of a system user: everything
// but the transport, the verification of the token and the handler.
func BenchmarkSystemUser(b *testing.B) {
	f := newFixture("SYSTEM_OWNER")
	m := systemv1.File_zitadel_system_proto.Services().Get(0).Methods().ByName("GetInstance")
	request, answer := &systemv1.GetInstanceRequest{InstanceId: "268123456789012345"}, &systemv1.GetInstanceResponse{}
	run := func(ctx context.Context, check transport.Check) (proto.Message, error) {
		return answer, check(ctx, request)
	}
	header := signedIn()
	b.ReportAllocs()
	for b.Loop() {
		c := &transport.Call{
			Method: m, FullMethod: "/zitadel.system.v1.SystemService/GetInstance", Protocol: transport.REST,
			RequestID: "r", HTTPMethod: http.MethodGet, Host: "id.example:8080", Peer: "192.0.2.1:1", Header: header,
		}
		if _, err := f.d.Dispatch(b.Context(), c, run); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUser is what it costs a call of an instance's own API by one of its users: for everybody, and with
// a permission on something, or on all of the instance, which is looked for nowhere.
func BenchmarkUser(b *testing.B) {
	for name, q := range map[string]struct {
		method *optionsv1.Auth
		has    []access.Membership
	}{
		"authenticated":   {anyUser, nil},
		"on a user":       {onUser, []access.Membership{onOrg("1")}},
		"on the instance": {onUser, []access.Membership{onA("IAM_OWNER")}},
	} {
		b.Run(name, func(b *testing.B) {
			f, _ := hosted(q.has...)
			m := methodOf(b, q.method)
			request := requestOf(b, m, "user_id", "u1")
			run := func(ctx context.Context, check transport.Check) (proto.Message, error) {
				return request, check(ctx, request)
			}
			header := as("user")
			b.ReportAllocs()
			for b.Loop() {
				c := &transport.Call{
					Method: m, FullMethod: "/test.S/Do", Protocol: transport.REST, RequestID: "r", HTTPMethod: http.MethodGet,
					Host: "a.example", Peer: "192.0.2.1:1", Header: header,
				}
				if _, err := f.d.Dispatch(b.Context(), c, run); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
