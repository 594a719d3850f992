package openapi

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// get sends one request to a fresh handler.
func get(t *testing.T, method, path string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for key, values := range header {
		r.Header[key] = values
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	response := w.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

func TestHandlerServesDocument(t *testing.T) {
	want, err := embedded.ReadFile("documents/zitadel/system.json")
	if err != nil {
		t.Fatal(err)
	}
	response, body := get(t, http.MethodGet, "/openapi/zitadel/system.json", nil)
	if response.StatusCode != http.StatusOK || !bytes.Equal(body, want) {
		t.Fatalf("status %d, %d bytes; want 200 and the embedded %d bytes", response.StatusCode, len(body), len(want))
	}
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if got := response.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("cache control %q", got)
	}
}

func TestHandlerRevalidates(t *testing.T) {
	first, _ := get(t, http.MethodGet, "/openapi/zitadel/system.json", nil)
	tag := first.Header.Get("ETag")
	if tag == "" {
		t.Fatal("no ETag")
	}
	for _, held := range []string{tag, `"other", ` + tag, "W/" + tag, "*"} {
		again, body := get(t, http.MethodGet, "/openapi/zitadel/system.json", http.Header{"If-None-Match": {held}})
		if again.StatusCode != http.StatusNotModified || len(body) != 0 {
			t.Errorf("If-None-Match %s: status %d, %d bytes; want 304 and none", held, again.StatusCode, len(body))
		}
	}
	other, body := get(t, http.MethodGet, "/openapi/zitadel/system.json", http.Header{"If-None-Match": {`"other"`}})
	if other.StatusCode != http.StatusOK || len(body) == 0 {
		t.Errorf("another tag: status %d, %d bytes; want 200 and the document", other.StatusCode, len(body))
	}
	list, _ := get(t, http.MethodGet, "/openapi/", nil)
	if list.Header.Get("ETag") == tag {
		t.Error("the list has the tag of the document")
	}
}

func TestHandlerListsDocuments(t *testing.T) {
	response, body := get(t, http.MethodGet, "/openapi/", nil)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("status %d, content type %q", response.StatusCode, response.Header.Get("Content-Type"))
	}
	for name := range loaded(t) {
		if !strings.Contains(string(body), `<a href="`+name+`">`) {
			t.Errorf("no link to %s in\n%s", name, body)
		}
		if linked, _ := get(t, http.MethodGet, "/openapi/"+name, nil); linked.StatusCode != http.StatusOK {
			t.Errorf("the link to %s answers %d", name, linked.StatusCode)
		}
	}
}

func TestHandlerRefuses(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{http.MethodHead, "/openapi/zitadel/system.json", http.StatusOK},
		{http.MethodGet, "/openapi/zitadel/unknown.json", http.StatusNotFound},
		{http.MethodGet, "/openapi/zitadel", http.StatusNotFound},
		{http.MethodGet, "/openapi/..%2fopenapi.go", http.StatusNotFound},
		{http.MethodGet, "/other", http.StatusNotFound},
		{http.MethodPost, "/openapi/zitadel/system.json", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/openapi/", http.StatusMethodNotAllowed},
	} {
		if response, _ := get(t, c.method, c.path, nil); response.StatusCode != c.want {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, response.StatusCode, c.want)
		}
	}
}
