package clients_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"castellan/tests/kit"
)

const goodJSON = `{"instanceName":"Acme","machine":{"userName":"robot","name":"Robot","personalAccessToken":{}}}`

// object reads JSON, or says what there was instead.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// TestCurl makes the seed calls as a person at a shell would, over HTTP/1.1 and HTTP/2, with a
// token that the program itself has made.
func TestCurl(t *testing.T) {
	need(t, "curl")
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		run(t, nil, kit.Binary(t), "system-user", "keygen", "--out", b.Dir, "ops")
		p := b.Exec(t, "SYSTEM_USERS=ops="+filepath.Join(b.Dir, "ops.pub.pem"))
		token := strings.TrimSpace(run(t, nil, kit.Binary(t), "token", "--key", filepath.Join(b.Dir, "ops.pem"),
			"--user", "ops", "--audience", kit.Issuer))
		for _, version := range []string{"--http1.1", "--http2-prior-knowledge"} {
			curl := func(args ...string) string {
				t.Helper()
				return run(t, nil, "curl", append([]string{"-sS", version, "-H", "Authorization: Bearer " + token}, args...)...)
			}
			made := object(t, curl("--data", goodJSON, p.URL+"/instances/_create"))
			id, _ := made["instanceId"].(string)
			if pat, _ := made["pat"].(string); id == "" || !strings.HasPrefix(pat, "cstl_pat_") {
				t.Fatalf("%s: %v", version, made)
			}
			read := object(t, curl(p.URL+"/instances/"+id))
			if instance, _ := read["instance"].(map[string]any); instance["name"] != "Acme" || instance["state"] != "STATE_RUNNING" {
				t.Errorf("%s: %v", version, read)
			}
			status := curl("-o", os.DevNull, "-w", "%{http_code} %{content_type}", "--data", "{}", p.URL+"/system/v1/instances/_create")
			if status != "400 application/json" {
				t.Errorf("%s: %s", version, status)
			}
		}
		manage(t, p.URL, token)
		if status := run(t, nil, "curl", "-sS", "-o", os.DevNull, "-w", "%{http_code}", p.URL+"/instances/1"); status != "401" {
			t.Errorf("a stranger: %s", status)
		}
		p.Stop(t)
	})
}

