package transport

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect"
	"github.com/rs/cors"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"castellan/internal/ident"
)

// DefaultMaxRequestBytes is the limit on one request message when none is configured: 4 MiB,
// as gRPC has it (contract section 3.2).
const DefaultMaxRequestBytes = 4 << 20

// Config is what a Registrar needs. Only Dispatcher has no default.
type Config struct {
	// Dispatcher runs every call.
	Dispatcher Dispatcher
	// MaxRequestBytes limits one request message, decompressed. 0 is DefaultMaxRequestBytes.
	MaxRequestBytes int
	// Logger receives the causes of internal errors and panics; slog.Default() when nil.
	Logger *slog.Logger
	// Clock dates the Expires header of REST answers; the clock of the machine when nil.
	Clock ident.Clock
	// NewRequestID makes ids for requests that bring none; 128 random bits when nil.
	NewRequestID func() string
	// SuccessCode, when set, is asked once for each method that has a REST mapping, and
	// returns the HTTP status of its successes; 0 means 200.
	SuccessCode func(protoreflect.MethodDescriptor) int
}

// Registrar implements grpc.ServiceRegistrar and, once the services are registered, the
// http.Handler that serves them. Registering and serving must not overlap.
type Registrar struct {
	config   Config
	rpcs     map[string]*method // by /package.Service/Method
	routes   routes
	mounts   []mount // longest path first
	services []string
	cors     *cors.Cors
	errors   *connect.ErrorWriter
	options  []connect.HandlerOption
	expires  atomic.Pointer[expiry]
}

// method is one registered method.
type method struct {
	descriptor protoreflect.MethodDescriptor
	full       string
	impl       any
	unary      grpc.MethodHandler
	stream     grpc.StreamHandler // nil for a method with one answer
	// rpc makes connect-go's side of the method when it is first called: one needs a few KB, and of the
	// many methods most servers see few.
	rpc func() *connect.Handler
}

// mount is a handler of someone else.
type mount struct {
	path    string
	handler http.Handler
}

// New returns a Registrar without services. It panics when there is no Dispatcher, as a call
// without one would be open to everybody.
func New(config Config) *Registrar {
	if config.Dispatcher == nil {
		panic("transport: no Dispatcher")
	}
	config.MaxRequestBytes = cmp.Or(config.MaxRequestBytes, DefaultMaxRequestBytes)
	config.Logger = cmp.Or(config.Logger, slog.Default())
	config.Clock = cmp.Or[ident.Clock](config.Clock, ident.SystemClock{})
	if config.NewRequestID == nil {
		config.NewRequestID = rand.Text
	}
	if config.SuccessCode == nil {
		config.SuccessCode = func(protoreflect.MethodDescriptor) int { return http.StatusOK }
	}
	return &Registrar{
		config:  config,
		rpcs:    make(map[string]*method),
		routes:  make(routes),
		cors:    newCORS(),
		errors:  connect.NewErrorWriter(),
		options: rpcOptions(config),
	}
}

// RegisterService implements grpc.ServiceRegistrar. It panics when the service cannot be
// served as declared: a descriptor that is not linked in, an implementation of another type,
// a client stream, or an HTTP rule that is unknown, malformed or taken.
func (g *Registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(desc.ServiceName))
	if err != nil {
		panic(fmt.Sprintf("transport: service %s: %v", desc.ServiceName, err))
	}
	service, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		panic(fmt.Sprintf("transport: %s is no service", desc.ServiceName))
	}
	if desc.HandlerType != nil {
		want := reflect.TypeOf(desc.HandlerType).Elem()
		if impl == nil || !reflect.TypeOf(impl).Implements(want) {
			panic(fmt.Sprintf("transport: %T does not implement %v", impl, want))
		}
	}
	for _, m := range desc.Methods {
		g.register(service, m.MethodName, &method{impl: impl, unary: m.Handler})
	}
	for _, s := range desc.Streams {
		if s.ClientStreams {
			panic(fmt.Sprintf("transport: %s/%s streams requests, which is not served", desc.ServiceName, s.StreamName))
		}
		g.register(service, s.StreamName, &method{impl: impl, stream: s.Handler})
	}
	g.services = append(g.services, desc.ServiceName)
}

