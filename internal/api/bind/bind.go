package bind

import (
	"context"
	"fmt"
	"reflect"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"castellan/internal/fault"
	"castellan/internal/ident"
)

// atKey is where the instance of a call travels from the dispatcher to the adapter.
type atKey struct{}

// At returns a context for a handler behind a [Table]: its call is about the instance id. It is for the
// dispatcher alone. An empty id is none, and the handler will not run.
func At(ctx context.Context, id ident.InstanceID) context.Context {
	return context.WithValue(ctx, atKey{}, id)
}

// Method is one method of a service with its handler. Make one with [Unary].
type Method struct {
	name    string
	in, out proto.Message
	handle  grpc.MethodHandler
}

// Unary returns a method with one request and one answer. The instance that handle gets is the one
// whose host was called; it is never empty.
func Unary[In, Out any, PIn interface {
	*In
	proto.Message
}, POut interface {
	*Out
	proto.Message
}](name string, handle func(ctx context.Context, at ident.InstanceID, in PIn) (POut, error)) Method {
	return Method{
		name: name, in: PIn(new(In)), out: POut(new(Out)),
		handle: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := PIn(new(In))
			if err := decode(in); err != nil {
				return nil, err // the dispatcher refuses calls while it is decoded
			}
			at, ok := ctx.Value(atKey{}).(ident.InstanceID)
			if !ok || at == "" {
				return nil, fmt.Errorf("bind: the dispatcher has not said which instance %s is about", name)
			}
			out, err := handle(ctx, at, in)
			if err != nil {
				return nil, err // not out: a nil POut in an any is no nil
			}
			return out, nil
		},
	}
}

// Table is a service of which some methods have handlers.
type Table struct{ desc grpc.ServiceDesc }

// Service returns the table of a generated service. It panics when a method is not one of the service,
// is listed twice, or has other messages, and when the service has a method that streams.
func Service(desc *grpc.ServiceDesc, methods ...Method) *Table {
	service := describe(desc)
	handlers := make(map[string]grpc.MethodHandler, len(methods))
	for _, m := range methods {
		check(service, m)
		if handlers[m.name] != nil {
			panic(fmt.Sprintf("bind: %s/%s is listed twice", desc.ServiceName, m.name))
		}
		handlers[m.name] = m.handle
	}
	t := &Table{desc: grpc.ServiceDesc{
		ServiceName: desc.ServiceName, HandlerType: (*any)(nil), Metadata: desc.Metadata,
	}}
	for _, m := range desc.Methods {
		handler := handlers[m.MethodName]
		if handler == nil {
			handler = unimplemented(m.MethodName)
		}
		t.desc.Methods = append(t.desc.Methods, grpc.MethodDesc{MethodName: m.MethodName, Handler: handler})
	}
	return t
}

// Register serves the table. It is done once, before the first call.
func (t *Table) Register(to grpc.ServiceRegistrar) { to.RegisterService(&t.desc, t) }

// describe finds the descriptor of a service that only has methods with one answer.
func describe(desc *grpc.ServiceDesc) protoreflect.ServiceDescriptor {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(desc.ServiceName))
	if err != nil {
		panic(fmt.Sprintf("bind: service %s: %v", desc.ServiceName, err))
	}
	if len(desc.Streams) > 0 {
		panic(fmt.Sprintf("bind: %s/%s streams, which is not served here", desc.ServiceName, desc.Streams[0].StreamName))
	}
	return found.(protoreflect.ServiceDescriptor)
}

// check panics unless m is a method of the service, with its messages.
func check(service protoreflect.ServiceDescriptor, m Method) {
	d := service.Methods().ByName(protoreflect.Name(m.name))
	if d == nil {
		panic(fmt.Sprintf("bind: %s has no method %s", service.FullName(), m.name))
	}
	for _, pair := range []struct {
		message proto.Message
		want    protoreflect.MessageDescriptor
	}{{m.in, d.Input()}, {m.out, d.Output()}} {
		if pair.message.ProtoReflect().Descriptor().FullName() != pair.want.FullName() {
			panic(fmt.Sprintf("bind: %s takes or returns %s, not %v", d.FullName(), pair.want.FullName(), reflect.TypeOf(pair.message)))
		}
	}
}

// unimplemented answers calls of a method nobody has listed. Its request is not even decoded.
func unimplemented(name string) grpc.MethodHandler {
	err := fault.Plain(fault.Unimplemented, "method "+name+" not implemented")
	return func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) { return nil, err }
}
