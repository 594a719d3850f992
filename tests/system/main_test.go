// Package system_test proves the System API as callers see it: what each call answers, which
// events it leaves and what the database then holds, on every engine and over every protocol;
// and that bad input of every kind is refused with the right words and leaves nothing.
package system_test

import (
	"slices"
	"testing"

	"google.golang.org/grpc"

	"castellan/tests/kit"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
	systemv1 "castellan/gen/zitadel/system/v1"
)

func TestMain(m *testing.M) { kit.Main(m, everyMethod) }

// inOperation are methods whose scenarios are in tests/operation, as something has to fail first.
var inOperation = []string{"zitadel.system.v1.SystemService/RemoveFailedEvent"}

// everyMethod returns an error with the methods of operators, and of those they serve instances with, that no
// test has seen succeed. Those of an instance's own APIs are looked at by tests/tenant.
func everyMethod() error {
	var methods []string
	for _, service := range []grpc.ServiceDesc{
		systemv1.SystemService_ServiceDesc, instancev2.InstanceService_ServiceDesc, instancev2beta.InstanceService_ServiceDesc,
		castellansystemv1.InstanceLifecycleService_ServiceDesc,
	} {
		for _, m := range service.Methods {
			if name := service.ServiceName + "/" + m.MethodName; !slices.Contains(inOperation, name) {
				methods = append(methods, name)
			}
		}
	}
	return kit.Succeeded.Missing(methods...)
}
