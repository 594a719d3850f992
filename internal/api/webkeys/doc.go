// Package webkeys serves zitadel.webkey.v2.WebKeyService: the keys with which an instance signs tokens.
//
// It owns how keys look on the wire. What may be done with them is decided by webkey, who may do it by the
// dispatcher. Beside it, oidc publishes the same keys to everybody.
package webkeys
