package oidc

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"castellan/internal/scratch"
)

// formType is the content type of requests (RFC 6749 section 4, appendix B).
const formType = "application/x-www-form-urlencoded"

// maxParameters is how many parameters a form may have.
const maxParameters = 64

// repeatable are the parameters that may be there more than once (RFC 8707 section 2, RFC 8693 section
// 2.1). All others must not (RFC 6749 section 3.2), known or not.
var repeatable = []string{"resource", "audience"}

// form is the parameters of a request in the order in which they were sent. One without a value counts as left
// out (RFC 6749 section 3.2) and is none of them.
type form []parameter

// parameter is one of a form.
type parameter struct{ name, value string }

// readForm reads the parameters in the body of a request. Those of its URL do not count: they end up in
// logs, secrets among them (RFC 6749 section 2.3.1). It returns an [Error].
func readForm(r *Request) (form, error) {
	if types := r.Header["Content-Type"]; len(types) != 1 || !isFormType(types[0]) {
		return nil, newError(codeInvalidRequest, "the content type must be "+formType)
	}
	body := scratch.Borrow()
	defer scratch.Return(body)
	if _, err := body.ReadFrom(r.Body); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return nil, err
		}
		return nil, newError(codeInvalidRequest, "the body cannot be read").because(err)
	}
	return parseForm(body.String())
}

// isFormType reports whether a content type is that of forms, with whatever parameters.
func isFormType(typ string) bool {
	if typ == formType { // as nearly all clients write it
		return true
	}
	media, _, err := mime.ParseMediaType(typ)
	return err == nil && media == formType
}

// parseForm reads parameters. It returns an [Error] for what is no form, for a parameter that is there
// twice, and for text that is none.
func parseForm(body string) (form, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, newError(codeInvalidRequest, "there are more than %d parameters", maxParameters)
	}
	f, err := splitForm(body)
	if err != nil {
		return nil, newError(codeInvalidRequest, "the body is not of type "+formType).because(err)
	}
	for i, sent := range f {
		if !isText(sent.name) {
			return nil, newError(codeInvalidRequest, "the name of a parameter is not text")
		}
		if f[i+1:].has(sent.name) && !slices.Contains(repeatable, sent.name) {
			return nil, newError(codeInvalidRequest, "the parameter %s is there more than once", printable(sent.name))
		}
		if !isText(sent.value) {
			return nil, newError(codeInvalidRequest, "the parameter %s is not text", printable(sent.name))
		}
	}
	return slices.DeleteFunc(f, func(sent parameter) bool { return sent.value == "" }), nil
}

// errSemicolon means that parameters are separated as they once were: what is meant is not certain.
var errSemicolon = errors.New("invalid semicolon separator in query")

// splitForm takes a form apart as [url.ParseQuery] does.
func splitForm(body string) (form, error) {
	f := make(form, 0, strings.Count(body, "&")+1)
	for body != "" {
		var sent parameter
		var err error
		sent.name, body, _ = strings.Cut(body, "&")
		if sent.name == "" {
			continue
		}
		if strings.Contains(sent.name, ";") {
			return nil, errSemicolon
		}
		sent.name, sent.value, _ = strings.Cut(sent.name, "=")
		if sent.name, err = unescape(sent.name); err != nil {
			return nil, err
		}
		if sent.value, err = unescape(sent.value); err != nil {
			return nil, err
		}
		f = append(f, sent)
	}
	return f, nil
}

// unescape is [url.QueryUnescape], which looks at each byte, for what mostly has nothing to unescape and may be long.
func unescape(text string) (string, error) {
	if strings.IndexByte(text, '%') < 0 && strings.IndexByte(text, '+') < 0 {
		return text, nil
	}
	return url.QueryUnescape(text)
}

// get returns the value of a parameter that is there once; empty when it is not there.
func (f form) get(name string) string {
	for i := range f {
		if f[i].name == name {
			return f[i].value
		}
	}
	return ""
}

// has reports whether a parameter is there.
func (f form) has(name string) bool {
	return slices.ContainsFunc(f, func(sent parameter) bool { return sent.name == name })
}

// all returns the values of a parameter that may be there more than once.
func (f form) all(name string) (values []string) {
	for i := range f {
		if f[i].name == name {
			values = append(values, f[i].value)
		}
	}
	return values
}

// isText reports whether a value can be looked up and stored: UTF-8 without control characters.
func isText(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c == 0x7f { // bytes that are part of no other character
			return false
		}
	}
	return utf8.ValidString(value)
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
