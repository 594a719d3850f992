// Package apps serves zitadel.application.v2.ApplicationService: the applications of an instance, and their
// keys.
//
// It owns the translation between the messages of the contract and the terms of the inner rings, nothing
// else. Callers are authenticated and authorised on the application or the project they name, and requests
// validated, before a handler runs (dispatch); what an application is belongs to app.
//
// It guarantees that a list shows what the caller may see and counts nothing else, and that a secret and
// the private half of a key are in the answer of the call that made them, and nowhere else.
package apps
