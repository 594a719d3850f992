package instance

import (
	"strings"
	"unicode"

	"github.com/mozillazg/go-unidecode"

	"castellan/internal/fault"
	"castellan/internal/hostname"
)

// GenerateDomain returns the domain of an instance with a name in any script: the name as a
// DNS label, the suffix (six random letters and digits, given so that the function stays
// pure) and the external domain (contract section 1.4, decision D4). The result keeps the
// limits of DNS when the external domain does and has at most 244 bytes.
func GenerateDomain(name, suffix, externalDomain string) string {
	tail := "-" + suffix
	limit := min(hostname.MaxLabel, hostname.MaxName-1-len(externalDomain)) - len(tail)
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
	name, err := hostname.ASCII(domain)
	if err != nil {
		return "", fault.Invalid(id, "Errors.Instance.Domain.InvalidCharacter", field, err.Error())
	}
	return name, nil
}
