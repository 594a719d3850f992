package oidc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
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
	if !slices.Equal(f["resource"], []string{"r1", "r2"}) {
		t.Errorf("resource is %q", f["resource"])
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

func FuzzParseForm(f *testing.F) {
	f.Add("grant_type=client_credentials&scope=openid+profile&client_id=a%40b")
	f.Add("a=1&a=2")
	f.Add("%ff=%00&;")
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseForm(body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || strings.ContainsAny(e.Description, "\"\\\r\n") || len(e.Description) > 200 {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		values := url.Values{}
		for name, all := range got {
			if len(all) > 1 && !slices.Contains(repeatable, name) {
				t.Errorf("%q: %s has %d values", body, name, len(all))
			}
			values[name] = all
		}
		again, err := parseForm(values.Encode())
		if err != nil || len(again) != len(got) {
			t.Errorf("%q is read as %v, and that as %v, %v", body, got, again, err)
		}
	})
}
