package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"castellan/internal/store"
	"castellan/internal/store/postgres"
	"castellan/internal/store/sqlite"
	"castellan/internal/vault"
)

// openDB opens the engine the URL names.
func openDB(ctx context.Context, cfg Config) (store.DB, error) {
	e, err := cfg.engine()
	if err != nil {
		return nil, err
	}
	// An engine that failed to open must not become a store.DB: a nil pointer is not a nil interface.
	if e.sqlite != "" {
		db, err := sqlite.Open(ctx, sqlite.Config{Path: e.sqlite})
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	db, err := postgres.Open(ctx, postgres.Config{URL: e.url, MaxConns: cfg.DatabaseMaxConns})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// keyring loads the master key. A new one is made for a new database only: what is sealed
// under another cannot be read with it.
func (s *Server) keyring(ctx context.Context) (*vault.Keyring, error) {
	claimed, err := vault.Claimed(ctx, s.db)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.cfg.MasterKeyFile); claimed && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("masterKeyFile: %s is missing, and only the key that was in it opens what the database holds",
			s.cfg.MasterKeyFile)
	}
	master, err := vault.LoadMasterKey(s.cfg.MasterKeyFile, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("masterKeyFile: %w", err)
	}
	keyring := vault.NewKeyring(master, rand.Reader)
	if err := keyring.Claim(ctx, s.db); err != nil {
		return nil, fmt.Errorf("masterKeyFile: %w", err)
	}
	return keyring, nil
}
