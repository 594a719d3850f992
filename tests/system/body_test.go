package system_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/tests/kit"
)

const (
	createREST = "/system/v1/instances/_create"
	createRPC  = "/zitadel.system.v1.SystemService/CreateInstance"
	goodJSON   = `{"instanceName":"Acme","machine":{"userName":"robot","name":"Robot","personalAccessToken":{"expirationDate":"2031-01-01T00:00:00Z"}}}`
)

// badBodies are no JSON, or no request.
func badBodies() []string {
	bodies := []string{
		`[]`, `"text"`, `1`, `null`, `nul`, `{]`, `{"instanceName"}`, `{"instanceName":}`, `{'instanceName':'Acme'}`, `{instanceName:"Acme"}`,
		goodJSON + `x`, goodJSON + goodJSON, goodJSON + ` {}`, goodJSON + `]`, goodJSON + "\x00", "\ufeff" + goodJSON,
		`{"instanceName":"Acme","instanceName":"Acme",` + goodJSON[len(`{"instanceName":"Acme",`):], // twice
		`{"instance_name":"A",` + goodJSON[1:],                                                      // twice, in either spelling
		`{"human":{"email":{"email":"ada@example.com"}},` + goodJSON[1:],                            // two owners
		`{"human":{},"machine":{},"instanceName":"Acme"}`,
		`{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `,` + goodJSON[1:],
		`{"instanceName":"\ud800",` + goodJSON[len(`{"instanceName":"Acme",`):], // half a character
		`{"instanceName":"\u0000",` + goodJSON[len(`{"instanceName":"Acme",`):],
		`instanceName=Acme&machine.name=Robot`, "\x1f\x8b\x08", `<?xml version="1.0"?>`,
	}
	for end := range len(goodJSON) {
		bodies = append(bodies, goodJSON[:end])
	}
	return bodies
}

// TestMalformedBodies sends them over both protocols that take JSON.
func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		h := http.Header{"Authorization": {"Bearer " + kit.Operator().Token(t)}, "Content-Type": {"application/json"}}
		for _, path := range []string{createREST, createRPC} {
			for _, body := range badBodies() {
				status, _, text := kit.Raw(t, n.HTTP, "POST", n.URL+path, body, h)
				var answer struct{ Code any }
				err := json.Unmarshal([]byte(text), &answer)
				want := map[string]any{createREST: 3.0, createRPC: "invalid_argument"}[path]
				if status != http.StatusBadRequest || err != nil || answer.Code != want || !utf8.ValidString(text) || len(text) > 2000 {
					t.Errorf("%s %.60q: %d %.300s", path, body, status, text)
				}
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// TestWrongTypes gives every field of the request a JSON value that is of another type.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	var bodies []string
	var walk func(m protoreflect.MessageDescriptor, before, after string)
	walk = func(m protoreflect.MessageDescriptor, before, after string) {
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			for _, wrong := range wrongValues(f) {
				bodies = append(bodies, fmt.Sprintf(`%s{"%s":%s}%s`, before, f.JSONName(), wrong, after))
			}
			if f.Message() != nil && f.Message().FullName() != "google.protobuf.Timestamp" {
				walk(f.Message(), before+`{"`+f.JSONName()+`":`, `}`+after)
			}
		}
	}
	walk(kit.Method("CreateInstance").Input(), "", "")
	if len(bodies) < 80 {
		t.Fatalf("found only %d", len(bodies))
	}
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		token := kit.Operator().Token(t)
		for _, body := range bodies {
			status, _, answer := exchange(t, n.Client, token, "POST", "/instances/_create", body)
			message, _ := answer["message"].(string)
			// The name of an enum value that this program does not know counts as none (contract
			// section 3.1: what is unknown is ignored), and then it is the rule that is broken.
			ofType := strings.HasPrefix(message, "the request is not valid JSON for its type") || strings.Contains(body, `"type":"`)
			if status != http.StatusBadRequest || answer["code"] != 3.0 || !ofType {
				t.Errorf("%s: %d %v", body, status, answer)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// wrongValues are JSON values a field does not take.
func wrongValues(f protoreflect.FieldDescriptor) []string {
	switch {
	case f.Message() != nil && f.Message().FullName() == "google.protobuf.Timestamp":
		return []string{`5`, `true`, `{}`, `{"seconds":5}`, `"now"`}
	case f.Message() != nil:
		return []string{`5`, `"text"`, `true`, `[]`}
	case f.Enum() != nil:
		return []string{`"KEY_TYPE_XML"`, `"1"`, `{}`, `true`, `1.5`, `99999999999`}
	case f.Kind() == protoreflect.BoolKind:
		return []string{`"true"`, `1`, `{}`, `[]`}
	default:
		return []string{`5`, `true`, `{}`, `["text"]`}
	}
}

// TestBodyTooLarge: more than 4 MiB is refused, plain and compressed, and nobody has to
// authenticate late for it.
func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		large := kit.Machine(strings.Repeat("x", 5_000_000))
		for _, w := range kit.Wires() {
			a := w.Call(t, n.Client, "CreateInstance", large, nil)
			if a.Code != codes.ResourceExhausted {
				t.Errorf("over %s: %v", w.Name, a)
			}
			if strings.HasPrefix(w.Name, "rest") && a.HTTP != http.StatusRequestEntityTooLarge {
				t.Errorf("over %s: status %d", w.Name, a.HTTP)
			}
			if a := w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: large}, nil); a.Code != codes.Unauthenticated && a.Code != codes.ResourceExhausted {
				t.Errorf("anonymous over %s: %v", w.Name, a)
			}
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		fmt.Fprintf(z, `{"instanceName":"%s"}`, strings.Repeat("x", 50_000_000))
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		for path, encoding := range map[string]string{createREST: "Content-Encoding", createRPC: "Content-Encoding"} {
			status, _, text := kit.Raw(t, n.HTTP, "POST", n.URL+path, packed.String(), http.Header{
				"Authorization": {"Bearer " + kit.Operator().Token(t)}, "Content-Type": {"application/json"}, encoding: {"gzip"},
			})
			if status != http.StatusRequestEntityTooLarge && status != http.StatusTooManyRequests {
				t.Errorf("50 MB in %d bytes to %s: %d %s", packed.Len(), path, status, text)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// TestWrongRequests: paths, verbs and content types that nobody serves.
func TestWrongRequests(t *testing.T) {
	t.Parallel()
	const (
		notFound   = `{"code":5,"message":"Not Found"}`
		notAllowed = `{"code":12,"message":"Method Not Allowed"}`
		getRPC     = "/zitadel.system.v1.SystemService/GetInstance"
	)
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		for _, c := range []struct {
			method, path, contentType string
			status                    int
			body                      string // the whole answer, unless it is empty
		}{
			{"GET", "/system/v1/nothing", "", 404, notFound},
			{"POST", "/system/v2/instances/_create", "application/json", 404, notFound},
			{"GET", "/", "", 404, notFound},
			{"GET", "/instances/", "", 404, notFound},
			{"GET", "/system/v1/instances/1/", "", 404, notFound},
			{"GET", "/system/v1//instances/1", "", 404, notFound},
			{"GET", "/system/v1/instances/../healthz", "", 404, notFound},
			{"GET", "/system/v1/instances/%2e%2e", "", 404, notFound},
			{"GET", "/SYSTEM/v1/healthz", "", 404, notFound},
			{"POST", "/system/v1/healthz", "application/json", 405, notAllowed},
			{"GET", "/instances/_create/more", "", 404, notFound},
			{"PATCH", "/instances/_create", "application/json", 405, notAllowed},
			{"PUT", "/system/v1/instances/_create", "application/json", 0, ""}, // updates an instance of this name
			{"GET", createRPC, "", 405, ""},
			{"PUT", createRPC, "application/json", 405, ""},
			{"POST", createRPC, "text/plain", 415, ""},
			{"POST", createRPC, "", 415, ""},
			{"POST", createRPC, "application/x-www-form-urlencoded", 415, ""},
			{"POST", createRPC, "application/xml", 415, ""},
			{"POST", getRPC + "s", "application/json", 404, `{"code":"unimplemented","message":"unknown method ` + getRPC + `s"}`},
			{"POST", "/no.such.Service/Method", "application/proto", 404, ""},
		} {
			h := http.Header{"Authorization": {"Bearer " + kit.Operator().Token(t)}}
			if c.contentType != "" {
				h.Set("Content-Type", c.contentType)
			}
			status, header, text := kit.Raw(t, n.HTTP, c.method, n.URL+c.path, "{}", h)
			if c.status == 0 {
				if status == http.StatusOK {
					t.Errorf("%s %s: %d %s", c.method, c.path, status, text)
				}
				continue
			}
			if status != c.status || c.body != "" && text != c.body {
				t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.contentType, status, text, c.status, c.body)
			}
			if status == http.StatusMethodNotAllowed && header.Get("Allow") == "" {
				t.Errorf("%s %s: 405 without Allow", c.method, c.path)
			}
		}
		for _, w := range []kit.Wire{kit.GRPC()} {
			a := w.Call(t, n.Client, "NoSuchMethod", kit.Machine("Acme"), nil)
			if a.Code != codes.Unimplemented {
				t.Errorf("unknown method over %s: %v", w.Name, a)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// TestAnyContentTypeIsJSON is contract section 3.1: REST takes every body for JSON.
func TestAnyContentTypeIsJSON(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/grpc-web+proto; charset=utf-8"} {
			h := http.Header{"Authorization": {"Bearer " + kit.Operator().Token(t)}}
			if contentType != "" {
				h.Set("Content-Type", contentType)
			}
			if status, header, text := kit.Raw(t, n.HTTP, "POST", n.URL+createREST, goodJSON, h); status != http.StatusOK || header.Get("Content-Type") != "application/json" {
				t.Errorf("Content-Type %q: %d %s", contentType, status, text)
			}
		}
	})
}
