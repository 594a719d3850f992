package oidc

import (
	"bytes"
	"encoding/json"
	"net/http"

	"castellan/internal/dpop"
	"castellan/internal/webkey"
)

// The paths of the endpoints (contract section 5.3), below the issuer.
const (
	pathDiscovery     = "/.well-known/openid-configuration"       // OpenID Connect Discovery section 4
	pathMetadata      = "/.well-known/oauth-authorization-server" // RFC 8414 section 3
	pathAuthorize     = "/oauth/v2/authorize"
	pathToken         = "/oauth/v2/token"
	pathIntrospection = "/oauth/v2/introspect"
	pathRevocation    = "/oauth/v2/revoke"
	pathKeys          = "/oauth/v2/keys"
	pathUserinfo      = "/oidc/v1/userinfo"
)

// The grants that the token endpoint serves.
const (
	grantClientCredentials = "client_credentials"                              // RFC 6749 section 4.4
	grantRefreshToken      = "refresh_token"                                   // RFC 6749 section 6
	grantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523 section 2.1
	grantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693 section 2.1
)

// How clients authenticate (RFC 7591 section 2, OpenID Connect Core section 9).
const (
	authNone          = "none"
	authBasic         = "client_secret_basic"
	authPost          = "client_secret_post"
	authPrivateKeyJWT = "private_key_jwt"
)

// metadata is what an issuer tells about itself (OpenID Connect Discovery section 3, RFC 8414 section 2).
type metadata struct {
	Issuer                 string             `json:"issuer"`
	AuthorizationEndpoint  string             `json:"authorization_endpoint"`
	TokenEndpoint          string             `json:"token_endpoint"`
	IntrospectionEndpoint  string             `json:"introspection_endpoint"`
	UserinfoEndpoint       string             `json:"userinfo_endpoint"`
	RevocationEndpoint     string             `json:"revocation_endpoint"`
	KeysURI                string             `json:"jwks_uri"`
	Scopes                 []string           `json:"scopes_supported"`
	ResponseTypes          []string           `json:"response_types_supported"`
	GrantTypes             []string           `json:"grant_types_supported"`
	SubjectTypes           []string           `json:"subject_types_supported"`
	IDTokenAlgorithms      []webkey.Algorithm `json:"id_token_signing_alg_values_supported"`
	TokenAuth              []string           `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms    []string           `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuth         []string           `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms   []string           `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuth      []string           `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgs      []string           `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	DPoPAlgorithms         []string           `json:"dpop_signing_alg_values_supported"`
	Claims                 []string           `json:"claims_supported"`
	RequestParameter       bool               `json:"request_parameter_supported"`
	RequestURIParameter    bool               `json:"request_uri_parameter_supported"`
	RequestURIRegistration bool               `json:"require_request_uri_registration"`
}

// anIssuer stands for the issuer in the document that is made once. It needs no escape in JSON.
const anIssuer = "http://issuer.invalid"

// newMetadata returns what every issuer tells. It has only what works; see the package comment for what
// response_types_supported says.
func newMetadata() metadata {
	algorithms := []string{"RS256"} // of keys of machines and clients (contract section 5.4)
	clients := []string{authNone, authBasic, authPost, authPrivateKeyJWT}
	return metadata{
		Issuer:                anIssuer,
		AuthorizationEndpoint: anIssuer + pathAuthorize,
		TokenEndpoint:         anIssuer + pathToken,
		IntrospectionEndpoint: anIssuer + pathIntrospection,
		UserinfoEndpoint:      anIssuer + pathUserinfo,
		RevocationEndpoint:    anIssuer + pathRevocation,
		KeysURI:               anIssuer + pathKeys,
		Scopes:                []string{"openid", "profile", "email", "phone", "address", "offline_access"},
		ResponseTypes:         []string{"none"},
		GrantTypes:            []string{grantClientCredentials, grantRefreshToken, grantJWTBearer, grantTokenExchange},
		SubjectTypes:          []string{"public"},
		IDTokenAlgorithms:     webkey.Algorithms,
		TokenAuth:             clients,
		TokenAuthAlgorithms:   algorithms,
		RevocationAuth:        clients,
		RevocationAlgorithms:  algorithms,
		IntrospectionAuth:     []string{authBasic, authPrivateKeyJWT},
		IntrospectionAlgs:     algorithms,
		DPoPAlgorithms:        dpop.Algorithms(),
		Claims: []string{
			"sub", "aud", "exp", "iat", "iss", "auth_time", "nonce", "acr", "amr", "c_hash", "at_hash", "act", "scopes",
			"client_id", "azp", "preferred_username", "name", "family_name", "given_name", "locale", "email",
			"email_verified", "phone_number", "phone_number_verified",
		},
	}
}

// documentOf is the document of every issuer, in pieces: the issuer stands between them.
func documentOf(m metadata) [][]byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		panic("oidc: " + err.Error()) // a constant is always JSON, or never
	}
	return bytes.Split(b.Bytes(), []byte(anIssuer))
}

// document is made once; nothing in it depends on the instance.
var document = documentOf(newMetadata())

// discovery serves the metadata of an issuer. Clients may keep it as long as the keys it leads to.
func (p *Provider) discovery(w http.ResponseWriter, r *Request) error {
	w.Header()["Cache-Control"] = keysCaching
	writeBytes(w, http.StatusOK, bytes.Join(document, []byte(r.Issuer)))
	return nil
}

// authorize is the endpoint where people would sign in with a browser. It is there because clients cannot do
// without its address; nothing is redirected, as the client is not known to own the address.
func (p *Provider) authorize(http.ResponseWriter, *Request) error {
	return newError("unsupported_response_type", "interactive sign-in is not offered by this server yet")
}
