package instance

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

var label63 = strings.Repeat("a", 63)

// normalised are domains and the form in which they are stored; it is empty for those refused.
var normalised = []struct{ in, want string }{
	{"example.com", "example.com"},
	{"localhost", "localhost"},
	{"Login.Example.COM", "login.example.com"},
	{"  example.com\n", "example.com"},
	{"bücher.example", "xn--bcher-kva.example"},
	{"BÜCHER.example", "xn--bcher-kva.example"},
	{"bu\u0308cher.example", "xn--bcher-kva.example"}, // composed, then encoded
	{"xn--bcher-kva.example", "xn--bcher-kva.example"},
	{"XN--BCHER-KVA.Example", "xn--bcher-kva.example"},
	{"faß.example", "xn--fa-hia.example"}, // IDNA 2008: not fass
	{"日本語.jp", "xn--wgv71a119e.jp"},
	{"日本語。jp", "xn--wgv71a119e.jp"}, // the full stop of that script
	{"עברית.example", "xn--5dbqzzl.example"},
	{"a-b.example", "a-b.example"},
	{"1a.example", "1a.example"},
	{label63 + ".example", label63 + ".example"},
	{"1.2.3.example", "1.2.3.example"},

	{"", ""},
	{"   ", ""},
	{".", ""},
	{"example.com.", ""},
	{".example.com", ""},
	{"a..example", ""},
	{"https://example.com", ""},
	{"example.com:8080", ""},
	{"example.com/path", ""},
	{"user@example.com", ""},
	{"a_b.example", ""},
	{"*.example.com", ""},
	{"a b.example", ""},
	{"a\tb.example", ""},
	{"a\x00b.example", ""},
	{"a%2eb", ""},
	{"-a.example", ""},
	{"a-.example", ""},
	{"ab--c.example", ""}, // reserved (RFC 5890 section 2.3.1)
	{"xn--abc.example", ""},
	{"xn--", ""},
	{"192.168.0.1", ""},
	{" 192.168.0.1\n", ""},
	{"１９２.168.0.1", ""}, // digits of full width
	{"192。168。0。1", ""}, // full stops of another script
	{"::1", ""},
	{"[::1]", ""},
	{"fe80::1%eth0", ""},
	{"🎉\u200d.example", ""},
	{"\u202eabc.example", ""},
	{"a\xffb.example", ""}, // not UTF-8
	{"a\ufffdb.example", ""},
	{label63 + "a.example", ""},
	{strings.Repeat("ü", 60) + ".example", ""}, // an A-label of more than 63
	{strings.Repeat(label63+".", 4) + "com", ""},
}

func TestNormalizeDomain(t *testing.T) {
	for _, c := range normalised {
		got, err := NormalizeDomain("custom_domain", c.in)
		if c.want == "" {
			if err == nil {
				t.Errorf("%q became %q, want it refused", c.in, got)
				continue
			}
			logtest.CheckRefusal(t, err, *refused("INST-S3v3w", "custom_domain"))
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%q became %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

// The longest domain has 253 bytes.
func TestNormalizeDomainLength(t *testing.T) {
	three := strings.Repeat(label63+".", 3)
	longest := three + strings.Repeat("b", 61)
	if got, err := NormalizeDomain("d", longest); err != nil || got != longest || len(got) != 253 {
		t.Errorf("253 bytes: %d bytes, %v", len(got), err)
	}
	if _, err := NormalizeDomain("d", three+strings.Repeat("b", 62)); err == nil {
		t.Error("254 bytes are allowed")
	}
}

func TestGenerateDomain(t *testing.T) {
	cases := map[string]string{
		"ACME":                     "acme",
		"ACME Inc.":                "acme-inc",
		"  two   words ":           "two-words",
		"Bücher & Söhne":           "bucher-sohne",
		"O'Brien":                  "obrien",
		"a_b-c.d":                  "a-b-c-d",
		"--a--":                    "a",
		"xn--abc":                  "xn-abc", // never an A-label
		"Кириллица":                "kirillitsa",
		"日本語":                      "ri-ben-yu",
		"한국어":                      "hangugeo",
		"العربية":                  "lrby",
		"עברית":                    "bryt",
		"ไทย":                      "aithy",
		"e\u0301cole":              "ecole", // a combining accent
		"a\u200bb":                 "a-b",   // a space of no width
		"\u202etfel":               "tfel",  // right-to-left override
		"42":                       "42",
		"½":                        "12",
		"🎉":                        "instance",
		"&_'":                      "instance",
		"":                         "instance",
		"   ":                      "instance",
		"-":                        "instance",
		"\u0301\u0302":             "instance",
		"a\x00b":                   "ab",
		"\xff\xfe":                 "instance",
		strings.Repeat("a", 200):   strings.Repeat("a", 56),
		strings.Repeat("ü", 200):   strings.Repeat("u", 56),
		strings.Repeat("ab ", 200): strings.Repeat("ab-", 18) + "ab",
	}
	for name, label := range cases {
		if got, want := GenerateDomain(name, "abc123", "id.example"), label+"-abc123.id.example"; got != want {
			t.Errorf("%.40q became %q, want %q", name, got, want)
		}
	}
}

// externalDomains draws domains of every length that leaves room for a generated label.
var externalDomains = rapid.Custom(func(t *rapid.T) string {
	const labels = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"
	full := strings.Repeat(labels+".", 4)
	return strings.Trim(full[:rapid.IntRange(1, 244).Draw(t, "bytes")], ".")
})

// Whatever the name, the domain keeps the limits of DNS, and normalising it changes nothing.
func TestGenerateDomainIsADomain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringN(0, 400, -1), rapid.StringMatching(`[\w -]{0,90}`)).Draw(t, "name")
		suffix := rapid.StringMatching(`[a-z0-9]{6}`).Draw(t, "suffix")
		external := externalDomains.Draw(t, "external")
		checkGenerated(t, name, suffix, external)
	})
}

