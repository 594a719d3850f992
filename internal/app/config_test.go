package app

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// What the specifications advise, and what is said when a configuration differs (package comment of the
// interface: the texts are those that clients show).
func TestProblems(t *testing.T) {
	code, implicit, both := []GrantType{AuthorizationCode}, []GrantType{Implicit}, []GrantType{AuthorizationCode, Implicit}
	cases := map[string]struct {
		config OIDCConfig
		want   []Problem
	}{
		"web, https":          {OIDCConfig{Type: Web, AuthMethod: SecretBasic, GrantTypes: code, RedirectURIs: []string{"https://a"}}, nil},
		"web, http":           {OIDCConfig{Type: Web, AuthMethod: SecretBasic, GrantTypes: code, RedirectURIs: []string{"http://a"}}, nil},
		"web, custom":         {OIDCConfig{Type: Web, AuthMethod: SecretBasic, GrantTypes: code, RedirectURIs: []string{"app:/a"}}, []Problem{CodeCustomForNative}},
		"web, none":           {OIDCConfig{Type: Web, AuthMethod: SecretBasic, GrantTypes: code}, []Problem{NoRedirectURIs}},
		"web, implicit http":  {OIDCConfig{Type: Web, AuthMethod: None, GrantTypes: implicit, RedirectURIs: []string{"http://a"}}, []Problem{ImplicitNoHTTP}},
		"web, implicit":       {OIDCConfig{Type: Web, AuthMethod: None, GrantTypes: implicit, RedirectURIs: []string{"app:/a"}}, []Problem{ImplicitNoCustom}},
		"web, both, http":     {OIDCConfig{Type: Web, AuthMethod: None, GrantTypes: both, RedirectURIs: []string{"http://a"}}, nil},
		"web, both, custom":   {OIDCConfig{Type: Web, AuthMethod: None, GrantTypes: both, RedirectURIs: []string{"app:/a"}}, []Problem{ImplicitNoCustom}},
		"browser, http":       {OIDCConfig{Type: UserAgent, AuthMethod: None, GrantTypes: code, RedirectURIs: []string{"http://a"}}, []Problem{CodeHTTPOnlyForWeb}},
		"browser, secret":     {OIDCConfig{Type: UserAgent, AuthMethod: SecretPost, GrantTypes: code, RedirectURIs: []string{"https://a"}}, []Problem{UserAgentWithoutSecret}},
		"native, custom":      {OIDCConfig{Type: Native, AuthMethod: None, GrantTypes: code, RedirectURIs: []string{"app:/a"}}, nil},
		"native, both":        {OIDCConfig{Type: Native, AuthMethod: None, GrantTypes: both, RedirectURIs: []string{"app:/a"}}, nil},
		"native, implicit":    {OIDCConfig{Type: Native, AuthMethod: None, GrantTypes: implicit, RedirectURIs: []string{"app:/a"}}, []Problem{ImplicitNoCustom}},
		"native, localhost":   {OIDCConfig{Type: Native, AuthMethod: None, GrantTypes: code, RedirectURIs: []string{"http://localhost:80/a", "http://127.0.0.1", "http://[::1]:9?x", "http://localhost:*/a"}}, nil},
		"native, http":        {OIDCConfig{Type: Native, AuthMethod: None, GrantTypes: code, RedirectURIs: []string{"http://localhost.example/a"}}, []Problem{NativeOnlyLoopback}},
		"native, secret":      {OIDCConfig{Type: Native, AuthMethod: PrivateKeyJWT, GrantTypes: code, RedirectURIs: []string{"https://a"}}, []Problem{NativeWithoutSecret}},
		"device":              {OIDCConfig{Type: Native, AuthMethod: None, GrantTypes: []GrantType{DeviceCode, RefreshToken}}, nil},
		"device and code":     {OIDCConfig{Type: Native, AuthMethod: None, GrantTypes: []GrantType{DeviceCode, AuthorizationCode}}, []Problem{NoRedirectURIs}},
		"refresh of nothing":  {OIDCConfig{Type: Web, AuthMethod: SecretBasic, GrantTypes: []GrantType{RefreshToken}}, []Problem{RefreshWithoutCode, NoRedirectURIs}},
		"exchange of nothing": {OIDCConfig{Type: Web, AuthMethod: SecretBasic, GrantTypes: []GrantType{TokenExchange}}, []Problem{NoRedirectURIs}},
	}
	for name, c := range cases {
		want := c.want
		if len(want) > 0 {
			want = append([]Problem{NotCompliant}, want...)
		}
		got := c.config.Problems()
		if !slices.Equal(got, want) {
			t.Errorf("%s: problems are %q, want %q", name, got, want)
		}
		for _, p := range got {
			if p.Text() == "" {
				t.Errorf("%s has no text", p)
			}
		}
	}
}

