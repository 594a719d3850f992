package clients_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"castellan/tests/kit"
)

// TestTenant runs tenant.sh, the example that goes from one call of the System API to tokens, roles and
// organizations.
func TestTenant(t *testing.T) {
	for _, program := range []string{"bash", "curl", "go", "node", "npm"} {
		need(t, program)
	}
	t.Parallel()
	libraries(t)
	env := []string{"GRPCURL=" + grpcurl(t), "RELYING=" + build(t, "castellan/tests/clients/relying")}
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		run(t, nil, kit.Binary(t), "system-user", "keygen", "--out", b.Dir, "ops")
		p := b.Exec(t, "EXTERNAL_DOMAIN=localhost", "SYSTEM_USERS=ops="+filepath.Join(b.Dir, "ops.pub.pem"))
		token := run(t, nil, kit.Binary(t), "token", "--key", filepath.Join(b.Dir, "ops.pem"), "--user", "ops", "--audience", "http://localhost")
		out := run(t, append(env, "CASTELLAN_URL="+strings.Replace(p.URL, "127.0.0.1", "localhost", 1), "CASTELLAN_TOKEN="+strings.TrimSpace(token)), "./tenant.sh")
		t.Logf("%s", out)
		p.Stop(t)
	})
}

// build builds a program of this repository and returns its path.
func build(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, []string{"CGO_ENABLED=0"}, "go", "build", "-o", dir, program)
	return filepath.Join(dir, filepath.Base(program))
}

// grpcurl returns the path of that program, which the toolchain builds the first time.
func grpcurl(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "tool", "-n", "grpcurl")
	cmd.Dir = filepath.Join("..", "..", "tools", "grpcurl")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("build grpcurl: %v %s", err, out)
	}
	return strings.TrimSpace(string(out))
}
