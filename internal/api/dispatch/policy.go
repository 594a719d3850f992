package dispatch

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/fault"

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
	// byHost is the field of the request that the host stands for, when it is empty.
	byHost protoreflect.FieldDescriptor
}

// ofInstances reports whether the RPC is one of the instances', and not of the system alone.
func (p *policy) ofInstances() bool { return p.instancePermission != "" || p.byHost != nil }

// errUndeclared refuses RPCs nobody has thought about.
var errUndeclared = fault.Plain(fault.PermissionDenied, "this method declares no permission")

// policyOf returns what the proto file declares for a method; it is looked up once.
func (d *Dispatcher) policyOf(m protoreflect.MethodDescriptor) *policy {
	if p, ok := d.policies.Load(m.FullName()); ok {
		return p.(*policy)
	}
	p := &policy{}
	if auth, ok := proto.GetExtension(m.Options(), optionsv1.E_Auth).(*optionsv1.Auth); ok {
		p.public, p.write, p.paged = auth.GetPublic(), auth.GetWrite(), auth.GetPaged()
		p.permission, p.instancePermission = auth.GetPermission(), auth.GetInstancePermission()
		if auth.GetByHost() {
			p.byHost = instanceField(m.Input())
			if p.byHost == nil {
				p.permission = "" // the host could not be told to the handler
			}
		}
	}
	for _, name := range d.PublicServices {
		p.public = p.public || string(m.Parent().FullName()) == name
	}
	d.policies.Store(m.FullName(), p)
	return p
}

// instanceField returns the field of a request that names an instance, or nil.
func instanceField(request protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	f := request.Fields().ByName("instance_id")
	if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
		return nil
	}
	return f
}