// register puts one method on its RPC path and its REST routes.
func (g *Registrar) register(service protoreflect.ServiceDescriptor, name string, m *method) {
	m.full = "/" + string(service.FullName()) + "/" + name
	if m.descriptor = service.Methods().ByName(protoreflect.Name(name)); m.descriptor == nil || g.rpcs[m.full] != nil {
		panic("transport: not declared, or registered twice: " + m.full)
	}
	g.rpcs[m.full] = m
	m.rpc = sync.OnceValue(func() *connect.Handler { return g.handlerOf(m) })
	if m.stream != nil {
		return // REST answers are one message
	}
	bindings, err := bind(m)
	if err != nil {
		panic(fmt.Sprintf("transport: http rule of %s: %v", m.full, err))
	}
	for _, b := range bindings {
		b.success = cmp.Or(g.config.SuccessCode(m.descriptor), http.StatusOK)
		if taken := g.routes.add(b); taken != nil {
			panic(fmt.Sprintf("transport: %s and %s both answer %s %s", taken.method.full, m.full, b.verb, b.path))
		}
	}
}

// Mount serves path, and when it ends in a slash everything below it, with handler: what is
// no service of ours, such as server reflection or pages. Neither the Dispatcher nor CORS
// apply to it: what a handler authenticates with cookies must not be readable from any
// origin. Services win over mounts, longer paths over shorter ones.
func (g *Registrar) Mount(path string, handler http.Handler) {
	g.mounts = append(g.mounts, mount{path, handler})
	slices.SortStableFunc(g.mounts, func(a, b mount) int { return len(b.path) - len(a.path) })
}

// Services returns the full names of the registered services, in order of registration.
func (g *Registrar) Services() []string { return slices.Clone(g.services) }

// Streams reports whether what is served at a path goes on for as long as both sides like: a
// method that streams its answers, or a mount.
func (g *Registrar) Streams(r *http.Request) bool {
	if m := g.rpcs[r.URL.Path]; m != nil {
		return m.stream != nil
	}
	return g.mounted(r) != nil
}

// Handler returns the handler of the port.
func (g *Registrar) Handler() http.Handler { return http.HandlerFunc(g.serve) }

// serve finds who answers a request.
func (g *Registrar) serve(w http.ResponseWriter, r *http.Request) {
	rpc := g.rpcs[r.URL.Path]
	var hit *match
	var allowed []string
	if rpc == nil {
		if hit = g.routes.find(r); hit == nil {
			allowed = g.routes.allowed(r)
		}
		if hit == nil && allowed == nil {
			if h := g.mounted(r); h != nil {
				h.ServeHTTP(w, r)
				return
			}
		}
	}
	g.cors.HandlerFunc(w, r) // answers preflights
	switch {
	case preflight(r):
	case rpc != nil:
		w, r, done := asBinary(w, r)
		defer done()
		g.serveRPC(w, r, rpc)
	case hit != nil:
		g.serveREST(w, r, hit)
	case allowed != nil:
		g.refuse(w, r, http.StatusMethodNotAllowed, allowed)
	default:
		w, r, done := asBinary(w, r)
		defer done()
		g.serveUnknown(w, r)
	}
}

// mounted returns the handler mounted at or above the path of r. The root does not get RPCs,
// whose clients expect an answer of their kind.
func (g *Registrar) mounted(r *http.Request) http.Handler {
	path := r.URL.Path
	for _, m := range g.mounts {
		switch {
		case m.path == path:
			return m.handler
		case m.path == "/" && rpcKind(r) != "":
			return nil
		case strings.HasSuffix(m.path, "/") && strings.HasPrefix(path, m.path):
			return m.handler
		}
	}
	return nil
}
