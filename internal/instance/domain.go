package instance

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mozillazg/go-unidecode"
	"golang.org/x/net/idna"

	"castellan/internal/fault"
)

// Limits of DNS names (RFC 1035 section 2.3.4), in bytes.
const (
	maxLabel  = 63
	maxDomain = 253
)

// GenerateDomain returns the domain of an instance with a name in any script: the name as a
// DNS label, the suffix (six random letters and digits, given so that the function stays
// pure) and the external domain (contract section 1.4, decision D4). The result keeps the
// limits of DNS when the external domain does and has at most 244 bytes.
func GenerateDomain(name, suffix, externalDomain string) string {
	tail := "-" + suffix
	limit := min(maxLabel, maxDomain-1-len(externalDomain)) - len(tail)
	label := Label(name, limit)
	if label == "" {
		label = Label("instance", limit)
	}
	return label + tail + "." + externalDomain
}

// Label turns a name in any script into at most limit bytes of a DNS label: transliterated,
// lower case, spaces and separators as single hyphens, everything else dropped. It returns
// the empty string when nothing is left.
func Label(name string, limit int) string {
	var b strings.Builder
	hyphen := false
	for _, r := range strings.ToLower(unidecode.Unidecode(name)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			if hyphen && b.Len() > 0 {
				b.WriteByte('-')
			}
			hyphen = false
			b.WriteRune(r)
		case r == '-', r == '_', r == '.', unicode.IsSpace(r):
			hyphen = true
		}
	}
	label := b.String()
	if len(label) > limit {
		label = label[:max(limit, 0)]
	}
	return strings.Trim(label, "-")
}

// NormalizeDomain returns a domain in the form in which it is stored: lower case, A-labels.
// It returns INST-S3v3w, naming field, for anything that cannot be a domain name: an IP address is
// a host, but no name that could be registered for one instance (RFC 1123 section 2.1).
func NormalizeDomain(field, domain string) (string, error) {
	return normalize("INST-S3v3w", field, domain)
}

// normalize is NormalizeDomain with another id for what is refused.
func normalize(id, field, domain string) (string, error) {
	refuse := func(rule string) (string, error) {
		return "", fault.Invalid(id, "Errors.Instance.Domain.InvalidCharacter", field, rule)
	}
	domain = strings.TrimSpace(domain)
	ascii, err := idna.Lookup.ToASCII(domain)
	if isAddress(domain) || isAddress(ascii) { // idna makes digits of other scripts those of ASCII
		return refuse("must be a domain name, not an IP address")
	}
	if err != nil || !utf8.ValidString(domain) { // idna encodes broken UTF-8 as if it were text
		return refuse("must be a domain name: letters, digits, hyphens and dots, without scheme, port or path")
	}
	ascii = strings.ToLower(ascii)
	if ascii == "" || len(ascii) > maxDomain {
		return refuse("must have 1 to 253 bytes in its ASCII form")
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if !isLabel(label) {
			return refuse("must consist of labels of 1 to 63 letters, digits and hyphens, which neither start nor end with a hyphen")
		}
	}
	return ascii, nil
}

// isAddress reports whether host is an IP address, perhaps in the brackets of a URL.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil
}

func isLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
