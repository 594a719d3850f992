package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"castellan/internal/claims"
	"castellan/internal/ident"
	"castellan/internal/store/storetest"
	"castellan/internal/webkey"
)

// BenchmarkToken is a token for an assertion, handler alone: sealed, and as JWTs of each algorithm. The
// assertion is signed with EdDSA.
func BenchmarkToken(b *testing.B) {
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		b.Run(e.Name, func(b *testing.B) {
			w := newWorld(b, e.New(b).Open(b))
			w.withKeys()
			body := url.Values{
				"grant_type": {grantJWTBearer}, "scope": {claims.Profile}, "assertion": {botAssertion("k-ed", nil)},
			}.Encode()
			ask := func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, issuerA+pathToken, strings.NewReader(body))
						r.Header.Set("Content-Type", formType)
						rec := httptest.NewRecorder()
						w.handler.ServeHTTP(rec, r)
						if rec.Code != http.StatusOK {
							b.Errorf("%d %s", rec.Code, rec.Body)
						}
					}
				})
			}
			b.Run("sealed", ask)
			w.sql(`UPDATE users SET access_token_type = 'jwt' WHERE user_id = 'bot'`)
			b.Run("RS256", ask)
			for _, algorithm := range []webkey.Algorithm{webkey.ES256, webkey.EdDSA} {
				key, err := w.web.Create(b.Context(), "A", "op", webkey.Config{Algorithm: algorithm})
				w.must(err)
				_, err = w.web.Activate(b.Context(), "A", "op", ident.KeyID(key.ID))
				w.must(err)
				b.Run(string(algorithm), ask)
			}
		})
	}
}
