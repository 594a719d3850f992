package server

import (
	"context"
	"crypto/rsa"

	"castellan/internal/claims"
	"castellan/internal/dpop"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/oidc"
	"castellan/internal/throttle"
	"castellan/internal/user"
	"castellan/internal/vault"
	"castellan/internal/webkey"
)

// webKeyService makes the keys with which instances sign. RSA keys of the usual length are made ahead;
// those of others are made when asked for, no more at once than there are processors.
func (s *Server) webKeyService() *webkey.Service {
	pools := map[int]*vault.KeyPool{webkey.First.Bits: s.keys}
	for _, bits := range []int{3072, 4096} {
		pools[bits] = vault.NewKeyPool(vault.KeyPoolConfig{Bits: bits})
	}
	return &webkey.Service{
		DB:   s.db,
		Log:  s.events,
		IDs:  s.ids,
		RSA:  func(ctx context.Context, bits int) (*rsa.PrivateKey, error) { return pools[bits].Take(ctx) },
		Hold: (&instance.Service{DB: s.db, Log: s.events}).Hold,
	}
}

// provider is the issuers of all instances.
func (s *Server) provider(clock ident.Clock) *oidc.Provider {
	return &oidc.Provider{
		Directory: s.hosts,
		Keys:      s.signing,
		DB:        s.db,
		Epochs:    s.epochs,
		Clock:     clock,
		Tokens:    s.tokens,
		Claims:    claims.New(s.db),
		Proofs:    &dpop.Checker{Clock: clock, Seen: s.spent},
		Sessions:  s.sessions,
		Users:     &user.Service{DB: s.db, Log: s.events},
		Spent:     s.spent,
		Throttle:  throttle.New(throttle.Config{Clock: clock}),
		Origins:   s.origins,
		Logger:    s.log,
	}
}
