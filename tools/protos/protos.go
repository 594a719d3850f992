// Package protos pins the module that carries google/api/annotations.proto and http.proto.
//
// tools/gen.sh copies the two files out of the module cache; nothing is built from here. It is a
// module of its own because that release predates the split of the Go packages for Google's
// protos, which the tools next door need.
package protos

import _ "github.com/grpc-ecosystem/grpc-gateway/utilities" // keeps the requirement when tidying
