package bind

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"castellan/internal/fault"
	"castellan/internal/ident"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
)

// registrar keeps what is registered.
type registrar struct {
	desc *grpc.ServiceDesc
	impl any
}

func (r *registrar) RegisterService(desc *grpc.ServiceDesc, impl any) { r.desc, r.impl = desc, impl }

// call calls a method the way a server does: decode is what fills the request.
func (r *registrar) call(ctx context.Context, method string, decode func(any) error) (any, error) {
	for _, m := range r.desc.Methods {
		if m.MethodName == method {
			return m.Handler(r.impl, ctx, decode, nil)
		}
	}
	return nil, errors.New("no such method")
}

// service is the service of the tests, which keeps what its handler was called with.
type service struct {
	at    ident.InstanceID
	in    *instancev2.GetInstanceRequest
	fails error
}

func (s *service) get(_ context.Context, at ident.InstanceID, in *instancev2.GetInstanceRequest) (*instancev2.GetInstanceResponse, error) {
	s.at, s.in = at, in
	if s.fails != nil {
		return nil, s.fails
	}
	return &instancev2.GetInstanceResponse{Instance: &instancev2.Instance{Id: string(at)}}, nil
}

func bound(s *service) *registrar {
	r := &registrar{}
	Service(&instancev2.InstanceService_ServiceDesc, Unary("GetInstance", s.get)).Register(r)
	return r
}

func TestAHandlerGetsItsInstance(t *testing.T) {
	s := &service{}
	r := bound(s)
	out, err := r.call(At(t.Context(), "7"), "GetInstance", func(in any) error {
		in.(*instancev2.GetInstanceRequest).InstanceId = "asked"
		return nil
	})
	if err != nil || out.(*instancev2.GetInstanceResponse).GetInstance().GetId() != "7" {
		t.Errorf("%v, %v", out, err)
	}
	if s.at != "7" || s.in.GetInstanceId() != "asked" {
		t.Errorf("the handler got %q, %v", s.at, s.in)
	}
	if r.desc.ServiceName != "zitadel.instance.v2.InstanceService" || len(r.desc.Methods) != len(instancev2.InstanceService_ServiceDesc.Methods) {
		t.Errorf("%+v", r.desc)
	}
	s.fails = errors.New("no")
	if out, err := r.call(At(t.Context(), "7"), "GetInstance", func(any) error { return nil }); out != nil || !errors.Is(err, s.fails) {
		t.Errorf("a handler that fails: %v, %v", out, err)
	}
}

func TestNoHandlerRunsWithout(t *testing.T) {
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		ctx    context.Context
		decode func(any) error
		want   string
	}{
		"an instance":       {t.Context(), func(any) error { return nil }, "which instance"},
		"a name of one":     {At(t.Context(), ""), func(any) error { return nil }, "which instance"},
		"being let through": {At(t.Context(), "7"), func(any) error { return refused }, "refused"},
		"both":              {t.Context(), func(any) error { return refused }, "refused"},
	} {
		s := &service{}
		out, err := bound(s).call(c.ctx, "GetInstance", c.decode)
		if err == nil || !strings.Contains(err.Error(), c.want) || out != nil || s.in != nil {
			t.Errorf("without %s: %v, %v", name, out, err)
		}
	}
}

// What is not listed is not implemented, and its request is left alone.
func TestUnlisted(t *testing.T) {
	out, err := bound(&service{}).call(At(t.Context(), "7"), "ListInstances", func(any) error {
		t.Error("the request was asked for")
		return nil
	})
	if f := fault.Of(err); out != nil || f.Kind != fault.Unimplemented || f.Public() != "method ListInstances not implemented" {
		t.Errorf("%v, %v", out, err)
	}
}

func TestATableThatDoesNotFit(t *testing.T) {
	var s service
	desc := &instancev2.InstanceService_ServiceDesc
	get := Unary("GetInstance", s.get)
	for want, make := range map[string]func(){
		"no method Get":              func() { Service(desc, Unary("Get", s.get)) },
		"listed twice":               func() { Service(desc, get, get) },
		"GetInstance takes or":       func() { Service(desc, Unary("GetInstance", wrongIn)) },
		"GetInstance takes or ":      func() { Service(desc, Unary("GetInstance", wrongOut)) },
		"UpdateInstance takes or":    func() { Service(desc, Unary("UpdateInstance", s.get)) },
		"streams":                    func() { Service(&castellansystemv1.InstanceLifecycleService_ServiceDesc) },
		"service zitadel.no.Service": func() { Service(&grpc.ServiceDesc{ServiceName: "zitadel.no.Service"}) },
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, want) {
					t.Errorf("want a panic with %q, got %q", want, p)
				}
			}()
			make()
		}()
	}
}

func wrongIn(context.Context, ident.InstanceID, *instancev2.ListInstancesRequest) (*instancev2.GetInstanceResponse, error) {
	return nil, nil
}

func wrongOut(context.Context, ident.InstanceID, *instancev2.GetInstanceRequest) (*instancev2.ListInstancesResponse, error) {
	return nil, nil
}
