package system_test

import (
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"castellan/internal/eventlog/logtest"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// names are instance names as people write them, and how the generated domain begins; an empty
// beginning leaves it to the label's own rules.
var names = []struct{ name, label string }{
	{"Acme", "acme"},
	{"Müller & Söhne", "muller-sohne"},
	{"under_score", "under-score"},
	{"O'Reilly", "oreilly"},
	{"a.b.c", "a-b-c"},
	{"Ελλάδα", "ellada"},
	{"Москва", "moskva"},
	{"北京公司", ""},
	{"株式会社テスト", ""},
	{"한국 회사", ""},
	{"شركة", ""},
	{"חברה בע״מ", ""},
	{"ไทยแลนด์", ""},
	{"हिन्दी संस्था", ""},
	{"🚀🚀🚀", "instance"},
	{"&&& ___ ...", "instance"},
	{"--- dashes ---", "dashes"},
	{"e\u0301cole", "ecole"}, // a letter and a combining accent
	{"\u202eright to left", "right-to-left"},
	{`"quoted" <tag> \ 'x'; DROP TABLE instances; --`, "quoted-tag-x-drop-table-instances"},
	{"z", "z"},
	{strings.Repeat("x", 200), strings.Repeat("x", 56)},
	{strings.Repeat("𐍈", 200), ""},
	{"  spaces  around  ", "spaces-around"},
	{"1234567890", "1234567890"},
	{"line\nbreak\ttab", "line-break-tab"},
}

var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// TestNames is decision D4: an instance may have any name, and gets a domain that is one.
func TestNames(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
			for _, c := range names {
				made := new(systemv1.CreateInstanceResponse)
				if a := w.Call(t, n.Client, "CreateInstance", kit.Machine(c.name), made); a.Code != codes.OK {
					t.Errorf("%q over %s: %v", c.name, w.Name, a)
					continue
				}
				read := new(systemv1.GetInstanceResponse)
				if a := w.Call(t, n.Client, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: made.GetInstanceId()}, read); a.Code != codes.OK {
					t.Errorf("%q over %s: %v", c.name, w.Name, a)
					continue
				}
				if got := read.GetInstance().GetName(); got != strings.TrimSpace(c.name) {
					t.Errorf("%q is called %q", c.name, got)
				}
				checkGenerated(t, c.name, c.label, read)
			}
		}
		if got := kit.CheckWhole(t, n.DB()); len(got) != 2*len(names) {
			t.Errorf("%d instances, want %d", len(got), 2*len(names))
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// checkGenerated checks that the one domain is the generated one and keeps the rules of DNS.
func checkGenerated(t *testing.T, name, begins string, read *systemv1.GetInstanceResponse) {
	t.Helper()
	domains := read.GetInstance().GetDomains()
	if len(domains) != 1 || !domains[0].GetGenerated() || !domains[0].GetPrimary() {
		t.Errorf("%q has the domains %v, want one that is generated and primary", name, domains)
		return
	}
	first, rest, _ := strings.Cut(domains[0].GetDomain(), ".")
	if !label.MatchString(first) || rest != kit.Domain {
		t.Errorf("%q has the domain %q", name, domains[0].GetDomain())
		return
	}
	beginning, suffix := first[:len(first)-7], first[len(first)-7:]
	if !regexp.MustCompile(`^-[a-z0-9]{6}$`).MatchString(suffix) || begins != "" && beginning != begins {
		t.Errorf("%q has the domain %q, want %s-xxxxxx", name, first, begins)
	}
}

// TestEqualNames is contract section 1.4: names are unique within an instance only.
func TestEqualNames(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		ids := make(map[string]bool)
		for range 3 {
			ids[n.Create(t, kit.Machine("Acme")).GetInstanceId()] = true
		}
		if len(ids) != 3 || len(kit.CheckWhole(t, n.DB())) != 3 {
			t.Errorf("three instances of one name have the ids %v", ids)
		}
	})
}
