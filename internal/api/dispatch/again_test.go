package dispatch

import (
	"context"
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"castellan/internal/access"
	"castellan/internal/fault"
	"castellan/internal/store"
	"castellan/internal/systemuser"

	optionsv1 "castellan/gen/castellan/options/v1"
)

// A public call at the host of an instance needs an instance there that is served, and nobody to make it.
func TestPublicAtAHost(t *testing.T) {
	atHost, anywhere := methodOf(t, &optionsv1.Auth{Public: true, ByHost: true}), methodOf(t, &optionsv1.Auth{Public: true})
	for host, want := range map[string]string{
		"a.example":       ok,
		"stopped.example": access.Stopped.Public(),
		"blocked.example": access.Blocked.Public(),
		"404.example":     errUnknownHost.Public(),
	} {
		f, _ := hosted()
		f.host = host
		if got := outcomeOf(f.runMethod(atHost, dynamicpb.NewMessage(atHost.Input()), http.Header{})); got != want || f.handled != (want == ok) {
			t.Errorf("at %s: %s, want %s", host, got, want)
		}
		f, _ = hosted() // it knows a method by its name
		f.host = host
		if err := f.runMethod(anywhere, dynamicpb.NewMessage(anywhere.Input()), http.Header{}); err != nil {
			t.Errorf("of no instance at %s: %v", host, err)
		}
	}
	f, _ := hosted()
	f.d.Directory = nil
	if err := f.runMethod(atHost, dynamicpb.NewMessage(atHost.Input()), http.Header{}); fault.KindOf(err) != fault.Unimplemented {
		t.Errorf("without a directory: %v", err)
	}
	if err := Check(atHost); err != nil {
		t.Errorf("the declaration: %v", err)
	}
}

// streamOf is a method that streams, about an instance.
func streamOf(t *testing.T) protoreflect.MethodDescriptor {
	t.Helper()
	options := &descriptorpb.MethodOptions{}
	proto.SetExtension(options, optionsv1.E_Auth, &optionsv1.Auth{
		Permission: "system.audit.read", InstancePermission: "events.read", ByHost: true,
	})
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("stream.proto"), Package: proto.String("stream"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{message("M", "instance_id")},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Follow"), InputType: proto.String(".stream.M"), OutputType: proto.String(".stream.M"),
			ServerStreaming: proto.Bool(true), Options: options,
		}}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file.Services().Get(0).Methods().Get(0)
}

// standing are callers of whom is known whether they still are.
type standing struct {
	callers
	gone error
	seen systemuser.Proof
}

func (s *standing) Still(_ context.Context, _ store.Querier, p systemuser.Proof) (systemuser.Caller, error) {
	s.seen = p
	return systemuser.Caller{Name: p.Name, Memberships: s.callers[string(p.Name)]}, s.gone
}

// Whoever follows something is asked again, and told what a new call would be told.
func TestAgain(t *testing.T) {
	m := streamOf(t)
	if err := Check(m); err != nil {
		t.Fatal(err)
	}
	gone := fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
	type world struct {
		dir  *directory
		f    *fixture
		user *standing
	}
	for _, tt := range []struct {
		name, caller, id string
		change           func(w *world)
		want             string
	}{
		{"a user", "user", "", func(*world) {}, ok},
		{"a user without the role", "user", "", func(w *world) { w.dir.more = nil }, denied},
		{"a user whose instance was stopped", "user", "", func(w *world) { w.f.host = "stopped.example" }, access.Stopped.Public()},
		{"a user whose instance was removed", "user", "", func(w *world) { w.f.host = "404.example" }, gone.Public()},
		{"a user when the database is away", "user", "", func(w *world) { w.dir.fails = store.ErrUnavailable }, "the database is not available; try again"},
		{"an operator", "owner", "A", func(*world) {}, ok},
		{"an operator whose instance was stopped", "owner", "S", func(*world) {}, ok},
		{"an operator who was removed", "owner", "A", func(w *world) { w.user.gone = gone }, gone.Public()},
		{"an operator without the role", "owner", "A", func(w *world) { w.user.callers["owner"] = nil }, denied},
		{"an operator at a host", "owner", "", func(*world) {}, ok},
		{"an operator at a host that was stopped", "owner", "", func(w *world) { w.f.host = "stopped.example" }, access.Stopped.Public()},
	} {
		f, dir := hosted(onA("IAM_OWNER"))
		w := &world{dir, f, &standing{callers: f.d.Users.(callers)}}
		f.d.Users = w.user
		request := dynamicpb.NewMessage(m.Input())
		request.Set(m.Input().Fields().ByName("instance_id"), protoreflect.ValueOfString(tt.id))
		if err := f.runMethod(m, request, as(tt.caller)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		tt.change(w)
		f.asked.Host = f.host // the host leads elsewhere by now
		if got := outcomeOf(f.call.Again(t.Context())); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if tt.caller == "owner" && w.user.seen.Name != "owner" {
			t.Errorf("%s: asked about %+v", tt.name, w.user.seen)
		}
	}
	f, _ := hosted(onA("IAM_OWNER"))
	one := methodOf(t, onInstance)
	if err := f.runMethod(one, dynamicpb.NewMessage(one.Input()), as("user")); err != nil || f.call.Again != nil {
		t.Errorf("a call with one answer: %v", err)
	}
}
