package oidc

import (
	"net/http"
	"strings"
)

// issuer returns the issuer of a request whose host leads to an instance: scheme://host, with the port as
// it was sent. The host is in lower case, as clients write it in the URLs they compare it with (RFC 3986
// section 6.2.2.1).
func (p *Provider) issuer(r *http.Request) string {
	scheme := "http://"
	if p.Secure || r.TLS != nil {
		scheme = "https://"
	}
	return scheme + strings.TrimSuffix(strings.ToLower(r.Host), ":")
}
