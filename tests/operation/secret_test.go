package operation_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// TestSecretsStaySecret: neither the database nor the logs, at their most talkative, hold a
// token, a password, a private key or the token of a caller, in any form they could be read from.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		token := kit.Operator().Token(t)
		secrets := map[string][]byte{"bearer token": []byte(token), "its signature": []byte(token[strings.LastIndexByte(token, '.')+1:])}
		for _, w := range kit.Wires() {
			// With a key for retries, so that the answers are kept, too.
			call := keyedCall(t, "secret-name-of-a-call-"+w.Name)
			call.Token = token
			made := new(systemv1.CreateInstanceResponse)
			if a := w.Send(t, n.Client, call, made); a.Code != codes.OK {
				t.Fatalf("over %s: %v", w.Name, a)
			}
			addSecrets(t, secrets, w.Name, made)
			human := kit.Human("Acme")
			human.GetHuman().Password.Password = "Secret-Password-7-" + w.Name
			if a := w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: human, Token: token}, nil); a.Code != codes.OK {
				t.Fatalf("over %s: %v", w.Name, a)
			}
			// Refused calls are logged as well.
			human.GetHuman().Profile = nil
			w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: human, Token: token}, nil)
			w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: human, Token: token + "x"}, nil)
		}
		kit.Raw(t, n.HTTP, "POST", n.URL+"/instances/_create", `{"human":{"password":{"password":"Secret-Password-7-malformed`, nil)
		secrets["passwords"] = []byte("Secret-Password-7")
		secrets["names of calls"] = []byte("secret-name-of-a-call")
		master, err := os.ReadFile(filepath.Join(b.Dir, "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSpace(string(master))
		secrets["master key"] = []byte(line[strings.LastIndexByte(line, ':')+1:])
		raw, err := base64.StdEncoding.DecodeString(string(secrets["master key"]))
		if err != nil {
			t.Fatal(err)
		}
		secrets["master key in binary"] = raw

		if logs := n.Logs.Bytes(); !bytes.Contains(logs, []byte(`"msg":"call"`)) {
			t.Errorf("the logs have no line for calls, so this test looks at nothing:\n%s", logs)
		} else {
			search(t, "logs", logs, secrets)
		}
		files := contents(t, b, n)
		if !bytes.Contains(files, []byte("ada@example.com")) {
			t.Error("the database does not have what it must, so this test looks at nothing")
		}
		search(t, "database", files, secrets)
	})
}

// addSecrets adds those of an answer.
func addSecrets(t *testing.T, secrets map[string][]byte, name string, made *systemv1.CreateInstanceResponse) {
	t.Helper()
	secrets["token of "+name] = []byte(made.GetPat())
	secrets["secret part of the token of "+name] = []byte(made.GetPat()[20:40])
	var file struct{ Key string }
	if err := json.Unmarshal(made.GetMachineKey(), &file); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(file.Key))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(file.Key, "\n")
	secrets["a line of the key of "+name] = []byte(lines[len(lines)/2])
	secrets["private exponent of "+name] = key.D.Bytes()
	secrets["prime of "+name] = key.Primes[0].Bytes()
}

// search fails the test for each secret in text: as it is, in hex, or in base64.
func search(t *testing.T, where string, text []byte, secrets map[string][]byte) {
	t.Helper()
	for name, secret := range secrets {
		if len(secret) < 12 {
			t.Fatalf("%s: %q is too short to search for", name, secret)
		}
		forms := [][]byte{secret, []byte(hex.EncodeToString(secret)), []byte(strings.ToUpper(hex.EncodeToString(secret)))}
		// In base64 a part that does not begin at its start looks one of three ways.
		for shift := range 3 {
			forms = append(forms, []byte(base64.StdEncoding.EncodeToString(secret[shift:shift+(len(secret)-shift)/3*3])))
		}
		for _, form := range forms {
			if bytes.Contains(text, form) {
				t.Errorf("%s: the %s are there in the clear", name, where)
			}
		}
	}
}

// contents returns every byte of the database: the files of SQLite, or all rows of all tables in
// PostgreSQL's binary form.
func contents(t *testing.T, b *kit.Backend, n *kit.Node) []byte {
	t.Helper()
	var all bytes.Buffer
	if b.Engine == "sqlite" {
		files, err := filepath.Glob(filepath.Join(b.Dir, "castellan.db*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("files %q: %v", files, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.Bytes()
	}
	conn, err := pgx.Connect(t.Context(), b.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for table := range kit.Counts(t, n.DB()) {
		sql := `COPY (SELECT * FROM ` + pgx.Identifier{table}.Sanitize() + `) TO STDOUT (FORMAT binary)`
		if _, err := conn.PgConn().CopyTo(t.Context(), &all, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	return all.Bytes()
}
