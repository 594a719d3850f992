package oidc

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"

	"castellan/internal/dpop"
	"castellan/internal/session"
	"castellan/internal/token"
)

// The authentication schemes with which access tokens are sent (RFC 6750 section 2.1, RFC 9449 section 7.1).
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

// headerDPoP is the header that proofs are sent in (RFC 9449 section 4.1), as net/http spells it.
const headerDPoP = "Dpop"

// Answers to whoever has no access token that is of use. Codes and texts in the body are those of contract
// section 5.3; those of the standards are in the challenge.
var (
	errTokenMissing  = newError(codeInvalidRequest, "access token missing").with(http.StatusUnauthorized)
	errTokenInvalid  = newError("access_denied", "access token invalid").with(http.StatusUnauthorized)
	errTokenRepeated = newError(codeInvalidRequest, "there must be one access token, sent in one way")
	errProofInvalid  = newError(codeInvalidProof, "the DPoP proof is not one for this request").with(http.StatusUnauthorized)
)

// sentToken is an access token as a request carries it.
type sentToken struct {
	scheme, text string
}

// readToken returns the access token of a request: of its Authorization header, or of a form (RFC 6750
// sections 2.1 and 2.2); not of its URL, which ends up in logs. It returns an [Error] with a challenge when
// there is none, or more than one.
func readToken(r *Request) (t sentToken, err error) {
	switch sent := r.Header.Values("Authorization"); len(sent) {
	case 0:
	case 1:
		scheme, text, _ := strings.Cut(sent[0], " ")
		switch text = strings.TrimSpace(text); {
		case strings.EqualFold(scheme, schemeBearer):
			t = sentToken{schemeBearer, text}
		case strings.EqualFold(scheme, schemeDPoP):
			t = sentToken{schemeDPoP, text}
		}
	default:
		return t, errTokenRepeated.challenging(schemeBearer, codeInvalidRequest)
	}
	if r.Method == http.MethodPost && r.ContentLength != 0 && r.Header.Get("Content-Type") != "" {
		f, err := readForm(r)
		if err != nil {
			return t, err
		}
		if text := f.get("access_token"); text != "" {
			if t.text != "" {
				return t, errTokenRepeated.challenging(schemeBearer, codeInvalidRequest)
			}
			t = sentToken{schemeBearer, text}
		}
	}
	if t.text == "" {
		return t, errTokenMissing.challenging(schemeBearer, "")
	}
	return t, nil
}

// accept returns what the access token of a request says, which is of use now. One that is bound to
// a key has to come with a proof for this request (RFC 9449 section 7.1). It returns an [Error] with a
// challenge, and the errors of token.Service.
func (p *Provider) accept(r *Request) (token.Token, error) {
	sent, err := readToken(r)
	if err != nil {
		return token.Token{}, err
	}
	// Whoever has no token of use is a stranger, however many are made up.
	hash := sha256.Sum256([]byte(sent.text))
	visit, err := p.admit(r, "token\x00"+string(hash[:]))
	if err != nil {
		return token.Token{}, err
	}
	proof, err := p.readProof(r, sent)
	if err != nil {
		visit.Failed()
		return token.Token{}, err
	}
	t, err := p.Tokens.VerifyBound(r.Context(), r.Instance.ID, r.Issuer, sent.text, proof.Thumbprint)
	if errors.Is(err, token.ErrToken) {
		visit.Failed()
		return t, errTokenInvalid.because(err).challenging(sent.scheme, "invalid_token")
	}
	if err != nil {
		return t, err
	}
	visit.Proved()
	if sent.scheme == schemeDPoP {
		// Only now: a stranger cannot make the server remember anything.
		err = refusedProof(p.Proofs.Spend(r.Context(), r.Instance.ID, proof))
	}
	return t, err
}

// readProof returns the proof that goes with a token of scheme DPoP; the zero Proof with another.
func (p *Provider) readProof(r *Request, sent sentToken) (dpop.Proof, error) {
	if sent.scheme != schemeDPoP {
		return dpop.Proof{}, nil
	}
	proof, err := p.Proofs.Read(r.Header[headerDPoP], dpop.Request{
		Method: r.Method, URL: r.Issuer + r.URL.Path, Token: sent.text,
	})
	return proof, refusedProof(err)
}

// refusedProof returns dpop.ErrProof as an [Error] with a challenge, and other errors as they are.
func refusedProof(err error) error {
	if errors.Is(err, dpop.ErrProof) {
		return errProofInvalid.because(err).challenging(schemeDPoP, errProofInvalid.Code)
	}
	return err
}

// challenging returns a copy that tells in the header WWW-Authenticate how to authenticate: with a code of
// RFC 6750 section 3.1 or RFC 9449 section 7.1, or without one when nothing was sent. Whoever sends no
// token learns of both schemes.
func (e *Error) challenging(scheme, code string) *Error {
	parameters := ""
	if code != "" {
		parameters = `error="` + code + `", error_description="` + e.Description + `"`
	}
	algorithms := `algs="` + strings.Join(dpop.Algorithms(), " ") + `"`
	c := *e
	switch {
	case scheme == schemeDPoP:
		c.challenge = schemeDPoP + " " + parameters + ", " + algorithms
	case code == "":
		c.challenge = schemeBearer + ", " + schemeDPoP + " " + algorithms
	default:
		c.challenge = schemeBearer + " " + parameters
	}
	return &c
}

// applicationOf returns the client_id of the application that a token was given to; empty when it was given
// to its user, which has another name in the same place.
func applicationOf(t token.Token) string {
	if len(t.Grounds) > 0 && slices.Contains(applications, t.Grounds[0].Kind) {
		return t.Grounds[0].Client
	}
	return ""
}

// applications are the kinds of grounds in which an application has authenticated.
var applications = []session.Kind{session.App, session.AppKey, session.AppSecret}
