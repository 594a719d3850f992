package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"castellan/bench/rows"
	"castellan/internal/store"
)

// Paths, those of castellan.
const (
	pathReady  = "/debug/ready"
	pathCreate = "/system/v1/instances/_create"
	pathGet    = "/system/v1/instances/"
	pathGRPC   = "/zitadel.system.v1.SystemService/GetInstance"
	pathDomain = "/system/v1/domains/"

	suffixExists = "/_exists" // of pathDomain
	suffixAdd    = "/domains" // of pathGet
)

// maxRequest bounds what is read of a request.
const maxRequest = 64 << 10

// handler serves all of it.
type handler struct {
	db      store.DB
	writer  *rows.Writer
	created []byte // the answer of CreateInstance
	writes  atomic.Uint64
	answers map[string]rows.Answer // by instance
	pages   map[string]rows.Page   // by path
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if page, known := h.pages[r.URL.Path]; known {
		h.page(w, r, page)
		return
	}
	switch path := r.URL.Path; {
	case path == pathReady:
		h.ready(w, r)
	case path == pathCreate && h.writer != nil:
		h.create(w, r)
	case strings.HasPrefix(path, pathDomain) && strings.HasSuffix(path, suffixExists):
		h.exists(w, r)
	case strings.HasPrefix(path, pathGet) && strings.HasSuffix(path, suffixAdd):
		h.addDomain(w, r)
	case path == pathGRPC && h.answers != nil:
		h.getGRPC(w, r)
	case strings.HasPrefix(path, pathGet) && h.answers != nil:
		h.getREST(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	if err := h.db.Ping(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// create commits one transaction.
func (h *handler) create(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(io.LimitReader(r.Body, maxRequest)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n := h.writes.Add(1)
	err := h.db.Update(r.Context(), func(ctx context.Context, tx store.Tx) error { return h.writer.Write(ctx, tx, n) })
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, h.created)
}

// page makes the reads of a page.
func (h *handler) page(w http.ResponseWriter, r *http.Request, page rows.Page) {
	_, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := page.Serve(r.Context(), h.db)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	maps.Copy(w.Header(), page.Header)
	send(w, answer)
}

func (h *handler) getREST(w http.ResponseWriter, r *http.Request) {
	answer, err := h.read(r.Context(), r.URL.Path[len(pathGet):])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, answer.REST)
}

// The frame of gRPC: a byte that says whether the message is compressed, and its length.
const frameHead = 5

// fieldID is the tag of field 1, text, which is all a GetInstanceRequest has.
const fieldID = 1<<3 | 2

var errFrame = errors.New("not a frame with a GetInstanceRequest")

// getGRPC answers a gRPC call: one frame each way, then the status as a trailer.
func (h *handler) getGRPC(w http.ResponseWriter, r *http.Request) {
	answer, err := h.answerOf(r)
	header := w.Header()
	header["Content-Type"] = []string{"application/grpc"}
	if err != nil {
		const internal = "13"
		header["Grpc-Status"], header["Grpc-Message"] = []string{internal}, []string{err.Error()}
		return
	}
	frame := make([]byte, frameHead, frameHead+len(answer.GRPC))
	binary.BigEndian.PutUint32(frame[1:], uint32(len(answer.GRPC)))
	_, _ = w.Write(append(frame, answer.GRPC...)) // a client that has left needs no answer
	header[http.TrailerPrefix+"Grpc-Status"] = []string{"0"}
}

// answerOf reads the request and what it asks for.
func (h *handler) answerOf(r *http.Request) (rows.Answer, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return rows.Answer{}, err
	}
	id, err := requestID(body)
	if err != nil {
		return rows.Answer{}, err
	}
	return h.read(r.Context(), id)
}

// requestID returns the id in a frame with a GetInstanceRequest. It returns errFrame for
// anything else.
func requestID(body []byte) (string, error) {
	const head = frameHead + 2 // and the tag, and the length of the text
	if len(body) < head || body[frameHead] != fieldID || int(body[frameHead+1]) != len(body)-head {
		return "", errFrame
	}
	return string(body[head:]), nil
}

// getSQL makes the point reads of castellan's GetInstance: the instance by its key, and its
// domains by their index.
const getSQL = `SELECT i.instance_id, i.name, i.defaults_version, i.default_language, i.default_org_id,
 i.iam_project_id, i.console_app_id, i.console_client_id, i.sequence, i.created_at, i.changed_at,
 d.domain, d.is_generated, d.is_primary, d.sequence, d.created_at, d.changed_at
 FROM instances i JOIN instance_domains d ON d.instance_id = i.instance_id
 WHERE i.instance_id = $1 ORDER BY d.created_at, d.domain`

// read makes the reads and returns what was answered for that instance.
func (h *handler) read(ctx context.Context, id string) (rows.Answer, error) {
	found, err := h.db.Query(ctx, getSQL, id)
	if err != nil {
		return rows.Answer{}, err
	}
	defer found.Close()
	var (
		text               [8]string
		n                  [7]int64
		generated, primary bool
	)
	for found.Next() {
		err := found.Scan(&text[0], &text[1], &n[0], &text[2], &text[3], &text[4], &text[5], &text[6], &n[1], &n[2], &n[3],
			&text[7], &generated, &primary, &n[4], &n[5], &n[6])
		if err != nil {
			return rows.Answer{}, err
		}
	}
	if err := found.Err(); err != nil {
		return rows.Answer{}, err
	}
	answer, known := h.answers[text[0]]
	if !known {
		return rows.Answer{}, errors.New("unknown instance")
	}
	return answer, nil
}

// exists makes the point read of ExistsDomain.
func (h *handler) exists(w http.ResponseWriter, r *http.Request) {
	domain := strings.TrimSuffix(r.URL.Path[len(pathDomain):], suffixExists)
	_, err := store.One(r.Context(), h.db, func(row store.Scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT instance_id FROM instance_domains WHERE domain = $1`, domain)
	switch {
	case err == nil:
		send(w, []byte(`{"exists":true}`))
	case errors.Is(err, store.ErrNotFound):
		send(w, []byte(`{}`))
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// addedPayload stands for the payload of an event: as many bytes as that of AddDomain, sealed.
var addedPayload = make([]byte, 80)

// addDomain commits what AddDomain changes in one transaction: an event, a domain, and how far the
// instance is.
func (h *handler) addDomain(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimSuffix(r.URL.Path[len(pathGet):], suffixAdd)
	var request struct{ Domain string }
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d := h.db.Dialect()
	err := h.db.Update(r.Context(), func(ctx context.Context, tx store.Tx) error {
		sequence, err := store.One(ctx, tx, func(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) },
			`SELECT sequence FROM instances WHERE instance_id = $1`+d.ForUpdate, id)
		if err != nil {
			return err
		}
		sequence++
		return errors.Join(
			tx.Exec(ctx, `INSERT INTO events (commit_id, instance_id, aggregate_type, aggregate_id, sequence, event_type, owner,
 actor, created_at, payload) VALUES (`+d.CommitID+`, $1, 'instance', $1, $2, 'instance.domain.added', $1, 'bench', $3, $4)`,
				id, sequence, sequence, addedPayload),
			tx.Exec(ctx, `INSERT INTO instance_domains (domain, instance_id, is_generated, is_primary, sequence, created_at,
 changed_at) VALUES ($1, $2, FALSE, FALSE, $3, $4, $4)`, request.Domain, id, sequence, sequence),
			tx.Exec(ctx, `UPDATE instances SET sequence = $2, changed_at = $2 WHERE instance_id = $1`, id, sequence))
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, []byte(`{"details":{}}`))
}

func send(w http.ResponseWriter, body []byte) {
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body) // a client that has left needs no answer
}
