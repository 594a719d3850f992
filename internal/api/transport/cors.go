package transport

import (
	"net/http"

	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"

	"castellan/internal/call"
)

// corsMaxAge is how long, in seconds, a browser may keep the answer to a preflight (contract
// section 3.2).
const corsMaxAge = 600

// newCORS returns the policy for calls (contract section 3.2): every origin, named rather than
// "*" because credentials are allowed. Callers authenticate with a header that a browser never
// adds by itself, so an origin gains nothing its scripts do not hold already.
func newCORS() *cors.Cors {
	return cors.New(cors.Options{
		AllowOriginFunc:  func(string) bool { return true },
		AllowCredentials: true,
		AllowedMethods: []string{http.MethodOptions, http.MethodGet, http.MethodHead, http.MethodPost,
			http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: append(connectcors.AllowedHeaders(), "Origin", "Accept", "Accept-Language",
			"Authorization", "DPoP", "X-Requested-With", "X-Zitadel-Orgid", "X-Request-Id", "Idempotency-Key", call.PageHeader),
		ExposedHeaders: append(connectcors.ExposedHeaders(), "Location", "Content-Length", "X-Request-Id", "WWW-Authenticate", call.NextPageHeader),
		MaxAge:         corsMaxAge,
	})
}

// preflight says whether r is a browser asking about another request.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
