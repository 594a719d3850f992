package operation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"

	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// TestReload: SIGHUP makes the program read the configuration file and the keys again, for calls
// that begin afterwards, and with a fault in them it keeps what it has.
func TestReload(t *testing.T) {
	t.Parallel()
	b := kit.NewBackend(t, "sqlite")
	old, next := kit.NewUser("rotating"), kit.NewUser("rotating")
	added := kit.NewUser("added")
	pem, config := filepath.Join(b.Dir, "rotating.pub.pem"), filepath.Join(b.Dir, "castellan.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pem, old.PublicPEM())
	write(config, fmt.Sprintf("systemUsers:\n  - name: rotating\n    path: %s\n", pem))
	p := b.Exec(t, "SYSTEM_USERS=", "CONFIG="+config)
	check := func(when string, u kit.User, token string, want codes.Code) {
		t.Helper()
		request := &systemv1.GetInstanceRequest{InstanceId: "404"}
		if a := kit.REST().Send(t, p.Client, kit.Call{Method: "GetInstance", Request: request, Token: token}, nil); a.Code != want {
			t.Errorf("%s, %s: %v, want %v", when, u.Name, a, want)
		}
	}
	oldToken, newToken, addedToken := old.Token(t), next.Token(t), added.Token(t)
	check("at first", old, oldToken, codes.NotFound)
	check("at first", next, newToken, codes.Unauthenticated)

	write(pem, next.PublicPEM())
	check("before the signal", old, oldToken, codes.NotFound)
	p.Signal(t, syscall.SIGHUP)
	p.Logs.Wait(t, `"msg":"system users reloaded","users":1`, p.Ended)
	check("with a new key", old, oldToken, codes.Unauthenticated) // though it was verified before
	check("with a new key", next, newToken, codes.NotFound)

	write(config, fmt.Sprintf("systemUsers:\n  - name: rotating\n    path: %s\n  - name: added\n    keyData: |\n%s", pem,
		"      "+strings.ReplaceAll(strings.TrimSpace(added.PublicPEM()), "\n", "\n      ")+"\n"))
	p.Signal(t, syscall.SIGHUP)
	p.Logs.Wait(t, `"msg":"system users reloaded","users":2`, p.Ended)
	check("with one more", added, addedToken, codes.NotFound)
	check("with one more", next, newToken, codes.NotFound)

	write(config, "systemUsers:\n  - name: broken\n    keyData: nonsense\n")
	p.Signal(t, syscall.SIGHUP)
	p.Logs.Wait(t, "the system users were not reloaded", p.Ended)
	check("with a broken file", added, addedToken, codes.NotFound)
	check("with a broken file", next, newToken, codes.NotFound)
	p.Stop(t)
}
