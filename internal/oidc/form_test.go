package oidc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseForm(t *testing.T) {
	f, err := parseForm("a=1&b=x%20y+z&empty=&resource=r1&resource=r2&audience=&%C3%BC=%C3%BC")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "1", "b": "x y z", "empty": "", "none": "", "resource": "r1", "audience": "", "ü": "ü"} {
		if got := f.get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if all := f.all("resource"); !slices.Equal(all, []string{"r1", "r2"}) {
		t.Errorf("resource is %q", all)
	}
	if !f.has("resource") || f.has("audience") || f.has("none") {
		t.Errorf("resource is there: %t, audience: %t, none: %t", f.has("resource"), f.has("audience"), f.has("none"))
	}
}

func TestParseFormRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"twice":               {"scope=a&scope=b", "scope is there more than once"},
		"twice the same":      {"scope=a&scope=a", "more than once"},
		"twice, once empty":   {"scope=&scope=a", "more than once"},
		"twice, encoded":      {"scope=a&sc%6fpe=b", "more than once"},
		"unknown twice":       {"x=1&x=2", "x is there more than once"},
		"bad escape":          {"scope=%zz", "not of type"},
		"semicolon":           {"a=1;b=2", "not of type"},
		"NUL":                 {"scope=a%00", "scope is not text"},
		"line break":          {"scope=a%0a", "not text"},
		"not UTF-8":           {"scope=%ff", "not text"},
		"name not UTF-8":      {"%ff=1", "name of a parameter"},
		"name with quotes":    {`%22%5c=1&%22%5c=2`, "?? is there more than once"},
		"name endless":        {strings.Repeat("n", 500) + "=1&" + strings.Repeat("n", 500) + "=2", strings.Repeat("n", 40) + " is there"},
		"too many parameters": {strings.Repeat("a=&", maxParameters), "more than 64"},
	} {
		f, err := parseForm(tt.body)
		var e *Error
		if !errors.As(err, &e) || e.Code != codeInvalidRequest || !strings.Contains(e.Description, tt.want) || f != nil {
			t.Errorf("%s: %v, %v; want %q", name, f, err, tt.want)
		}
	}
}

func TestReadForm(t *testing.T) {
	read := func(body string, types ...string) (form, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/x?grant_type=of+the+url", strings.NewReader(body))
		r.Header.Del("Content-Type")
		for _, typ := range types {
			r.Header.Add("Content-Type", typ)
		}
		r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 100)
		return readForm(&Request{Request: r})
	}
	for _, typ := range []string{formType, "Application/X-WWW-Form-Urlencoded", formType + "; charset=UTF-8"} {
		if f, err := read("a=1", typ); err != nil || f.get("a") != "1" || f.get("grant_type") != "" {
			t.Errorf("%s: %v, %v", typ, f, err)
		}
	}
	for name, types := range map[string][]string{
		"none": nil, "empty": {""}, "JSON": {"application/json"}, "multipart": {"multipart/form-data; boundary=x"}, "two": {formType, formType}, "bad": {formType + ";;"},
	} {
		var e *Error
		if f, err := read("a=1", types...); !errors.As(err, &e) || !strings.Contains(e.Description, "content type") {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if e := failed(errOf(read(strings.Repeat("a", 101), formType))); e.Status != http.StatusRequestEntityTooLarge || e.Code != codeInvalidRequest {
		t.Errorf("too large: %+v", e)
	}
}

func errOf(_ form, err error) error { return err }

// rule is what parseForm does, said with the parser of the standard library: the parameters that have a value,
// or all the descriptions that the error may have, of which there is one for each parameter.
func rule(body string) (want url.Values, refused []string) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, []string{"there are more than 64 parameters"}
	}
	sent, err := url.ParseQuery(body)
	if err != nil {
		return nil, []string{"the body is not of type application/x-www-form-urlencoded"}
	}
	want = url.Values{}
	for name, all := range sent {
		switch {
		case !isText(name):
			refused = append(refused, "the name of a parameter is not text")
		case len(all) > 1 && name != "resource" && name != "audience":
			refused = append(refused, "the parameter "+printable(name)+" is there more than once")
		case slices.ContainsFunc(all, func(value string) bool { return !isText(value) }):
			refused = append(refused, "the parameter "+printable(name)+" is not text")
		}
		for _, value := range all {
			if value != "" {
				want.Add(name, value)
			}
		}
	}
	return want, refused
}

func FuzzParseForm(f *testing.F) {
	for _, body := range []string{
		"grant_type=client_credentials&scope=openid+profile&client_id=a%40b",
		"a=1&a=2", "%ff=%00&;", "", "&&=&", "=1&=2", "a", "a=&a=b", "a=%00&a=1", "a=1&a=2&b=%zz", "a;b&%zz", "a=b=c&d==", "%61=1&a=2",
		"resource=&resource=r1&audience=x&resource=r%202", "resource=%0a&a=%c3&%7f=", strings.Repeat("resource=r&", 70), "a%=1", "a=%4",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseForm(body)
		want, refused := rule(body)
		if err != nil || len(refused) > 0 {
			var e *Error
			if !errors.As(err, &e) || !slices.Contains(refused, e.Description) || e.Code != codeInvalidRequest {
				t.Errorf("%q: %v, want one of %q", body, err, refused)
			} else if strings.ContainsAny(e.Description, "\"\\\r\n") || len(e.Description) > 200 {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		read := url.Values{}
		for _, sent := range got {
			read.Add(sent.name, sent.value)
		}
		if diff := cmp.Diff(want, read); diff != "" {
			t.Errorf("%q (-rule +read)\n%s", body, diff)
		}
		for name, all := range want {
			if got.get(name) != all[0] || !got.has(name) || !slices.Equal(got.all(name), all) {
				t.Errorf("%q: %s is %q", body, name, got.all(name))
			}
		}
	})
}
