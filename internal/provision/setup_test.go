package provision

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/expiry"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/vault"
)

// types returns the types of the events a set-up leaves, with those of its owner.
func types(tenant []string, owner ...string) []string {
	all := append(append([]string{"instance.added"}, tenant...), "instance.domain.primary.set",
		"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set")
	all = append(append(all, owner...), "org.member.added", "instance.member.added", "project.added")
	for range 3 {
		all = append(all, "project.application.added", "project.application.config.api.added")
	}
	return append(all, "project.application.added", "project.application.config.oidc.added",
		"instance.default.org.set", "instance.iam.project.set", "instance.iam.console.set")
}

var generated = []string{"instance.domain.added"}

func with(wish SetUp, change func(*SetUp)) SetUp {
	change(&wish)
	return wish
}

const mach, token, secretKey = "user.machine.added", "user.pat.added", "user.machine.key.added"

// owners are wishes, which secrets they return, and the events they leave.
var owners = map[string]struct {
	wish       SetUp
	token, key bool
	want       []string
}{
	"machine with token and key": {machine(), true, true, types(generated, mach, token, secretKey)},
	"machine with token": {
		with(machine(), func(w *SetUp) { w.Machine.Key = nil }), true, false, types(generated, mach, token),
	},
	"machine with key": {
		with(machine(), func(w *SetUp) { w.Machine.Token = nil }), false, true, types(generated, mach, secretKey),
	},
	"machine with neither": {
		with(machine(), func(w *SetUp) { w.Machine.Key, w.Machine.Token = nil, nil }), false, false, types(generated, mach),
	},
	"human": {human(), false, false, types(generated, "user.human.added")},
	"human without password": {
		with(human(), func(w *SetUp) { w.Human.Password = "" }), false, false, types(generated, "user.human.added"),
	},
	"human with all, in an instance with all": {
		with(human(), func(w *SetUp) {
			w.Human.EmailVerified, w.Human.PasswordChangeRequired, w.Human.PreferredLanguage = true, true, "de"
			w.OrgName, w.CustomDomain, w.DefaultLanguage = "Org", "login.acme.example", "de"
		}), false, false,
		types([]string{"instance.default.language.set", "instance.domain.added", "instance.domain.added"},
			"user.human.added", "user.human.email.verified"),
	},
}

// Each kind of owner leaves exactly these events and no secret it was not asked for.
func TestEvents(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for name, c := range owners {
			r := f.mustSetUp(c.wish)
			if diff := cmp.Diff(c.want, logtest.Types(f, f.service.DB, f.service.Log, r.Instance)); diff != "" {
				f.Errorf("%s: events (-want +got):\n%s", name, diff)
			}
			if (r.Token != "") != c.token || (r.MachineKey != nil) != c.key {
				f.Errorf("%s: token %q, key of %d bytes", name, r.Token, len(r.MachineKey))
			}
			s := f.get(r.Instance)
			if r.Sequence != s.Sequence || !r.CreatedAt.Equal(s.CreatedAt) || !r.CreatedAt.Equal(f.clock.Now()) {
				f.Errorf("%s: result %+v of %+v", name, r, s.Head)
			}
			events, err := f.service.Log.Of(f.Context(), f.service.DB, r.Instance, eventlog.Position{}, 100)
			f.must(err)
			for _, e := range events {
				if e.Actor != actor || !e.At.Equal(r.CreatedAt) {
					f.Errorf("%s: %s by %s at %v", name, e.Type, e.Actor, e.At)
				}
				owner := string(r.Org)
				if strings.HasPrefix(e.Type, "instance.") {
					owner = string(r.Instance)
				}
				if e.Owner != owner {
					f.Errorf("%s: %s is owned by %s, want %s", name, e.Type, e.Owner, owner)
				}
			}
		}
	})
}

func TestInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := machine()
		wish.CustomDomain, wish.DefaultLanguage = "LOGIN.Bücher.example", "de"
		r := f.mustSetUp(wish)
		s := f.get(r.Instance)
		if s.Name != "ACME" || s.Language != "de" || s.Defaults != 1 || s.DefaultOrg != r.Org {
			f.Errorf("instance %+v", s)
		}
		suffix := regexp.MustCompile(`^acme-[a-z0-9]{6}\.id\.example$`)
		var made, custom instance.Domain
		for _, d := range s.Domains {
			if d.Generated {
				made = d
			} else {
				custom = d
			}
		}
		if len(s.Domains) != 2 || !suffix.MatchString(made.Name) || made.Primary ||
			custom.Name != "login.xn--bcher-kva.example" || !custom.Primary {
			f.Errorf("domains %+v", s.Domains)
		}
		for _, d := range []string{made.Name, custom.Name} {
			if taken, err := instance.DomainTaken(f.Context(), f.service.DB, d); err != nil || !taken {
				f.Errorf("%s leads nowhere: %v", d, err)
			}
		}
		org := f.row(3, `SELECT org_id, name, state FROM orgs WHERE instance_id = $1`, string(r.Instance))
		domain := f.row(2, `SELECT org_id, domain FROM org_domains WHERE instance_id = $1 AND is_primary AND is_verified`, string(r.Instance))
		if diff := cmp.Diff([][]string{{string(r.Org), "ACME", "active"}, {string(r.Org), "acme.id.example"}}, [][]string{org, domain}); diff != "" {
			f.Errorf("organization (-want +got):\n%s", diff)
		}
	})
}

