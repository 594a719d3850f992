package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/machinekey"
	"castellan/internal/org"
	"castellan/internal/server"
	"castellan/internal/user"
	"castellan/internal/vault"
	"castellan/internal/webkey"
)

// tokenClients are who ask for tokens at the same time, each as a machine user of its own: a node lets one
// client ask so often and no more. They are so many that the processors always have something to sign, as they
// have in what it is compared with.
const tokenClients = 64

// Ids of what is seeded for tokens, in each of the instances.
const (
	tokenOrg  = "1"
	tokenRoot = 100 // the first machine user; the others follow
)

// signer is an algorithm with which an instance signs, and its machine users too.
type signer struct {
	algorithm webkey.Algorithm
	domain    string // of the instance
	instance  ident.InstanceID
	key       crypto.Signer // of all its machine users
}

// seedTokens makes an instance for each algorithm, written past the API, with machine users who get JWTs.
func (f *field) seedTokens(ctx context.Context, on place) (err error) {
	db, err := f.engine.open(ctx, on)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	master, err := vault.LoadMasterKey(on.key, rand.Reader)
	if err != nil {
		return err
	}
	keyring, clock := vault.NewKeyring(master, rand.Reader), ident.SystemClock{}
	log := eventlog.New(db, keyring, clock, server.Nouns()...)
	web := &webkey.Service{
		DB: db, Log: log, IDs: ident.NewSource(idgrant.New(db), clock), Hold: (&instance.Service{DB: db, Log: log}).Hold,
		RSA: func(_ context.Context, bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) },
	}
	if f.signers, err = newSigners(); err != nil {
		return err
	}
	f.personal = vault.NewToken(rand.Reader)
	for _, s := range f.signers {
		if err := s.seed(ctx, log, f.personal); err != nil {
			return err
		}
		if s.algorithm == webkey.First.Algorithm {
			continue // its first keys are made when they are needed
		}
		key, err := web.Create(ctx, s.instance, userName, webkey.Config{Algorithm: s.algorithm})
		if err == nil {
			_, err = web.Activate(ctx, s.instance, userName, ident.KeyID(key.ID))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newSigners makes a key of each algorithm that is measured.
func newSigners() ([]signer, error) {
	r, err := rsa.GenerateKey(rand.Reader, webkey.First.Bits)
	if err != nil {
		return nil, err
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	_, d, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return []signer{
		{webkey.RS256, "rs256.example", "1", r}, {webkey.ES256, "es256.example", "2", e}, {webkey.EdDSA, "eddsa.example", "3", d},
	}, nil
}

// seed makes the instance with its machine users. The first one has what is asked about, with a personal
// access token.
func (s signer) seed(ctx context.Context, log *eventlog.Log, personal vault.Token) error {
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return log.Write(ctx, s.instance, userName, func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		errs := []error{
			begin(ctx, w, instance.Noun, string(s.instance), string(s.instance), instance.Added{Name: "Tokens", Defaults: 1},
				instance.DomainAdded{Domain: s.domain, Generated: true}, instance.DomainPrimarySet{Domain: s.domain}),
			begin(ctx, w, org.Noun, tokenOrg, tokenOrg, org.Added{Name: "Tokens"}),
		}
		for n := range tokenClients {
			id := strconv.Itoa(tokenRoot + n)
			errs = append(errs,
				begin(ctx, w, user.Noun, id, tokenOrg, user.MachineAdded{UserName: "robot-" + id, Name: "Robot", AccessTokenType: user.JWT}),
				begin(ctx, w, machinekey.Noun, id, tokenOrg, machinekey.Added{
					Key: ident.KeyID(id), User: ident.UserID(id), Type: 1, PublicKey: public, Expiration: expiry.Never,
				}))
		}
		if s.algorithm == webkey.First.Algorithm {
			errs = append(errs, seedAsked(ctx, w, public, personal))
		}
		return errors.Join(errs...)
	})
}

func begin[S eventlog.State](ctx context.Context, w *eventlog.Writer, n *eventlog.Noun[S], id, owner string, events ...eventlog.Payload) error {
	_, err := eventlog.Begin(ctx, w, n, eventlog.Origin{ID: id, Owner: owner}, events...)
	return err
}

// pathToken is the token endpoint.
const pathToken = "/oauth/v2/token"

// grantAssertion is the grant for an assertion (RFC 7523).
const grantAssertion = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// asker is a machine user that gets tokens for an assertion: one that has no jti, as those of the reference's
// clients, and so can be used again.
type asker struct {
	client *restClient
	conn   *quiet // of the client
	body   []byte
}

func (a *asker) send() error { return a.client.send(http.MethodPost, pathToken, a.body) }

func (a *asker) answered() bool { return a.conn.answered() }

func (a *asker) receive() error {
	answer, err := a.client.receive(http.MethodPost, pathToken)
	if err == nil && !bytes.HasPrefix(answer, []byte(`{"access_token":"ey`)) {
		err = fmt.Errorf("token endpoint answered %.200s", answer)
	}
	return err
}

// asker returns the n-th machine user as a client.
func (s signer) asker(n int, addr string) (*asker, error) {
	id := strconv.Itoa(tokenRoot + n)
	text, err := assertion.Sign(s.key, id, id, "http://"+s.domain, assertion.MaxAge, time.Now())
	if err != nil {
		return nil, err
	}
	a := &asker{body: []byte(url.Values{"grant_type": {grantAssertion}, "scope": {"profile"}, "assertion": {text}}.Encode())}
	if a.client, a.conn, err = dialQuiet(addr); err == nil {
		a.client.host, a.client.contentType = s.domain, formType
	}
	return a, err
}

// askers returns all machine users.
func (s signer) askers(addr string) (all crowd, open clients, err error) {
	var conns []*quiet
	for n := range tokenClients {
		a, err := s.asker(n, addr)
		if err != nil {
			return crowd{}, nil, errors.Join(err, open.Close())
		}
		all.members, conns, open = append(all.members, a), append(conns, a.conn), append(open, a.client)
	}
	all.look = lookAt(conns)
	return all, open, nil
}

// raw is the cryptography that a token cannot be had without: a signature, and, where that is not far less,
// the verification of the assertion.
func (s signer) raw() (call, string) {
	text := make([]byte, 600) // about what a token says
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		return func(context.Context, int) error {
			sum := sha256.Sum256(text)
			_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
			return err
		}, "signatures alone"
	case *ecdsa.PrivateKey:
		return func(context.Context, int) error {
			sum := sha256.Sum256(text)
			signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
			if err == nil && !ecdsa.VerifyASN1(&key.PublicKey, sum[:], signature) {
				err = errors.New("a signature does not verify")
			}
			return err
		}, "signatures and verifications alone"
	case ed25519.PrivateKey:
		public := key.Public().(ed25519.PublicKey)
		return func(context.Context, int) error {
			if !ed25519.Verify(public, text, ed25519.Sign(key, text)) {
				return errors.New("a signature does not verify")
			}
			return nil
		}, "signatures and verifications alone"
	}
	return func(context.Context, int) error { return errors.New("no such key") }, ""
}

// What part of the raw cryptography's rate the grant must reach: RSA is slow, the others are not.
const (
	leastRSA   = 0.8
	leastCurve = 0.5
)

// measureTokens lets many machine users get tokens for assertions, beside the cryptography of that alone,
// on all processors.
func (f *field) measureTokens(ctx context.Context, s servers) error {
	for _, sign := range f.signers {
		one, what := sign.raw()
		c := comparison{}
		var all crowd
		all, c.open, c.err = sign.askers(s.large.addr)
		c.addRound("ask for tokens", all.round, limit{time: manyTime})
		c.add("sign alone", slices.Repeat([]call{one}, runtime.GOMAXPROCS(0)), limit{time: manyTime})
		both, err := c.run(ctx, f.rounds)
		if err != nil {
			return err
		}
		least := leastCurve
		if sign.algorithm == webkey.RS256 {
			least = leastRSA
		}
		part := ratio(both[0], both[1], rate)
		f.out.add(figure{
			what:     fmt.Sprintf("token for an assertion, %s, %d clients", sign.algorithm, tokenClients),
			value:    rateText(both[0].median(rate)),
			baseline: rateText(both[1].median(rate)) + ", " + what,
			ratio:    part, target: atLeast(part, least, digits(least)+" x"),
		})
	}
	return nil
}
