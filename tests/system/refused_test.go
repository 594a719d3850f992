package system_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/tests/kit"

	authnv1 "castellan/gen/zitadel/authn/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

type createRequest = systemv1.CreateInstanceRequest

// refusal is a wish that cannot be, and what its caller is told.
type refusal struct {
	name   string
	wish   *createRequest
	code   codes.Code
	id     string
	fields []string
}

// machineBut and humanBut return a good wish with something changed.
func machineBut(f func(*createRequest, *systemv1.CreateInstanceRequest_Machine)) *createRequest {
	r := kit.WithKey(kit.Machine("Acme"))
	f(r, r.GetMachine())
	return r
}

func humanBut(f func(*createRequest, *systemv1.CreateInstanceRequest_Human)) *createRequest {
	r := kit.Human("Acme")
	f(r, r.GetHuman())
	return r
}

// badDomains cannot be host names.
var badDomains = []string{
	"under_score.example", "space in.example", "a/b.example", "https://acme.example", "acme.example:8080", "acme..example",
	".acme.example", "-acme.example", "acme-.example", "a*.example", "*.example", "user@acme.example", "acme.example?",
	"acme.example\\", "tab\t.example", "new\nline.example", strings.Repeat("x", 64) + ".example",
	"🚀 .example", "%61.example", "xn--\u00fc.example", "<script>.example", "a,b.example", "   ",
	"127.0.0.1", "::1", "[2001:db8::1]", "１２７.0.0.1",
}

// badAddresses are no e-mail addresses, or more than one.
var badAddresses = []string{
	"ada", "ada@", "@example.com", "ada example.com", "ada@exa mple.com", "Ada <ada@example.com>", "<ada@example.com>",
	"ada@example.com, eve@example.com", "ada@@example.com", "ada@example..com", " ", "ada@-example.com",
	strings.Repeat("a", 65) + "@example.com",
}

