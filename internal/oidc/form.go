package oidc

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// formType is the content type of requests (RFC 6749 section 4, appendix B).
const formType = "application/x-www-form-urlencoded"

// maxParameters is how many parameters a form may have.
const maxParameters = 64

// usualForm is how many bytes are made room for at once when a request says that it has that many.
const usualForm = 4 << 10

// repeatable are the parameters that may be there more than once (RFC 8707 section 2, RFC 8693 section
// 2.1). All others must not (RFC 6749 section 3.2), known or not.
var repeatable = []string{"resource", "audience"}

// form is the parameters of a request. One without a value counts as left out (RFC 6749 section 3.2).
type form map[string][]string

// readForm reads the parameters in the body of a request. Those of its URL do not count: they end up in
// logs, secrets among them (RFC 6749 section 2.3.1). It returns an [Error].
func readForm(r *Request) (form, error) {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || typ != formType || len(r.Header.Values("Content-Type")) > 1 {
		return nil, newError(codeInvalidRequest, "the content type must be "+formType)
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(min(r.ContentLength, usualForm)) + bytes.MinRead)
	}
	_, err = body.ReadFrom(r.Body)
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, err
	}
	if err != nil {
		return nil, newError(codeInvalidRequest, "the body cannot be read").because(err)
	}
	return parseForm(body.String())
}

// parseForm reads parameters. It returns an [Error] for what is no form, for a parameter that is there
// twice, and for text that is none.
func parseForm(body string) (form, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, newError(codeInvalidRequest, "there are more than %d parameters", maxParameters)
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, newError(codeInvalidRequest, "the body is not of type "+formType).because(err)
	}
	f := make(form, len(values))
	for name, all := range values {
		if !isText(name) {
			return nil, newError(codeInvalidRequest, "the name of a parameter is not text")
		}
		if len(all) > 1 && !slices.Contains(repeatable, name) {
			return nil, newError(codeInvalidRequest, "the parameter %s is there more than once", printable(name))
		}
		for _, value := range all {
			if !isText(value) {
				return nil, newError(codeInvalidRequest, "the parameter %s is not text", printable(name))
			}
			if value != "" {
				f[name] = append(f[name], value)
			}
		}
	}
	return f, nil
}

// get returns the value of a parameter that is there once; empty when it is not there.
func (f form) get(name string) string {
	if all := f[name]; len(all) > 0 {
		return all[0]
	}
	return ""
}

// isText reports whether a value can be looked up and stored: UTF-8 without control characters.
func isText(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// printable returns what may stand in a description (RFC 6749 section 5.2) of a name that a client has
// made up.
func printable(name string) string { return clean(name, 40) }

// clean returns at most limit bytes of what may stand in a description.
func clean(text string, limit int) string {
	only := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return '?'
		}
		return c
	}, text)
	return only[:min(len(only), limit)]
}
