// Package authorizations serves zitadel.authorization.v2.AuthorizationService: which roles of projects the
// users of an instance hold.
//
// It owns the translation between the messages of the contract and the terms of the inner rings, and the
// rules of two calls whose authorization names more than one thing: on which of them a caller needs the
// permission to give roles, and whom a removal of nothing tells that there is nothing. Else callers are
// authorised before a handler runs (dispatch). What an authorization is belongs to authorization.
//
// It guarantees that a list shows what the caller may see and counts nothing else, and that nobody learns
// of what it may not see.
package authorizations