type failer interface {
	Fatalf(format string, args ...any)
}

func checkGenerated(t failer, name, suffix, external string) {
	domain := GenerateDomain(name, suffix, external)
	if len(domain) > 253 {
		t.Fatalf("%q has %d bytes", domain, len(domain))
	}
	label, rest, _ := strings.Cut(domain, ".")
	if rest != external || len(label) > 63 || !strings.HasSuffix(label, "-"+suffix) || len(label) < 8 {
		t.Fatalf("%q is not a label with the suffix %q below %q", domain, suffix, external)
	}
	if got, err := NormalizeDomain("d", domain); err != nil || got != domain {
		t.Fatalf("%q normalised is %q, %v", domain, got, err)
	}
}

func FuzzGenerateDomain(f *testing.F) {
	for _, name := range []string{"ACME", "Кириллица", "日本語", "🎉", "&_'", "xn--a", "e\u0301", "\xff", strings.Repeat("ü", 100)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 1000 {
			return
		}
		checkGenerated(t, name, "abc123", "localhost")
	})
}

func FuzzNormalizeDomain(f *testing.F) {
	for _, d := range []string{
		"example.com", "BÜCHER.example", "xn--bcher-kva.example", "日本語。jp", "a_b", "a.", "::1", "1.2.3.4", "ab--c",
		"ß.de", "\u200d.x", "xn--", "faß.de", "עברית.1a", "A\u0308.x",
	} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, domain string) {
		if len(domain) > 1000 {
			return
		}
		got, err := NormalizeDomain("custom_domain", domain)
		if err != nil {
			logtest.CheckRefusal(t, err, *refused("INST-S3v3w", "custom_domain"))
			return
		}
		if len(got) == 0 || len(got) > 253 || !utf8.ValidString(got) {
			t.Fatalf("%q became %q of %d bytes", domain, got, len(got))
		}
		for _, label := range strings.Split(got, ".") {
			rest := strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-")
			if label == "" || len(label) > 63 || rest != "" || label != strings.Trim(label, "-") {
				t.Fatalf("%q became %q with the label %q", domain, got, label)
			}
		}
		if again, err := NormalizeDomain("custom_domain", got); err != nil || again != got {
			t.Fatalf("%q became %q, which becomes %q, %v", domain, got, again, err)
		}
	})
}

// The rule says what is wrong with an address, in whatever form it comes.
func TestNormalizeDomainSaysNoAddress(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "１２７.0.0.1", "::1", "[2001:db8::1]", "fe80::1%eth0"} {
		_, err := NormalizeDomain("custom_domain", address)
		const rule = "must be a domain name, not an IP address"
		if f := fault.Of(err); err == nil || len(f.Violations) != 1 || f.Violations[0].Rule != rule {
			t.Errorf("%q: %v, want the rule %q", address, err, rule)
		}
	}
}
