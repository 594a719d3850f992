package oidc

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// Values of headers that many answers have. Nobody changes them.
var (
	jsonType = []string{"application/json"}
	noSniff  = []string{"nosniff"}
	noStore  = []string{"no-store"}
	noCache  = []string{"no-cache"}
)

// writeJSON answers with v as JSON that nobody may keep (RFC 6749 section 5.1). It panics when v is no JSON,
// which is a mistake of the program.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("oidc: " + err.Error())
	}
	writeSecret(w, status, b.Bytes())
}

// writeSecret answers with JSON that is there already and that nobody may keep.
func writeSecret(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Cache-Control"] = noStore
	h["Pragma"] = noCache
	writeBytes(w, status, body)
}

// writeBytes answers with JSON that is there already.
func writeBytes(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["X-Content-Type-Options"] = noSniff
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has left needs no answer
}