func TestOrgName(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := human()
		wish.OrgName, wish.Human.UserName = "Bücher & Söhne", ""
		r := f.mustSetUp(wish)
		const domain = "bücher--söhne.id.example"
		got := f.row(3, `SELECT o.name, d.domain, u.username FROM orgs o, org_domains d, users u
 WHERE o.instance_id = $1 AND d.instance_id = o.instance_id AND u.instance_id = o.instance_id`, string(r.Instance))
		if diff := cmp.Diff([]string{"Bücher & Söhne", domain, "@" + domain}, got); diff != "" {
			f.Errorf("organization (-want +got):\n%s", diff)
		}
	})
}

// The owner may do everything: on the instance and on its organization.
func TestMembersProjectAndApps(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for _, secure := range []bool{true, false} {
			f.service.Secure = secure
			r := f.mustSetUp(machine())
			id := string(r.Instance)
			owner := f.row(1, `SELECT user_id FROM users WHERE instance_id = $1`, id)[0]
			members := f.rows(5, `SELECT user_id, scope, scope_id, owner, roles FROM members WHERE instance_id = $1 ORDER BY scope`, id)
			if diff := cmp.Diff([][]string{
				{owner, "instance", id, id, "IAM_OWNER"},
				{owner, "org", string(r.Org), string(r.Org), "ORG_OWNER"},
			}, members); diff != "" {
				f.Errorf("members (-want +got):\n%s", diff)
			}
			projectRow := f.row(3, `SELECT project_id, org_id, name FROM projects WHERE instance_id = $1`, id)
			if diff := cmp.Diff([]string{string(f.get(r.Instance).Project), string(r.Org), "ZITADEL"}, projectRow); diff != "" {
				f.Errorf("project (-want +got):\n%s", diff)
			}
			apps := f.rows(5, `SELECT name, kind, auth_method, org_id, project_id FROM apps WHERE instance_id = $1 ORDER BY name`, id)
			api := func(name string) []string {
				return []string{name, "api", "private_key_jwt", string(r.Org), projectRow[0]}
			}
			if diff := cmp.Diff([][]string{
				api("Admin-API"), api("Auth-API"),
				{"Management Console", "oidc", "none", string(r.Org), projectRow[0]}, api("Management-API"),
			}, apps); diff != "" {
				f.Errorf("apps (-want +got):\n%s", diff)
			}
			dev := "dev_mode"
			if secure {
				dev = "NOT dev_mode"
			}
			console := f.row(2, `SELECT app_id, client_id FROM apps WHERE instance_id = $1 AND is_console AND `+dev, id)
			if s := f.get(r.Instance); console[0] != string(s.Console) || console[1] != s.ConsoleClientID {
				f.Errorf("console %v, want %s %s", console, s.Console, s.ConsoleClientID)
			}
			clients := f.rows(1, `SELECT DISTINCT client_id FROM apps WHERE instance_id = $1`, id)
			if len(clients) != 4 {
				f.Errorf("client ids %v, want 4 of them", clients)
			}
		}
	})
}

func TestToken(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := machine()
		expires := f.clock.Now().Add(time.Hour)
		wish.Machine.Token.ExpiresAt = expires
		r := f.mustSetUp(wish)
		if _, err := vault.ParseToken(r.Token); err != nil {
			f.Errorf("token: %v", err)
		}
		hash := sha256.Sum256([]byte(r.Token))
		got := f.row(3, `SELECT user_id, scopes, token_id FROM personal_access_tokens
 WHERE instance_id = $1 AND token_hash = $2 AND expires_at = $3`, string(r.Instance), hash[:], store.Micros(expires))
		owner := f.row(1, `SELECT user_id FROM users WHERE instance_id = $1`, string(r.Instance))[0]
		const scopes = "openid profile urn:zitadel:iam:user:metadata urn:zitadel:iam:user:resourceowner"
		if got[0] != owner || got[1] != scopes || got[2] == "" {
			f.Errorf("token %v, want it of %s with %s", got, owner, scopes)
		}
		other := f.mustSetUp(machine())
		if other.Token == r.Token {
			f.Error("two instances have the same token")
		}
		f.row(1, `SELECT token_id FROM personal_access_tokens WHERE instance_id = $1 AND expires_at = $2`,
			string(other.Instance), store.Micros(expiry.Never))
	})
}

