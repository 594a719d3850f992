package system_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// exchange is one REST exchange as it is on the wire.
func exchange(t *testing.T, c *kit.Client, token, method, path, body string) (int, http.Header, map[string]any) {
	t.Helper()
	h := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	status, header, text := kit.Raw(t, c.HTTP, method, c.URL+path, body, h)
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s %s: status %d, %v: %s", method, path, status, err, text)
	}
	return status, header, answer
}

var rfc3339UTC = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z$`)

// TestRendering checks the JSON of both seed calls member by member, and the headers around it
// (contract section 3.1): names in camelCase, 64-bit numbers as strings, bytes in base64, times in
// UTC, nothing that has its default value.
func TestRendering(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		token := kit.Operator().Token(t)
		status, header, made := exchange(t, n.Client, token, "POST", "/instances/_create", `{
			"instanceName": "Acme", "custom_domain": "acme.example", "unknownField": {"x": [1, 2]},
			"machine": {"userName": "robot", "name": "Robot", "personal_access_token": {}, "machineKey": {"type": 1}}}`)
		if status != http.StatusOK {
			t.Fatalf("status %d: %v", status, made)
		}
		checkRESTHeader(t, header)
		members(t, made, "details", "instanceId", "machineKey", "pat")
		details := made["details"].(map[string]any)
		members(t, details, "creationDate", "resourceOwner", "sequence")
		if details["sequence"] != "7" || !rfc3339UTC.MatchString(details["creationDate"].(string)) {
			t.Errorf("details %v", details)
		}
		if file, err := base64.StdEncoding.DecodeString(made["machineKey"].(string)); err != nil || !json.Valid(file) {
			t.Errorf("machineKey is no base64 of JSON: %v", err)
		}

		status, header, read := exchange(t, n.Client, token, "GET", "/instances/"+made["instanceId"].(string), "")
		if status != http.StatusOK {
			t.Fatalf("status %d: %v", status, read)
		}
		checkRESTHeader(t, header)
		instance := read["instance"].(map[string]any)
		members(t, instance, "details", "domains", "id", "name", "state", "version")
		members(t, instance["details"].(map[string]any), "changeDate", "creationDate", "resourceOwner", "sequence")
		if instance["state"] != "STATE_RUNNING" {
			t.Errorf("state %v", instance["state"])
		}
		domains := instance["domains"].([]any)
		if len(domains) != 2 {
			t.Fatalf("domains %v", domains)
		}
		for _, d := range domains {
			d := d.(map[string]any)
			if d["domain"] == "acme.example" {
				members(t, d, "details", "domain", "primary") // generated is false and so left out
			} else {
				members(t, d, "details", "domain", "generated")
			}
		}
	})
}

// members fails the test unless object has exactly the named members.
func members(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, names) {
		t.Errorf("members %q, want %q", got, names)
	}
}

// checkRESTHeader checks the headers of every REST answer (contract section 3.1).
func checkRESTHeader(t *testing.T, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache", "X-Robots-Tag": "none",
		"Grpcgateway-Cache-Control": "no-store", "Grpcgateway-Pragma": "no-cache", "Grpcgateway-Content-Type": "application/grpc",
		"Vary": "Origin",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, err := time.Parse(http.TimeFormat, h.Get("Expires")); err != nil {
		t.Errorf("Expires: %v", err)
	}
	if len(h.Get("X-Request-Id")) < 8 {
		t.Errorf("X-Request-Id: %q", h.Get("X-Request-Id"))
	}
}

// TestHealthz is decision D7: anyone gets 200 and an empty object.
func TestHealthz(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		for _, w := range kit.Wires() {
			if a := w.Send(t, n.Client, kit.Call{Method: "Healthz", Request: &systemv1.HealthzRequest{}}, &systemv1.HealthzResponse{}); a.Code != 0 {
				t.Errorf("over %s: %v", w.Name, a)
			}
		}
		status, _, text := kit.Raw(t, n.HTTP, "GET", n.URL+"/system/v1/healthz", "", nil)
		if status != http.StatusOK || strings.TrimSpace(text) != "{}" {
			t.Errorf("%d %s", status, text)
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}
