package kit

import (
	"flag"
	"fmt"
	"strings"
	"sync"
)

// Coverage remembers which methods the tests of a package have seen succeed, by protocol. Its zero value is ready
// for use.
type Coverage struct {
	mu   sync.Mutex
	seen map[string]bool
}

// Add remembers a call of what [Call] calls a method.
func (c *Coverage) Add(method string, w Wire) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = make(map[string]bool)
	}
	c.seen[Path(method)+" over "+w.Name] = true
}

// Missing returns an error that has the methods, as [Call] calls them, of which no call has succeeded over gRPC,
// and over REST or, where a method has no path there, over Connect in JSON, which looks the same. It returns nil
// when not all tests of the package were asked for. It is a check for [Main].
func (c *Coverage) Missing(methods ...string) error {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []string
	for _, method := range methods {
		wires := []string{GRPC().Name, REST().Name}
		if !REST().Serves(method) {
			wires[1] = "connect-json"
		}
		for _, wire := range wires {
			if call := Path(method) + " over " + wire; !c.seen[call] {
				missing = append(missing, call)
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no test of this package has seen these calls succeed:\n%s", strings.Join(missing, "\n"))
	}
	return nil
}
