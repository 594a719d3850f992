package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"castellan/internal/systemuser"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
	"castellan/tests/kit"
)

func TestKeygen(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{systemuser.KindECDSA, systemuser.KindRSA, systemuser.KindEd25519} {
		dir := filepath.Join(t.TempDir(), "keys, all") // a comma cannot stand in the short form
		made := decode[keyPair](t, castellan().Succeed(t, "system-user", "keygen", "ops", "--type", kind, "--out", dir, "-o", "json"))
		terminaltest.Modes(t, dir, map[string]os.FileMode{".": 0o700, "ops.pem": 0o600})
		users, err := systemuser.Parse(made.SystemUsers)
		if err == nil {
			err = systemuser.Validate(users)
		}
		if err != nil || len(users) != 1 || users[0].Name != "ops" || users[0].Path != made.PublicKeyFile {
			t.Errorf("%s: %v, %+v", kind, err, users)
		}
		terminaltest.Claims(t, castellan().Succeed(t, "token", "--key", made.PrivateKeyFile, "--user", "ops"), made.PublicKeyFile, "ops", kit.Issuer)
	}
}

func TestKeygenKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, there := range []string{"ops.pem", "ops.pub.pem"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, there), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := castellan().Run(t, "system-user", "keygen", "ops", "--out", dir)
		if got.Code != terminal.ExitFailure || !strings.Contains(got.Err, there+": file exists") {
			t.Errorf("code %d, %s", got.Code, got.Err)
		}
		entries, err := os.ReadDir(dir)
		if text, _ := os.ReadFile(filepath.Join(dir, there)); err != nil || len(entries) != 1 || string(text) != "mine" {
			t.Errorf("%v, %v, %q", err, entries, text)
		}
	}
	if got := castellan().Run(t, "system-user", "keygen", "../ops"); got.Code != terminal.ExitUsage {
		t.Errorf("code %d, %s", got.Code, got.Err)
	}
	terminaltest.Contains(t, castellan().Succeed(t, "system-user", "keygen", "ops", "--out", t.TempDir()),
		"System user  ops\n", "\n  CASTELLAN_SYSTEM_USERS=ops=/", "\n  castellan token --key /")
}
