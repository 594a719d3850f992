package client

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"castellan/internal/vault"
)

// FuzzParseMachineKey checks that nothing of a file gets into an error, and that what is taken for a key
// is one.
func FuzzParseMachineKey(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	file, err := vault.MachineKeyFile(key, "1", "2", time.Unix(2_000_000_000, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(`{"type":"serviceaccount","keyId":"1","userId":"2","key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}`))
	f.Add([]byte(`{"type":"application","keyId":"1","appId":"2"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxKeyFile {
			return
		}
		key, err := ParseMachineKey(text)
		switch {
		case err == nil && (key.signer == nil || key.KeyID == "" || key.UserID == ""):
			t.Errorf("%q is taken for a key", text)
		case err != nil && len(text) > 40 && strings.Contains(err.Error(), string(text[10:40])):
			t.Errorf("%v quotes the file", err)
		}
	})
}
