package oidc

import (
	"net/http"
	"strings"
)

// keysCaching is how long clients may keep the keys of an issuer (contract section 5.4): within five minutes
// they notice a new one, and that one is gone.
var keysCaching = []string{"max-age=300, must-revalidate"}

// jwks serves the keys of an issuer (RFC 7517 section 5).
func (p *Provider) jwks(w http.ResponseWriter, r *Request) error {
	d, err := p.Keys.Document(r.Context(), r.Instance.ID)
	if err != nil {
		return err
	}
	h := w.Header()
	h["Cache-Control"] = keysCaching
	h["Etag"] = []string{d.ETag}
	if matches(r.Header.Values("If-None-Match"), d.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeBytes(w, http.StatusOK, d.JSON)
	return nil
}

// matches reports whether the values of If-None-Match name an entity tag (RFC 9110 section 13.1.2), which has
// no comma in it.
func matches(values []string, etag string) bool {
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
