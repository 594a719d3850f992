package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// source is the descriptors, with the custom options of ours and of others readable.
type source struct {
	files *protoregistry.Files
	types *dynamicpb.Types
}

// newSource reads a FileDescriptorSet. It takes two passes: the first to learn the types of the
// options, the second to read the options with them.
func newSource(raw []byte) (*source, error) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, err
	}
	types := dynamicpb.NewTypes(files)
	set.Reset()
	if err := (proto.UnmarshalOptions{Resolver: types}).Unmarshal(raw, &set); err != nil {
		return nil, err
	}
	if files, err = protodesc.NewFiles(&set); err != nil {
		return nil, err
	}
	return &source{files: files, types: types}, nil
}

// option reads the custom option called name of d into a struct, by way of its JSON form. An
// option that is not set leaves the struct alone. A field the struct does not have is an error.
func (s *source) option(d protoreflect.Descriptor, name protoreflect.FullName, into any) error {
	extension, err := s.types.FindExtensionByName(name)
	if err != nil {
		return fmt.Errorf("option %s: %w", name, err)
	}
	options := d.Options().ProtoReflect()
	if !options.IsValid() || !options.Has(extension.TypeDescriptor()) {
		return nil
	}
	value := extension.InterfaceOf(options.Get(extension.TypeDescriptor()))
	message, ok := value.(proto.Message)
	if !ok {
		return fmt.Errorf("option %s of %s is not a message", name, d.FullName())
	}
	raw, err := protojson.MarshalOptions{Resolver: s.types}.Marshal(message)
	if err != nil {
		return fmt.Errorf("option %s of %s: %w", name, d.FullName(), err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("option %s of %s: %w", name, d.FullName(), err)
	}
	return nil
}

// number returns the custom option called name of d, which is a number; 0 when it is not set.
func (s *source) number(d protoreflect.Descriptor, name protoreflect.FullName) (int64, error) {
	extension, err := s.types.FindExtensionByName(name)
	if err != nil {
		return 0, fmt.Errorf("option %s: %w", name, err)
	}
	options := d.Options().ProtoReflect()
	if !options.IsValid() {
		return 0, nil
	}
	return options.Get(extension.TypeDescriptor()).Int(), nil
}

// oneofRequired says whether one field of the oneof has to be set.
func (s *source) oneofRequired(oneof protoreflect.OneofDescriptor) (bool, error) {
	extension, err := s.types.FindExtensionByName("validate.required")
	if err != nil {
		return false, err
	}
	options := oneof.Options().ProtoReflect()
	return options.IsValid() && options.Get(extension.TypeDescriptor()).Bool(), nil
}

// method finds an RPC by the package of file and the operation id "Service_Method".
func (s *source) method(file protoreflect.FileDescriptor, service, method string) (protoreflect.MethodDescriptor, error) {
	name := file.Package().Append(protoreflect.Name(service)).Append(protoreflect.Name(method))
	d, err := s.files.FindDescriptorByName(name)
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", name, err)
	}
	m, ok := d.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is not a method", name)
	}
	return m, nil
}