// manage does with curl what operators do with an instance: by the System API, by its successor under the
// older name, by castellan's own service, and as its owner at its own host.
func manage(t *testing.T, url, token string) {
	t.Helper()
	curl := func(args ...string) string {
		t.Helper()
		return run(t, nil, "curl", append([]string{"-sS", "-w", " %{http_code}"}, args...)...)
	}
	as := []string{"-H", "Authorization: Bearer " + token}
	made := object(t, run(t, nil, "curl", append(as, "-sS", "--data", strings.Replace(goodJSON, "{", `{"customDomain":"acme.example",`, 1),
		url+"/instances/_create")...))
	id, pat := made["instanceId"].(string), made["pat"].(string)
	owner := []string{
		"-H", "Authorization: Bearer " + pat, "-H", "Host: acme.example", "-H", "Content-Type: application/json", "--data", "{}",
		url + "/zitadel.instance.v2.InstanceService/GetInstance",
	}
	for _, step := range []struct {
		what, want string
		args       []string
	}{
		{"by its owner", `"id":"` + id, owner},
		{"a domain", `"creationDate"`, append(as, "--data", `{"domain":"more.example"}`, url+"/system/v1/instances/"+id+"/domains")},
		{"found by it", `"exists":true`, append(as, "--data", "{}", url+"/system/v1/domains/MORE.example/_exists")},
		{"by v2beta", `"generated":true`, append(as, url+"/v2beta/instances/"+id)},
		{"stopped", `"changeDate"`, append(as, "-X", "POST", url+"/castellan/v1/instances/"+id+"/_stop")},
		{"its owner meanwhile", `INST-stop1`, owner},
		{"removed", `"resourceOwner"`, append(as, "-X", "DELETE", url+"/system/v1/instances/"+id)},
		{"its owner afterwards", ` 401`, owner},
		{"again", ` 404`, append(as, "-X", "DELETE", url+"/system/v1/instances/"+id)},
		{"who did it", `SystemService/RemoveInstance`, append(as, "--data", `{"instanceId":"`+id+`"}`, url+"/castellan/v1/audit/_search")},
	} {
		if got := strings.ReplaceAll(curl(step.args...), `": "`, `":"`); !strings.Contains(got, step.want) {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
	}
}

// TestGrpcurl needs nothing but reflection.
func TestGrpcurl(t *testing.T) {
	need(t, "go")
	t.Parallel()
	program := grpcurl(t)
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		p := b.Exec(t)
		host := strings.TrimPrefix(p.URL, "http://")
		call := func(args ...string) (string, error) {
			return try(nil, program, append([]string{"-plaintext", "-format-error"}, args...)...)
		}
		authorized := []string{"-H", "authorization: Bearer " + kit.Operator().Token(t)}
		const service = "zitadel.system.v1.SystemService"
		services := []string{
			"castellan.events.v1.EventService", "castellan.system.v1.InstanceLifecycleService", "grpc.health.v1.Health",
			"zitadel.admin.v1.AdminService", "zitadel.application.v2.ApplicationService", "zitadel.auth.v1.AuthService",
			"zitadel.authorization.v2.AuthorizationService", "zitadel.instance.v2.InstanceService",
			"zitadel.instance.v2beta.InstanceService", "zitadel.internal_permission.v2.InternalPermissionService",
			"zitadel.management.v1.ManagementService", "zitadel.org.v2.OrganizationService",
			"zitadel.project.v2.ProjectService", service, "zitadel.user.v2.UserService", "zitadel.webkey.v2.WebKeyService",
		}
		if out, err := call(host, "list"); err != nil || out != strings.Join(services, "\n")+"\n" {
			t.Errorf("list: %v %s", err, out)
		}
		if out, err := call(host, "describe", service+".CreateInstance"); err != nil || !strings.Contains(out, `post: "/system/v1/instances/_create"`) {
			t.Errorf("describe: %v %s", err, out)
		}
		out, err := call(append(authorized, "-d", goodJSON, host, service+"/CreateInstance")...)
		if err != nil {
			t.Fatalf("create: %v %s", err, out)
		}
		id, _ := object(t, out)["instanceId"].(string)
		out, err = call(append(authorized, "-d", `{"instanceId":"`+id+`"}`, host, service+"/GetInstance")...)
		if err != nil || !strings.Contains(out, `"name": "Acme"`) || !strings.Contains(out, `"state": "STATE_RUNNING"`) {
			t.Errorf("get: %v %s", err, out)
		}
		out, err = call(append(authorized, "-d", `{"instanceId":"`+id+`"}`, host, "zitadel.instance.v2.InstanceService/GetInstance")...)
		if err != nil || !strings.Contains(out, `"name": "Acme"`) {
			t.Errorf("get by v2: %v %s", err, out)
		}
		out, err = call(append(authorized, "-d", `{"instanceName":"Acme"}`, host, service+"/CreateInstance")...)
		if err == nil || object(t, out)["message"] != "invalid CreateInstanceRequest.Owner: value is required" {
			t.Errorf("without owner: %v %s", err, out)
		}
		if out, err := call("-d", `{"instanceId":"`+id+`"}`, host, service+"/GetInstance"); err == nil || object(t, out)["code"] != 16.0 {
			t.Errorf("a stranger: %v %s", err, out)
		}
		if out, err := call(host, "grpc.health.v1.Health/Check"); err != nil || !strings.Contains(out, "SERVING") {
			t.Errorf("health: %v %s", err, out)
		}
		p.Stop(t)
	})
}