func TestAllowedOrigins(t *testing.T) {
	c := OIDCConfig{
		RedirectURIs:      []string{"https://a.example/x", "https://a.example/y", "app:/z", "http://localhost:80/", "http://localhost:*/w"},
		AdditionalOrigins: []string{"https://b.example", "https://a.example"},
	}
	want := []string{"https://a.example", "http://localhost:80", "https://b.example"}
	if got := c.AllowedOrigins(); !slices.Equal(got, want) {
		t.Errorf("origins are %q, want %q", got, want)
	}
	if got := (OIDCConfig{}).AllowedOrigins(); len(got) != 0 {
		t.Errorf("no URIs, yet origins %q", got)
	}
}

func TestParseMetadata(t *testing.T) {
	const open = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x">`
	good := map[string]string{
		"prefix": metadata, "default namespace": open + "</EntityDescriptor>",
		"comment and instruction": "<?a b?><!-- c -->" + open + "</EntityDescriptor>\n",
		"deep":                    open + strings.Repeat("<a>", maxDepth-1) + strings.Repeat("</a>", maxDepth-1) + "</EntityDescriptor>",
	}
	for name, doc := range good {
		if id, err := ParseMetadata([]byte(doc)); err != nil || id == "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
	bad := map[string]string{
		"empty": "", "text": "metadata", "open": open, "two": strings.Repeat(open+"</EntityDescriptor>", 2),
		"other element":    `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/>`,
		"other namespace":  `<EntityDescriptor xmlns="urn:example" entityID="x"/>`,
		"no entity":        `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"/>`,
		"empty entity":     `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID=""/>`,
		"foreign entity":   `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:a="b" a:entityID="x"/>`,
		"long entity":      `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + strings.Repeat("x", maxEntityID+1) + `"/>`,
		"document type":    `<!DOCTYPE a SYSTEM "file:///etc/passwd">` + open + `</EntityDescriptor>`,
		"own entity":       `<!DOCTYPE a [<!ENTITY b "c">]>` + open + `&b;</EntityDescriptor>`,
		"unknown entity":   open + `&b;</EntityDescriptor>`,
		"other encoding":   `<?xml version="1.0" encoding="UTF-16"?>` + open + `</EntityDescriptor>`,
		"text behind":      open + `</EntityDescriptor>x`,
		"too deep":         open + strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth) + "</EntityDescriptor>",
		"too long":         open + strings.Repeat(" ", MaxMetadata) + `</EntityDescriptor>`,
		"not UTF-8":        open + "\xff</EntityDescriptor>",
		"crossed elements": open + "<a><b></a></b></EntityDescriptor>",
	}
	for name, doc := range bad {
		if id, err := ParseMetadata([]byte(doc)); err == nil || id != "" {
			t.Errorf("%s: taken for the metadata of %q", name, id)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(metadata))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "&b;&b;">]><a>&b;</a>`))
	f.Add([]byte(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		id, err := ParseMetadata(doc)
		if err != nil {
			if id != "" || !utf8.ValidString(err.Error()) {
				t.Errorf("refused with %q, %q", id, err)
			}
			return
		}
		if id == "" || len(id) > maxEntityID || len(doc) > MaxMetadata || !utf8.ValidString(id) {
			t.Errorf("entity %q of %d bytes", id, len(doc))
		}
	})
}

func FuzzRedirect(f *testing.F) {
	for _, uri := range []string{"https://a.example/cb", "app:/cb", "http://localhost:*/a", "javascript:x", "https://[::1", "a", "%:b"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		c := OIDCConfig{Type: Native, GrantTypes: []GrantType{AuthorizationCode, Implicit}, RedirectURIs: []string{uri}}
		for _, origin := range c.AllowedOrigins() {
			if !strings.Contains(origin, "://") {
				t.Errorf("%q has the origin %q", uri, origin)
			}
		}
		c.Problems() // must not panic, whatever was kept
		if checkRedirect(uri) == "" && (strings.ContainsAny(uri, "# \r\n\t") || strings.HasPrefix(strings.ToLower(uri), "javascript:")) {
			t.Errorf("%q may be redirected to", uri)
		}
	})
}
