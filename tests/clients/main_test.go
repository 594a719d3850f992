// Package clients_test calls the real binary with clients of others: curl, grpcurl, the gRPC-Web, Connect and
// OpenID Connect libraries that browsers and Node.js use, and the libraries for OAuth of Go programs.
//
// It needs these programs and, the first time, the npm registry, so it runs only when
// CASTELLAN_TEST_CLIENTS is set, as `make test-clients` does; a program that is missing skips its
// test.
package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"castellan/tests/kit"

	// What errors carry, for the descriptors.
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
)

func TestMain(m *testing.M) { kit.Main(m) }

// need skips the test unless clients are asked for and the program is there.
func need(t *testing.T, program string) {
	t.Helper()
	if os.Getenv("CASTELLAN_TEST_CLIENTS") == "" {
		t.Skip("clients of others are called by make test-clients")
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("not run: there is no %s", program)
	}
}

// run runs a program and returns what it printed; when it fails, so does the test.
func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	out, err := try(env, program, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return out
}

func try(env []string, program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestNodeLibraries runs each script on every engine.
func TestNodeLibraries(t *testing.T) {
	need(t, "node")
	need(t, "npm")
	t.Parallel()
	libraries(t)
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		p := b.Exec(t)
		env := []string{
			"CASTELLAN_URL=" + p.URL, "CASTELLAN_TOKEN=" + kit.Operator().Token(t), "CASTELLAN_DESCRIPTORS=" + descriptors(t),
		}
		instances := 0
		for _, script := range []string{"connect-web.mjs", "grpc-web.mjs", "openapi.mjs"} {
			out := run(t, env, "node", script)
			t.Logf("%s", out)
			instances += strings.Count(out, "instance ")
		}
		p.Stop(t)
		n := b.Start(t, nil)
		if got := kit.CheckWhole(t, n.DB()); len(got) != instances || instances != 6 {
			t.Errorf("%d instances, the scripts say %d", len(got), instances)
		}
	})
}

// installed installs the libraries that package-lock.json names, unless they are there.
var installed = sync.OnceValue(func() error {
	wanted, err := os.Stat("package-lock.json")
	if err != nil {
		return err
	}
	// npm writes this file last.
	there, err := os.Stat(filepath.Join("node_modules", ".package-lock.json"))
	if err == nil && !there.ModTime().Before(wanted.ModTime()) {
		return nil
	}
	if out, err := try(nil, "npm", "ci", "--no-audit", "--no-fund", "--silent"); err != nil {
		return fmt.Errorf("install the libraries of Node.js: %w\n%s", err, out)
	}
	return nil
})

// libraries sees to it that the libraries of Node.js are there.
func libraries(t *testing.T) {
	t.Helper()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
}

// descriptors writes the files of the service, and all they import, as clients get them.
func descriptors(t *testing.T) string {
	t.Helper()
	set := &descriptorpb.FileDescriptorSet{}
	seen := make(map[string]bool)
	var add func(f protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(systemv1.File_zitadel_system_proto)
	add(castellansystemv1.File_castellan_system_v1_lifecycle_proto)
	add(instancev2.File_zitadel_instance_v2_instance_service_proto)
	for _, name := range []protoreflect.FullName{"zitadel.v1.ErrorDetail", "google.rpc.BadRequest"} {
		m, err := protoregistry.GlobalTypes.FindMessageByName(name)
		if err != nil {
			t.Fatal(err)
		}
		add(m.Descriptor().ParentFile())
	}
	text, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "descriptors.binpb")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
