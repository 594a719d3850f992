package tenant_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"castellan/tests/kit"
)

// covered are the calls of an instance's own APIs that the scenarios have seen succeed, and leave the events they
// should. A method that no scenario calls fails the package.
var covered kit.Coverage

// served are the methods of an instance's own APIs that are implemented. TestServed finds them, which is done before
// any scenario goes on in parallel.
var served []string

// everyMethod returns an error with the methods that no scenario has.
func everyMethod() error {
	return covered.Missing(served...)
}

// elsewhere are the services that tests/system has the scenarios of.
var elsewhere = []string{"zitadel.system.v1.SystemService", "zitadel.instance.v2.InstanceService", "zitadel.instance.v2beta.InstanceService"}

// TestServed finds out what an instance's own APIs serve: every method that does not answer Unimplemented.
func TestServed(t *testing.T) {
	b := kit.NewBackend(t, "sqlite")
	x := newTenant(t, b.Start(t, nil), "acme.example")
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			if !strings.HasPrefix(string(service.FullName()), "zitadel.") || slices.Contains(elsewhere, string(service.FullName())) {
				continue
			}
			for j := range service.Methods().Len() {
				method := string(service.FullName()) + "/" + string(service.Methods().Get(j).Name())
				empty, _ := kit.Messages(method)
				if a := x.try(method, empty, nil); a.Code != codes.Unimplemented {
					served = append(served, method)
				}
			}
		}
		return true
	})
	slices.Sort(served)
	if len(served) < 100 {
		t.Errorf("only %d methods are served: %v", len(served), served)
	}
}
