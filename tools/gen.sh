#!/bin/sh
# Generates everything that is made from proto/ and puts it below the directory given:
#
#   gen/                                the Go code: messages, services, validation
#   internal/api/openapi/documents/     one OpenAPI document for each file with HTTP rules
#
# It needs Go and a shell. The tools are those tools/go.mod pins; the proto files of others come
# from the module cache and are not committed. Run it from the root of the repository.
set -eu

dest=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# module_dir DIR MODULE prints where the module cache keeps MODULE as pinned by DIR/go.mod.
module_dir() {
	go -C "$1" mod download "$2"
	go -C "$1" list -m -f '{{.Dir}}' "$2"
}
google=$(module_dir tools/protos github.com/grpc-ecosystem/grpc-gateway)/third_party/googleapis
validate=$(module_dir tools github.com/envoyproxy/protoc-gen-validate)

# The workspace buf.yaml describes: our files, and those they import.
cp -R proto buf.yaml "$scratch"
mkdir -p "$scratch/third_party/google/api" "$scratch/third_party/validate"
cp "$google/google/api/annotations.proto" "$google/google/api/http.proto" "$scratch/third_party/google/api"
cp "$validate/validate/validate.proto" "$scratch/third_party/validate"

buf() { go tool -modfile=tools/go.mod buf "$@"; }
buf lint "$scratch"
buf generate "$scratch/proto" --template buf.gen.yaml --output "$scratch"
buf build "$scratch/proto" --output "$scratch/image.binpb"
go -C tools run ./openapi "$scratch/image.binpb" "$scratch/openapi" "$scratch/documents"

# A file without messages gets a validator with nothing in it.
find "$scratch/castellan" -name '*.pb.validate.go' | while read -r file; do
	grep -q 'Validate() error' "$file" || rm "$file"
done

mkdir -p "$dest/internal/api/openapi"
rm -rf "$dest/gen" "$dest/internal/api/openapi/documents"
cp -R "$scratch/castellan/gen" "$dest"
cp -R "$scratch/documents" "$dest/internal/api/openapi"
