package tenant_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"castellan/tests/kit"
)

// coverage remembers which calls of an instance's own APIs the scenarios have seen succeed, and leave the events
// they should. A method that no scenario calls fails the package, see [coverage.missing].
type coverage struct {
	mu     sync.Mutex
	served []string        // by TestServed
	seen   map[string]bool // method and protocol
}

var covered = coverage{seen: make(map[string]bool)}

// add remembers a call.
func (c *coverage) add(method, wire string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[method+" over "+wire] = true
}

// missing returns an error with the calls that no scenario has made, over gRPC and over REST (where a method has
// no path, over Connect in JSON instead). It returns nil when not all tests of the package were asked for.
func (c *coverage) missing() error {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return nil
		}
	}
	if len(c.served) == 0 {
		return fmt.Errorf("TestServed has found no methods")
	}
	var without []string
	for _, method := range c.served {
		wires := []string{kit.GRPC().Name, kit.REST().Name}
		if !kit.REST().Serves(method) {
			wires[1] = "connect-json"
		}
		for _, wire := range wires {
			if call := method + " over " + wire; !c.seen[call] {
				without = append(without, call)
			}
		}
	}
	if len(without) > 0 {
		return fmt.Errorf("no scenario has seen these calls succeed and checked their events:\n%s", strings.Join(without, "\n"))
	}
	return nil
}

// elsewhere are the services that tests/system has the scenarios of.
var elsewhere = []string{"zitadel.system.v1.SystemService", "zitadel.instance.v2.InstanceService", "zitadel.instance.v2beta.InstanceService"}

// TestServed finds out what an instance's own APIs serve: every method that does not answer Unimplemented.
func TestServed(t *testing.T) {
	b := kit.NewBackend(t, "sqlite")
	x := newTenant(t, b.Start(t, nil), "acme.example")
	var served []string
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
	covered.mu.Lock()
	defer covered.mu.Unlock()
	covered.served = served
}
