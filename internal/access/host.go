package access

import (
	"strconv"
	"strings"

	"castellan/internal/instance"
)

// maxHost is the length of the longest host that is looked at, in bytes: a domain name in any
// script, of which each character can take several bytes, and a port.
const maxHost = 1024

// domainOf returns the domain name that the value of a Host or :authority header names (RFC 9110
// section 7.2), in the form in which domains are stored, and without its port. ok is false for what
// names none: an IP address, a name that ends in a dot (no instance has such a domain), a port that
// is no number, and everything that is no host.
func domainOf(host string) (domain string, ok bool) {
	if len(host) > maxHost {
		return "", false
	}
	name, port, hasPort := strings.Cut(host, ":")
	// What has two colons is an IPv6 address or nothing, and no port has one.
	if hasPort && !isPort(port) || strings.TrimSpace(name) != name {
		return "", false
	}
	domain, err := instance.NormalizeDomain("host", name)
	return domain, err == nil
}

// isPort reports whether text is the port of a host; it may be empty (RFC 3986 section 3.2.3).
func isPort(text string) bool {
	if text == "" {
		return true
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil && len(text) <= 5
}
