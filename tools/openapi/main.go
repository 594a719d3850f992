// Command openapi completes the OpenAPI documents the protoc plugin makes.
//
//	openapi IMAGE IN OUT
//
// The plugin knows paths, shapes and comments. This program adds what only our options say: who
// may call, which calls take an idempotency key, and the limits of validate.rules. It reads the
// descriptors from IMAGE (a FileDescriptorSet with source info), each IN/name.openapi.json, and
// writes OUT/name.json. It does not depend on the generated Go code, which it may run before. A
// rule it cannot express is an error, so that no limit gets lost in silence.
//
// Neighbours: tools/gen.sh runs it; internal/api/openapi serves the result and tests it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: openapi IMAGE IN OUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

// run completes every document below in.
func run(image, in, out string) error {
	raw, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	src, err := newSource(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", image, err)
	}
	const suffix = ".openapi.json"
	return filepath.WalkDir(in, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		name, err := filepath.Rel(in, strings.TrimSuffix(path, suffix))
		if err != nil {
			return err
		}
		if err := complete(src, filepath.ToSlash(name), path, filepath.Join(out, name+".json")); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// complete reads the document of the proto file name.proto and writes it with our additions.
func complete(src *source, name, in, out string) error {
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	doc := object{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&doc); err != nil {
		return err
	}
	if err := enrich(src, name+".proto", doc); err != nil {
		return err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(doc); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, text.Bytes(), 0o644)
}
