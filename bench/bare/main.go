package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"castellan/bench/rows"
	"castellan/internal/store"
	"castellan/internal/store/postgres"
	"castellan/internal/store/sqlite"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	database := flag.String("database", "", "URL of the database, as castellan takes it")
	shape := flag.String("shape", "", "file with the rows CreateInstance writes; none: it is not served")
	answers := flag.String("answers", "", "file with the answers of GetInstance; none: it is not served")
	pages := flag.String("pages", "", "file with reads by paths, and what is answered then; none: there are no such paths")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *listen, *database, files{*shape, *answers, *pages})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

// files are those with what is served; an empty name is none.
type files struct{ shape, answers, pages string }

// run serves until ctx ends.
func run(ctx context.Context, listen, database string, from files) (err error) {
	db, err := open(ctx, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	h := &handler{db: db}
	if err := h.load(from); err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	return serve(ctx, l, h)
}

// load reads what is served.
func (h *handler) load(from files) (err error) {
	if from.shape != "" {
		s, err := rows.Load(from.shape)
		if err != nil {
			return err
		}
		h.created = s.Answer
		if h.writer, err = rows.NewWriter(s, h.db.Dialect()); err != nil {
			return err
		}
	}
	if from.answers != "" {
		if h.answers, err = rows.LoadAnswers(from.answers); err != nil {
			return err
		}
	}
	if from.pages != "" {
		h.pages, err = rows.LoadPages(from.pages)
	}
	return err
}

// serve speaks HTTP/1.1 and, for gRPC, HTTP/2 without TLS, as castellan does.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: h, Protocols: protocols, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return s.Close()
	}
}

// open opens the engine a URL names.
func open(ctx context.Context, url string) (store.DB, error) {
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		return opened(sqlite.Open(ctx, sqlite.Config{Path: path}))
	}
	return opened(postgres.Open(ctx, postgres.Config{URL: url}))
}

// opened makes a nil engine a nil interface.
func opened[D store.DB](db D, err error) (store.DB, error) {
	if err != nil {
		return nil, err
	}
	return db, nil
}
