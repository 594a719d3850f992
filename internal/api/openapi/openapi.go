// Package openapi serves the OpenAPI documents of castellan's interfaces.
//
// It owns the address space below /openapi/ and the embedded documents. It does not write them:
// they are generated from proto/, and the tests here hold them against the descriptors.
// Neighbours are the packages under internal/api that serve what the documents describe; none of
// them imports this one. What it serves is public, needs no instance, and is the same for as long
// as the process lives.
package openapi

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"time"
)

//go:embed documents
var embedded embed.FS

// prefix is where the documents live on the server.
const prefix = "/openapi/"

// page is one answer. It is read when it is asked for: until then the documents, a part of the program's file like
// any other, need no memory.
type page struct {
	contentType string
	open        func() io.ReadSeeker
	etag        func() string
}

// Handler serves a list of the documents for people at /openapi/, and each document as JSON at
// /openapi/<path of its proto file>.json, for example /openapi/zitadel/system.json. It answers GET
// and HEAD. Answers carry an ETag, and If-None-Match is honoured with 304. Mount it at /openapi/
// without stripping the prefix.
func Handler() http.Handler {
	pages, names := documents()
	list := index(names)
	pages[""] = newPage("text/html; charset=utf-8", func() io.ReadSeeker { return bytes.NewReader(list) })
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"{name...}", func(w http.ResponseWriter, r *http.Request) {
		p, ok := pages[r.PathValue("name")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		p.serve(w, r)
	})
	return mux
}

// documents returns the embedded documents, keyed by their path below the prefix, and their paths in order. Reading
// what is compiled in cannot fail; if it does, the program is broken.
func documents() (map[string]page, []string) {
	pages := map[string]page{}
	var names []string
	root, err := fs.Sub(embedded, "documents")
	if err != nil {
		panic("openapi: embedded documents: " + err.Error())
	}
	err = fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		pages[path] = newPage("application/json", func() io.ReadSeeker { return open(root, path) })
		names = append(names, path)
		return nil
	})
	if err != nil {
		panic("openapi: embedded documents: " + err.Error())
	}
	return pages, names
}

// open opens an embedded document.
func open(root fs.FS, path string) io.ReadSeeker {
	f, err := root.Open(path)
	if err != nil {
		panic("openapi: embedded documents: " + err.Error())
	}
	return f.(io.ReadSeeker) // as embed says of its files, which need no closing
}

// newPage returns a page whose entity tag is computed when it is first asked for.
func newPage(contentType string, open func() io.ReadSeeker) page {
	return page{contentType: contentType, open: open, etag: sync.OnceValue(func() string {
		sum := sha256.New()
		if _, err := io.Copy(sum, open()); err != nil {
			panic("openapi: embedded documents: " + err.Error())
		}
		return `"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`
	})}
}

// serve sends the page, or 304 when the client has it.
func (p page) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", p.contentType)
	header.Set("ETag", p.etag())
	// A client may keep the page but asks each time, so that an upgrade of the server shows at once.
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", "default-src 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	// ServeContent compares the tags; without a time it sends no Last-Modified.
	http.ServeContent(w, r, "", time.Time{}, p.open())
}

// index is a page that lists documents. It is written by hand: a template can call any exported method by its
// name, and so makes the linker keep all of them, in the whole program.
func index(names []string) []byte {
	var b bytes.Buffer
	b.WriteString(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>castellan: OpenAPI documents</title>
<h1>OpenAPI documents</h1>
<ul>
`)
	for _, name := range names {
		escaped := html.EscapeString(name)
		b.WriteString(`<li><a href="` + escaped + `">` + escaped + "</a></li>\n")
	}
	b.WriteString("</ul>\n</html>\n")
	return b.Bytes()
}