// refusals are those of the nouns: the rules the proto files cannot express.
func refusals() []refusal {
	const (
		password   = "human.password.password"
		tokenEnds  = "machine.personal_access_token.expiration_date"
		keyEnds    = "machine.machine_key.expiration_date"
		invalid    = codes.InvalidArgument
		firstFault = "" // the rules of the proto files say it, without an id
	)
	all := []refusal{
		{"no owner", &createRequest{InstanceName: "Acme"}, invalid, firstFault, []string{"owner"}},
		{"blank name", kit.Machine(" \t "), invalid, "INST-092mid", []string{"instance_name"}},
		{"blank organization", machineBut(func(r *createRequest, _ *systemv1.CreateInstanceRequest_Machine) { r.FirstOrgName = "  " }),
			invalid, "ORG-mruNY", []string{"first_org_name"}},
		{"machine without name", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) { m.Name = "" }),
			invalid, "COMMAND-bs9Ds", []string{"machine.name"}},
		{"machine with blank user name", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) { m.UserName = " " }),
			invalid, "COMMAND-bm9Ds", []string{"machine.user_name"}},
		{"machine without names", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) { m.Name, m.UserName = "", "" }),
			codes.FailedPrecondition, "PROJE-hzxwo", []string{"machine.user_name", "machine.name"}},
		{"person without first name", humanBut(func(_ *createRequest, h *systemv1.CreateInstanceRequest_Human) { h.Profile.FirstName = "" }),
			invalid, "USER-UCej2", []string{"human.profile.first_name"}},
		{"person without profile", humanBut(func(_ *createRequest, h *systemv1.CreateInstanceRequest_Human) { h.Profile = nil }),
			invalid, "USER-UCej2", []string{"human.profile.first_name"}},
		{"person with blank last name", humanBut(func(_ *createRequest, h *systemv1.CreateInstanceRequest_Human) { h.Profile.LastName = "  " }),
			invalid, "USER-4hB7d", []string{"human.profile.last_name"}},
		{"person without address", humanBut(func(_ *createRequest, h *systemv1.CreateInstanceRequest_Human) { h.Email = nil }),
			invalid, firstFault, []string{"human.email"}},
		{"token that has expired", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) {
			m.PersonalAccessToken.ExpirationDate = timestamppb.New(time.Now().Add(-time.Second))
		}), invalid, "DOMAIN-dv3t5", []string{tokenEnds}},
		{"key that has expired", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) {
			m.MachineKey.ExpirationDate = timestamppb.New(time.Now().Add(-time.Second))
		}), invalid, "DOMAIN-dv3t5", []string{keyEnds}},
		// A message without content says 1970, and is not the same as no message.
		{"token that has expired in 1970", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) {
			m.PersonalAccessToken.ExpirationDate = &timestamppb.Timestamp{}
		}), invalid, "DOMAIN-dv3t5", []string{tokenEnds}},
		{"key that has expired in 1970", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) {
			m.MachineKey.ExpirationDate = timestamppb.New(moment("1970-01-01T00:00:00Z"))
		}), invalid, "DOMAIN-dv3t5", []string{keyEnds}},
		{"key of no type", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) { m.MachineKey.Type = 0 }),
			invalid, firstFault, []string{"machine.machine_key.type"}},
		{"key of an unknown type", machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) {
			m.MachineKey.Type = authnv1.KeyType(7)
		}), invalid, firstFault, []string{"machine.machine_key.type"}},
	}
	for _, c := range []struct {
		password string
		ids      string
	}{
		{"Ab1!", "COMMA-HuJf6"}, {"UPPER-CASE-1", "COMMA-co3Xw"}, {"lower-case-1", "COMMA-VoaRj"},
		{"No-Digits-Here", "COMMA-ZBv4H"}, {"NoSymbol1234", "COMMA-ZDLwA"},
		{"a", "COMMA-HuJf6 COMMA-VoaRj COMMA-ZBv4H COMMA-ZDLwA"},
	} {
		ids := strings.Fields(c.ids)
		wish := humanBut(func(_ *createRequest, h *systemv1.CreateInstanceRequest_Human) { h.Password.Password = c.password })
		all = append(all, refusal{"password " + c.password, wish, invalid, ids[0], slices.Repeat([]string{password}, len(ids))})
	}
	for _, domain := range badDomains {
		all = append(all, refusal{"domain " + domain, kit.WithDomain(kit.Machine("Acme"), domain), invalid, "INST-S3v3w", []string{"custom_domain"}})
	}
	for lang, id := range map[string]string{
		"xx": "LANG-jc8Sq", "la": "LANG-lg4DP", "und": "LANG-lg4DP", "tlh": "LANG-lg4DP",
		"e": "LANG-jc8Sq", "en_": "LANG-jc8Sq", "!": "LANG-jc8Sq", "de DE": "LANG-jc8Sq", " ": "LANG-jc8Sq",
	} {
		wish := kit.Machine("Acme")
		wish.DefaultLanguage = lang
		all = append(all, refusal{"language " + lang, wish, invalid, id, []string{"default_language"}})
	}
	return all
}

// TestRefusedWishes: every refusal is the same over every protocol that differs in errors, and
// leaves nothing.
func TestRefusedWishes(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		token := kit.Operator().Token(t)
		for _, w := range kit.Wires() {
			for _, c := range refusals() {
				a := w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: c.wish, Token: token}, nil)
				c.check(t, w, a)
			}
			for _, address := range badAddresses {
				wish := humanBut(func(_ *createRequest, h *systemv1.CreateInstanceRequest_Human) { h.Email.Email = address })
				a := w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: wish, Token: token}, nil)
				// Some are refused by the rules of the proto files, the others by the noun.
				c := refusal{"address " + address, wish, codes.InvalidArgument, "", []string{"human.email.email"}}
				if a.ID != "" {
					c.id = "EMAIL-599BI"
				}
				c.check(t, w, a)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// check checks code, HTTP status, id, named fields and the form of the message.
