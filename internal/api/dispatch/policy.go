package dispatch

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/fault"
	"castellan/internal/role"

	optionsv1 "castellan/gen/castellan/options/v1"
)

// policy is what the proto file of an RPC declares.
type policy struct {
	public, write bool
	paged         bool // the header of a page leads to its pages
	// permission is what a system user needs; none means that nobody has thought about the RPC.
	permission string
	// instancePermission is what a member of the instance that the call is about needs instead; none
	// means that no user of an instance may call.
	instancePermission string
	// authenticated lets every user of an instance call, and no system user.
	authenticated bool
	// on says on what of the instance instancePermission is needed; nothing: on all of it.
	on []on
	// atHost makes a public call one of the instance whose host was called.
	atHost bool
	// byHost is the field of the request that the host stands for, when it is empty.
	byHost protoreflect.FieldDescriptor
}

// ofInstances reports whether the RPC is one of the instances', and not of the system alone.
func (p *policy) ofInstances() bool {
	return p.hosted() || p.instancePermission != "" || p.byHost != nil || p.atHost
}

// hosted reports whether the RPC is of an instance's own API: for its users, about the instance whose
// host was called, which its request does not name.
func (p *policy) hosted() bool {
	return p.permission == "" && (p.authenticated || p.instancePermission != "")
}

// errUndeclared refuses RPCs nobody has thought about.
var errUndeclared = fault.Plain(fault.PermissionDenied, "this method declares no permission")

// policyOf returns what the proto file declares for a method; it is looked up once.
func (d *Dispatcher) policyOf(m protoreflect.MethodDescriptor) *policy {
	if p, ok := d.policies.Load(m.FullName()); ok {
		return p.(*policy)
	}
	p, err := declared(m)
	if err != nil {
		d.Logger.Error("a method serves nobody", "method", m.FullName(), "error", err)
		p = &policy{}
	}
	for _, name := range d.PublicServices {
		p.public = p.public || string(m.Parent().FullName()) == name
	}
	d.policies.Store(m.FullName(), p)
	return p
}

// Check returns why a method would serve nobody: its declaration is missing, contradicts itself, or
// names fields that its request does not have. It is for tests; a method that is not implemented
// need not pass.
func Check(m protoreflect.MethodDescriptor) error {
	p, err := declared(m)
	if err == nil && !p.public && p.permission == "" && !p.hosted() {
		return errUndeclared
	}
	return err
}

// declared reads what the proto file declares for a method; nothing declared is a policy that lets
// nobody call.
func declared(m protoreflect.MethodDescriptor) (*policy, error) {
	auth, ok := proto.GetExtension(m.Options(), optionsv1.E_Auth).(*optionsv1.Auth)
	if !ok || auth == nil {
		return &policy{}, nil
	}
	p := &policy{
		public: auth.GetPublic(), write: auth.GetWrite(), paged: auth.GetPaged(), authenticated: auth.GetAuthenticated(),
		permission: auth.GetPermission(), instancePermission: auth.GetInstancePermission(),
	}
	switch {
	case auth.GetByHost() && p.public:
		p.atHost = true
	case auth.GetByHost():
		if p.byHost = instanceField(m.Input()); p.byHost == nil {
			return nil, errors.New("by_host: the request has no instance_id to tell the handler the host's")
		}
	}
	for _, o := range auth.GetOn() {
		resolved, err := resolve(m.Input(), o)
		if err != nil {
			return nil, fmt.Errorf("on %v: %w", o, err)
		}
		p.on = append(p.on, resolved)
	}
	return p, p.consistent()
}

// consistent returns what contradicts itself in a declaration.
func (p *policy) consistent() error {
	switch {
	case p.public && (p.permission != "" || p.instancePermission != "" || p.authenticated):
		return errors.New("public, and for some only")
	case p.authenticated && (p.permission != "" || p.instancePermission != "" || p.byHost != nil):
		return errors.New("authenticated needs no permission")
	case len(p.on) > 0 && (!p.hosted() || p.authenticated):
		return errors.New("on: goes with instance_permission, without permission")
	case p.instancePermission != "" && !role.Instance.KnownPermission(p.instancePermission):
		return fmt.Errorf("instance_permission: no role grants %s", p.instancePermission)
	}
	return nil
}

// instanceField returns the field of a request that names an instance, or nil.
func instanceField(request protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	f := request.Fields().ByName("instance_id")
	if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
		return nil
	}
	return f
}