func TestMachineKey(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := machine()
		expires := f.clock.Now().Add(time.Hour)
		wish.Machine.Key.ExpiresAt = expires
		r := f.mustSetUp(wish)
		var file struct {
			Type, KeyID, Key, UserID string
			ExpirationDate           time.Time
		}
		f.must(json.Unmarshal(r.MachineKey, &file))
		block, _ := pem.Decode([]byte(file.Key))
		if block == nil {
			f.Fatal("the key file has no PEM")
		}
		private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		f.must(err)
		row := f.row(2, `SELECT user_id, key_id FROM machine_keys WHERE instance_id = $1 AND expires_at = $2`,
			string(r.Instance), store.Micros(expires))
		if file.Type != "serviceaccount" || file.UserID != row[0] || file.KeyID != row[1] || !file.ExpirationDate.Equal(expires) {
			f.Errorf("key file of user %s, key %s, until %v; row %v", file.UserID, file.KeyID, file.ExpirationDate, row)
		}
		stored, err := store.One(f.Context(), f.service.DB, func(row store.Scanner) (b []byte, err error) { return b, row.Scan(&b) },
			`SELECT public_key FROM machine_keys WHERE instance_id = $1`, string(r.Instance))
		f.must(err)
		block, _ = pem.Decode(stored)
		if block == nil || block.Type != "PUBLIC KEY" {
			f.Fatalf("public key %q", stored)
		}
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		f.must(err)
		if key, ok := public.(*rsa.PublicKey); !ok || !key.Equal(&private.PublicKey) {
			f.Error("the stored public key does not belong to the private key of the file")
		}
	})
}

func TestHuman(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := human()
		wish.Human.EmailVerified, wish.Human.PasswordChangeRequired, wish.Human.PreferredLanguage = true, true, "de-CH"
		r := f.mustSetUp(wish)
		got := f.row(8, `SELECT username, kind, first_name, last_name, display_name, preferred_language, email, password_hash
 FROM users WHERE instance_id = $1 AND org_id = $2 AND email_verified AND password_change_required`, string(r.Instance), string(r.Org))
		want := []string{"ada", string(user.Human), "Ada", "Lovelace", "Ada Lovelace", "de-CH", "ada@acme.example", hashed(password)}
		if diff := cmp.Diff(want, got); diff != "" {
			f.Errorf("user (-want +got):\n%s", diff)
		}
		if f.passwords.queue != "system:operator" {
			f.Errorf("hashed in the line of %q", f.passwords.queue)
		}
		wish = human()
		wish.Human.Password = ""
		r = f.mustSetUp(wish)
		f.row(1, `SELECT user_id FROM users WHERE instance_id = $1 AND password_hash = '' AND NOT email_verified
 AND NOT password_change_required`, string(r.Instance))
		if n := f.passwords.calls.Load(); n != 1 {
			f.Errorf("%d passwords were hashed, want 1", n)
		}
	})
}

// What a human who inherits leaves open is that of the default owner.
func TestHumanInherits(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for name, c := range map[string]struct {
			human Human
			want  []string
		}{
			"all": {Human{Inherits: true}, []string{"zitadel-admin@acme.id.example", "ZITADEL", "Admin", "ZITADEL Admin", "en"}},
			"all but its names": {
				Human{Inherits: true, FirstName: "Ada", LastName: "Lovelace", PreferredLanguage: "de"},
				[]string{"zitadel-admin@acme.id.example", "Ada", "Lovelace", "Ada Lovelace", "de"},
			},
			"all but its user name": {
				Human{Inherits: true, UserName: " ada "}, []string{"ada@acme.id.example", "ZITADEL", "Admin", "ZITADEL Admin", "en"},
			},
			"all but an address as user name": {
				Human{Inherits: true, UserName: "ada@b.example", LastName: "X"}, []string{"ada@b.example", "ZITADEL", "X", "ZITADEL X", "en"},
			},
			"nothing": {
				Human{UserName: "ada", FirstName: "Ada", LastName: "Lovelace"}, []string{"ada", "Ada", "Lovelace", "Ada Lovelace", ""},
			},
		} {
			c.human.Email = "ada@acme.example"
			wish := SetUp{InstanceName: "ACME", Human: &c.human}
			before := c.human
			r := f.mustSetUp(wish)
			got := f.row(5, `SELECT username, first_name, last_name, display_name, preferred_language
 FROM users WHERE instance_id = $1`, string(r.Instance))
			if diff := cmp.Diff(c.want, got); diff != "" {
				f.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if c.human != before {
				f.Errorf("%s: the wish has become %+v", name, c.human)
			}
		}
	})
}