func (c refusal) check(t *testing.T, w kit.Wire, a kit.Answer) {
	t.Helper()
	if a.Code != c.code || a.ID != c.id || !slices.Equal(a.Fields, c.fields) {
		t.Errorf("%s over %s: %v, want %v, id %q, fields %q", c.name, w.Name, a, c.code, c.id, c.fields)
	}
	if strings.HasPrefix(w.Name, "rest") && a.HTTP != http.StatusBadRequest {
		t.Errorf("%s over %s: status %d", c.name, w.Name, a.HTTP)
	}
	if c.id != "" && !strings.HasSuffix(a.Message, " ("+c.id+")") {
		t.Errorf("%s over %s: the message %q does not end with its id", c.name, w.Name, a.Message)
	}
	if strings.Contains(a.Message, kit.GoodPassword) {
		t.Errorf("%s over %s: the message repeats a password", c.name, w.Name)
	}
}

// TestAtTheLimit: what is as long as it may be is taken, also where characters take four bytes.
func TestAtTheLimit(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("𐌀", n) }
	address := strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + ".example"
	domain := strings.Repeat("d", 63) + "." + strings.Repeat("e", 63) + "." + strings.Repeat("f", 63) + ".example"
	human := humanBut(func(r *createRequest, h *systemv1.CreateInstanceRequest_Human) {
		r.InstanceName, r.FirstOrgName, r.CustomDomain, r.DefaultLanguage = long(200), long(200), domain, "zh-Hant-TW"
		h.UserName, h.Profile.FirstName, h.Profile.LastName, h.Profile.PreferredLanguage = long(200), long(200), long(200), "zh-Hant-TW"
		h.Email.Email, h.Password.Password = address, "aA1!"+long(196)
	})
	machine := machineBut(func(r *createRequest, m *systemv1.CreateInstanceRequest_Machine) {
		r.InstanceName, m.UserName, m.Name = "x", long(200), long(200)
		m.PersonalAccessToken.ExpirationDate = timestamppb.New(moment(never))
		m.MachineKey.ExpirationDate = timestamppb.New(moment("9999-12-31T23:59:59.999999999Z"))
	})
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		n.Create(t, human)
		n.Create(t, machine)
		if got := kit.CheckWhole(t, n.DB()); len(got) != 2 {
			t.Errorf("%d instances", len(got))
		}
	})
}

// TestTimesOutOfRange sends timestamps that no calendar has.
func TestTimesOutOfRange(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		for _, at := range []*timestamppb.Timestamp{
			{Seconds: 253402300800}, // the year 10000
			{Seconds: 1 << 62}, {Seconds: -1 << 62},
			{Seconds: 4102444800, Nanos: -1}, {Seconds: 4102444800, Nanos: 1_000_000_000},
		} {
			token := machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) {
				m.PersonalAccessToken.ExpirationDate = at
			})
			key := machineBut(func(_ *createRequest, m *systemv1.CreateInstanceRequest_Machine) { m.MachineKey.ExpirationDate = at })
			for field, wish := range map[string]*createRequest{
				"machine.personal_access_token.expiration_date": token, "machine.machine_key.expiration_date": key,
			} {
				a := kit.GRPC().Call(t, n.Client, "CreateInstance", wish, nil)
				if a.Code != codes.InvalidArgument || !slices.Equal(a.Fields, []string{field}) {
					t.Errorf("%v: %v, want %s refused", at, a, field)
				}
			}
		}
		token := kit.Operator().Token(t)
		for _, at := range []string{
			"10000-01-01T00:00:00Z", "2031-02-30T00:00:00Z", "2031-01-01", "tomorrow", "2031-01-01T25:00:00Z", "", "2031-01-01T00:00:00",
		} {
			status, _, answer := exchange(t, n.Client, token, "POST", "/system/v1/instances/_create",
				`{"instanceName":"Acme","machine":{"userName":"u","name":"n","personalAccessToken":{"expirationDate":"`+at+`"}}}`)
			if status != http.StatusBadRequest || answer["code"] != 3.0 {
				t.Errorf("%q: %d %v", at, status, answer)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}
