// Package system serves zitadel.system.v1.SystemService: what operators do with instances.
//
// It owns the translation between the messages of the contract and the terms of the inner
// rings, nothing else. Callers are authenticated and authorised, and requests validated,
// before a handler runs (dispatch); what an instance is and how one is made belongs to
// instance and provision.
package system
