// Package instances serves zitadel.instance.v2.InstanceService, and the same service under its
// older name in v2beta: what operators do with instances, and members with their own.
//
// It owns the translation between the messages of the contract and the terms of the inner
// rings, nothing else. Callers are authenticated and authorised, requests validated, and an
// instance_id that was left out is filled in, before a handler runs (dispatch); what an instance
// is belongs to instance. Its neighbour system serves the same nouns to older clients.
//
// It guarantees that both names answer alike: [Beta] asks [Service] and renames, so that there is
// one place that does something. A call about an instance that does not exist is NotFound with
// the id that clients know of that call.
package instances
