package oidc

import (
	"strings"

	"castellan/internal/origin"
)

// issuerOf returns the issuer of a request whose host leads to an instance: scheme://host, with the port as
// it was sent. The host is in lower case, as clients write it in the URLs they compare it with (RFC 3986
// section 6.2.2.1).
func issuerOf(from origin.Origin) string { return strings.ToLower(from.String()) }
