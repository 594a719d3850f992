// Package hostname says which texts are domain names, and the one form in which they are stored.
//
// It owns the rules of the name system (RFC 1035, RFC 1123, RFC 5890) and nothing else: whose a name
// is, and how a caller is told that one is wrong, belongs to the nouns that have domains.
//
// It guarantees that two texts that name the same domain have the same form, and that the form is
// within the limits of the name system.
package hostname

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Limits of names (RFC 1035 section 2.3.4), in bytes of their ASCII form.
const (
	MaxLabel = 63
	MaxName  = 253
)

// The rules that a text can break, in words for people, without the name of the field.
var (
	ErrAddress = errors.New("must be a domain name, not an IP address")
	ErrSyntax  = errors.New("must be a domain name: letters, digits, hyphens and dots, without scheme, port or path")
	ErrLength  = errors.New("must have 1 to 253 bytes in its ASCII form")
	ErrLabel   = errors.New("must consist of labels of 1 to 63 letters, digits and hyphens, which neither start nor end with a hyphen")
)

// ASCII returns a domain name in lower case, in A-labels (RFC 5890 section 2.3.2.1), without the space
// around it. It returns one of the errors of this package for what is no name: an IP address is a
// host, but no name (RFC 1123 section 2.1).
func ASCII(text string) (string, error) {
	text = strings.TrimSpace(text)
	ascii, err := idna.Lookup.ToASCII(text)
	switch {
	case isAddress(text) || isAddress(ascii): // idna makes digits of other scripts those of ASCII
		return "", ErrAddress
	case err != nil || !utf8.ValidString(text): // idna encodes broken UTF-8 as if it were text
		return "", ErrSyntax
	}
	ascii = strings.ToLower(ascii)
	if ascii == "" || len(ascii) > MaxName {
		return "", ErrLength
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if !isLabel(label) {
			return "", ErrLabel
		}
	}
	return ascii, nil
}

// Unicode returns a domain name as people write it: in lower case and in U-labels (RFC 5890 section
// 2.3.2.1), which is one form for all texts that [ASCII] has one form for. It returns the errors of
// ASCII.
func Unicode(text string) (string, error) {
	ascii, err := ASCII(text)
	if err != nil {
		return "", err
	}
	name, err := idna.Lookup.ToUnicode(ascii)
	if err != nil {
		return "", ErrSyntax // it begins with xn-- and stands for nothing
	}
	return name, nil
}

// isAddress reports whether host is an IP address, perhaps in the brackets of a URL.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil
}

func isLabel(label string) bool {
	if label == "" || len(label) > MaxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
