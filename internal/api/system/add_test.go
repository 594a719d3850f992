package system_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/instance"
	"castellan/internal/store"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// owner returns the columns of an instance's one user, and the owner's organization.
func (f *fixture) owner(id string) (columns []string, org string) {
	f.Helper()
	columns = make([]string, 7)
	rows, err := store.All(f.Context(), f.db, func(row store.Scanner) (string, error) {
		c := columns
		return org, row.Scan(&c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &org)
	}, `SELECT username, kind, first_name, last_name, preferred_language, email, password_hash, org_id FROM users
 WHERE instance_id = $1`, id)
	f.must(err)
	if len(rows) != 1 {
		f.Errorf("%d users", len(rows))
	}
	return columns, org
}

func TestAddInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for body, want := range map[string][]string{
			`{"instanceName":"Acme","ownerEmail":{"email":"root@acme.example"}}`: {
				"zitadel-admin@acme.id.example", "human", "ZITADEL", "Admin", "en", "root@acme.example", "",
			},
			`{"instanceName":"Acme","firstOrgName":"Head Office","customDomain":"Login.acme.example","defaultLanguage":"de",
			  "ownerUserName":"ada","ownerEmail":{"email":"ada@acme.example","isEmailVerified":true},
			  "ownerProfile":{"firstName":"Ada","lastName":"Lovelace","preferredLanguage":"fr"},
			  "ownerPassword":{"password":"Correct-Horse-7","passwordChangeRequired":true}}`: {
				"ada@head-office.id.example", "human", "Ada", "Lovelace", "fr", "ada@acme.example", "$test$Correct-Horse-7",
			},
			`{"instanceName":"Acme","ownerUserName":"ada@other.example","ownerEmail":{"email":"ada@acme.example"},"ownerProfile":{"lastName":"L"}}`: {
				"ada@other.example", "human", "ZITADEL", "L", "en", "ada@acme.example", "",
			},
		} {
			var out systemv1.AddInstanceResponse
			f.call(&out, http.MethodPost, "/instances", body)
			got, org := f.owner(out.GetInstanceId())
			if !slices.Equal(got, want) {
				f.Errorf("%s: the owner is %q, want %q", body, got, want)
			}
			f.equal(&out, &systemv1.AddInstanceResponse{InstanceId: out.GetInstanceId(), Details: &zitadelv1.ObjectDetails{
				Sequence: f.get(out.GetInstanceId()).Sequence, CreationDate: timestamppb.New(f.clock.Now()), ResourceOwner: org,
			}})
			custom := slices.ContainsFunc(f.get(out.GetInstanceId()).Domains, func(d instance.Domain) bool {
				return d.Name == "login.acme.example" && d.Primary
			})
			if custom != strings.Contains(body, "customDomain") {
				f.Errorf("%s: the domains are %+v", body, f.get(out.GetInstanceId()).Domains)
			}
		}
		var out systemv1.AddInstanceResponse
		f.call(&out, http.MethodPost, "/instances", `{"instanceName":"Acme","ownerEmail":{"email":"a@b.example","isEmailVerified":true}}`)
		f.left(out.GetInstanceId(), 0, append(append([]string{
			"instance.added", "instance.domain.added", "instance.domain.primary.set",
			"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set",
			"user.human.added", "user.human.email.verified", "org.member.added", "instance.member.added", "project.added",
		}, slices.Repeat([]string{"project.application.added", "project.application.config.api.added"}, 3)...),
			"project.application.added", "project.application.config.oidc.added",
			"instance.default.org.set", "instance.iam.project.set", "instance.iam.console.set")...)
	})
}

// The fields at fault have the names of this call, not those of CreateInstance.
func TestAddInstanceRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create("Other", "other.example")
		const email = `"ownerEmail":{"email":"a@b.example"}`
		for body, want := range map[string]struct {
			status    int
			id, field string
		}{
			`{` + email + `}`:                                                            {http.StatusBadRequest, "", "instance_name"},
			`{"instanceName":"A"}`:                                                       {http.StatusBadRequest, "", "owner_email"},
			`{"instanceName":"A","ownerEmail":{}}`:                                       {http.StatusBadRequest, "", "owner_email.email"},
			`{"instanceName":" ",` + email + `}`:                                         {http.StatusBadRequest, "INST-092mid", "instance_name"},
			`{"instanceName":"A","ownerEmail":{"email":" "}}`:                            {http.StatusBadRequest, "EMAIL-spblu", "owner_email.email"},
			`{"instanceName":"A","ownerEmail":{"email":"a"}}`:                            {http.StatusBadRequest, "EMAIL-599BI", "owner_email.email"},
			`{"instanceName":"A",` + email + `,"ownerPassword":{"password":"secret1!"}}`: {http.StatusBadRequest, "COMMA-VoaRj", "owner_password.password"},
			`{"instanceName":"A",` + email + `,"customDomain":"a_b"}`:                    {http.StatusBadRequest, "INST-S3v3w", "custom_domain"},
			`{"instanceName":"A",` + email + `,"customDomain":"Other.example"}`:          {http.StatusConflict, "V3-DKcYh", "custom_domain"},
		} {
			f.refused(request{verb: http.MethodPost, path: "/instances", body: body}, want.status, want.id, want.field)
		}
		body := `{"instanceName":"A",` + email + `}`
		f.refused(request{verb: http.MethodPost, path: "/instances", body: body, as: viewer}, http.StatusForbidden, "AUTH-5mWD2")
		f.refused(request{verb: http.MethodPost, path: "/instances", body: body, as: nobody}, http.StatusUnauthorized, "AUTH-7fs1e")
	})
}

// A call that is repeated with its key makes one instance; the key is not for another call.
func TestAddInstanceOnce(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		r := request{
			verb: http.MethodPost, path: "/instances", body: `{"instanceName":"A","ownerEmail":{"email":"a@b.example"}}`, onceKey: "k-1",
		}
		var first, second systemv1.AddInstanceResponse
		f.decode(&first, f.send(r))
		before := f.count()
		f.decode(&second, f.send(r))
		f.equal(&second, &first)
		if f.count() != before {
			f.Error("the second call left events")
		}
		r.path, r.body = "/instances/_create", `{"instanceName":"A","machine":{"userName":"robot","name":"Robot"}}`
		if a := f.send(r); a.Status == http.StatusOK || a.ID != "ONCE-other" {
			f.Errorf("the key of another call: %d %s", a.Status, a.body)
		}
		if f.count() != before {
			f.Error("the refused call left events")
		}
	})
}
