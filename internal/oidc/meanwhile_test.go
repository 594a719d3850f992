package oidc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"castellan/internal/access"
	"castellan/internal/claims"
)

// TestAUserIsLockedMeanwhile: a user who is disabled after the credential was looked at, and before the token is made,
// gets none, and that is no failure of ours.
func TestAUserIsLockedMeanwhile(t *testing.T) {
	eachWorld(t, func(w *world) {
		p := w.provider
		serve := p.token(map[string]grant{"late": {serve: func(r *tokenRequest) (tokenAnswer, error) {
			w.sql(`UPDATE users SET state = 'locked' WHERE user_id = 'ada'`)
			return p.issue(r, issued{facts: facts("openid"), application: "web"})
		}}})
		sent := httptest.NewRequestWithContext(t.Context(), http.MethodPost, issuerA+pathToken, strings.NewReader("grant_type=late"))
		sent.Header.Set("Content-Type", formType)
		err := serve(httptest.NewRecorder(), &Request{Request: sent, Instance: access.Instance{ID: "A"}, Issuer: issuerA})
		if e := failed(err); e.Code != codeInvalidGrant || e.Status != http.StatusBadRequest || !errors.Is(err, claims.ErrInactive) {
			w.Errorf("got %v", err)
		}
	})
}