// Any name works, in any script (decision D4).
func TestAnyName(t *testing.T) {
	names := []string{
		"ü", "Кириллица", "日本語", "🎉", "&_'", "العربية", "e\u0301", "xn--a", "\u202eabc", "-", "'; DROP TABLE orgs; --",
		`"quoted"`, strings.Repeat("ü", 200), strings.Repeat("語 ", 100),
	}
	eachEngine(t, func(f *fixture) {
		for _, name := range names {
			wish := human()
			wish.InstanceName, wish.Human.Password = name, ""
			wish.Human.UserName = name
			r, err := f.service.SetUp(f.Context(), actor, wish, nil)
			if err != nil {
				f.Errorf("%.40q: %v", name, err)
				continue
			}
			s := f.get(r.Instance)
			if s.Name != strings.TrimSpace(name) || len(s.Domains) != 1 || !s.Domains[0].Primary {
				f.Errorf("%.40q: instance %+v", name, s)
			}
			if d, err := instance.NormalizeDomain("d", s.Domains[0].Name); err != nil || d != s.Domains[0].Name {
				f.Errorf("%.40q: domain %s, %v", name, s.Domains[0].Name, err)
			}
		}
		logtest.CheckFold(f, f.service.DB, f.service.Log)
	})
}

// Nothing secret is in any column of any table in the clear, neither in an encoding that is
// easily undone.
func TestNoSecretInTheClear(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("retry-of-ada", "request")
		r, err := f.service.SetUp(f.Context(), actor, machine(), &k)
		f.must(err)
		_, err = f.service.SetUp(f.Context(), actor, human(), nil)
		f.must(err)
		var file struct{ Key string }
		f.must(json.Unmarshal(r.MachineKey, &file))
		private, err := oneKey()
		f.must(err)
		secrets := map[string][]byte{
			"token": []byte(r.Token), "end of the token": []byte(r.Token[len(r.Token)-20:]), "password": []byte(password),
			"key file": r.MachineKey, "private key": []byte(file.Key), "body of the private key": []byte(file.Key[100:140]),
			"prime": private.Primes[0].Bytes(), "name of the idempotency key": []byte(k.Name),
		}
		found := 0
		for table, columns := range f.schema() {
			for _, column := range columns {
				values, err := store.All(f.Context(), f.service.DB, func(row store.Scanner) (b []byte, err error) { return b, row.Scan(&b) },
					"SELECT "+column+" FROM "+table)
				f.must(err)
				for _, v := range values {
					if bytes.Contains(v, []byte("ACME")) {
						found++
					}
					for name, secret := range secrets {
						if bytes.Contains(v, secret) || bytes.Contains(v, []byte(hex.EncodeToString(secret))) {
							f.Errorf("%s.%s holds the %s", table, column, name)
						}
					}
				}
			}
		}
		// The search finds what is there to be found: two instances, two organizations.
		if found != 4 {
			f.Errorf("the name of the instances was found %d times, want 4", found)
		}
	})
}

// What is made is there at once, on every node.
func TestSecondNode(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		if !f.database.Engine.MultiNode {
			f.Skip("the engine has one node")
		}
		other := setup(f.T, f.database, 2)
		for i := range 5 {
			k := key(fmt.Sprint(i), "request")
			r, err := f.service.SetUp(f.Context(), actor, machine(), &k)
			f.must(err)
			if s := other.get(r.Instance); s.Name != "ACME" {
				f.Errorf("the other node reads %+v", s)
			}
			again, err := other.service.SetUp(f.Context(), actor, machine(), &k)
			f.must(err)
			if diff := cmp.Diff(r, again); diff != "" {
				f.Errorf("a retry on the other node (-first +retry):\n%s", diff)
			}
			f, other = other, f
		}
		logtest.CheckFold(f, f.service.DB, f.service.Log)
	})
}

// Instances made at the same time do not disturb each other.
func TestManyAtOnce(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const many = 12
		results := make(chan Result, many)
		for range many {
			go func() {
				r, err := f.service.SetUp(context.WithoutCancel(f.Context()), actor, machine(), nil)
				if err != nil {
					f.Error(err)
				}
				results <- r
			}()
		}
		var ids []string
		for range many {
			r := <-results
			ids = append(ids, string(r.Instance))
			if got := logtest.Types(f, f.service.DB, f.service.Log, r.Instance); len(got) != 24 {
				f.Errorf("instance %s has %d events", r.Instance, len(got))
			}
		}
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) != many {
			f.Errorf("%d instances, want %d", len(ids), many)
		}
		logtest.CheckFold(f, f.service.DB, f.service.Log)
	})
}
