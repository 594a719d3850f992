package operation_test

import (
	"net/http"
	"strings"
	"testing"

	"castellan/tests/kit"
)

// TestHeadersTooLarge: a request whose headers are beyond the limit is refused before anything of it is looked at, over
// both versions of HTTP, and those that follow are served.
func TestHeadersTooLarge(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		made := n.Create(t, kit.WithDomain(kit.Machine("Acme"), "a.example"))
		at := n.At(t, "a.example")
		before := kit.Counts(t, n.DB())
		for name, client := range map[string]*http.Client{"HTTP/1.1": at.HTTP, "HTTP/2": kit.H2C()} {
			base := at.URL
			if name == "HTTP/2" {
				base = n.URL // the system's host: the limit comes before hosts
			}
			for _, path := range []string{"/oauth/v2/token", "/oidc/v1/userinfo", "/auth/v1/users/me", "/zitadel.auth.v1.AuthService/GetMyUser"} {
				for header, value := range map[string]string{"Authorization": "Bearer " + made.GetPat(), "Dpop": "", "X-Request-Id": ""} {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader("{}"))
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set(header, value+strings.Repeat("x", 1<<20))
					res, err := client.Do(r)
					if err != nil {
						continue // the connection was closed while the header was still being sent
					}
					_ = res.Body.Close() // nothing is read
					if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
						t.Errorf("%s, %s of %s: %d", name, header, path, res.StatusCode)
					}
				}
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
		if status, _, body := kit.Raw(t, at.HTTP, http.MethodGet, at.URL+"/auth/v1/users/me", "", http.Header{"Authorization": {"Bearer " + made.GetPat()}}); status != http.StatusOK {
			t.Errorf("afterwards: %d %s", status, body)
		}
	})
}
