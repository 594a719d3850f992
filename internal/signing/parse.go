package signing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"castellan/internal/ident"
)

// token is one that was taken apart, and not yet verified.
type token struct {
	head      []byte
	key       ident.KeyID
	typ       string
	claims    []byte
	signed    []byte // what the signature is of
	signature []byte
}

// parse takes a token apart. It returns ErrToken for what is none.
func parse(compact string) (token, error) {
	if len(compact) > maxToken {
		return token{}, fmt.Errorf("%w: it has more than %d bytes", ErrToken, maxToken)
	}
	head, rest, _ := strings.Cut(compact, ".")
	claims, signature, found := strings.Cut(rest, ".")
	if !found || strings.ContainsAny(compact, "\r\n") { // which the decoder would skip
		return token{}, fmt.Errorf("%w: it is not in compact form", ErrToken)
	}
	t := token{signed: []byte(compact[:len(head)+1+len(claims)])}
	for _, part := range []struct {
		text string
		to   *[]byte
	}{{head, &t.head}, {claims, &t.claims}, {signature, &t.signature}} {
		var err error
		if *part.to, err = encoding.DecodeString(part.text); err != nil {
			return token{}, fmt.Errorf("%w: it is not in compact form: %w", ErrToken, err)
		}
	}
	var named struct {
		Key  ident.KeyID `json:"kid"`
		Type string      `json:"typ"`
	}
	if err := json.Unmarshal(t.head, &named); err != nil {
		return token{}, fmt.Errorf("%w: its header is no JSON: %w", ErrToken, err)
	}
	t.key, t.typ = named.Key, named.Type
	return t, nil
}

// verify returns nil when a key has signed the token.
func (t token) verify(p publicKey) error {
	var room [usualHeader]byte
	if !bytes.Equal(t.head, header(room[:0], p.algorithm, p.id, t.typ)) {
		return fmt.Errorf("%w: its header is not one of key %s", ErrToken, p.id)
	}
	if !verify(p.algorithm, p.key, t.signed, t.signature) {
		return fmt.Errorf("%w: the signature is not that of key %s", ErrToken, p.id)
	}
	return nil
}
