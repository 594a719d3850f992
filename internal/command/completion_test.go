package command

import (
	"slices"
	"strings"
	"testing"
)

// A shell is offered what can be typed, and no names of files where ids are wanted.
func TestCompletion(t *testing.T) {
	t.Parallel()
	const noFiles, noDescriptions = ":4", "__completeNoDesc"
	for args, want := range map[string]string{
		"instance get":                         noFiles,
		"instance list --sort":                 "id name created " + noFiles,
		"instance members 7 --output":          "table json " + noFiles,
		"quota remove 7 --unit":                "requests action-seconds " + noFiles,
		"feature set":                          noFiles,
		"feature set 7":                        "login-default-org " + noFiles,
		"feature set 7 login-default-org":      "true false " + noFiles,
		"feature set 7 login-default-org true": noFiles,
		"limits bulk":                          "json :8", // files with that ending
		"system-user keygen --type":            "ecdsa rsa ed25519 " + noFiles,
	} {
		out := castellan().Succeed(t, slices.Concat([]string{noDescriptions}, strings.Fields(args), []string{""})...)
		if got := strings.Join(strings.Fields(out), " "); got != want {
			t.Errorf("%s: got %q, want %q", args, got, want)
		}
	}
}
