// Package orgs serves zitadel.org.v2.OrganizationService: the organizations of an instance, their domains,
// and what is written down about them.
//
// It owns the translation between the messages of the contract and the terms of the inner rings, nothing
// else. Callers are authenticated and authorised and requests validated before a handler runs (dispatch);
// what an organization is belongs to org, how one begins with administrators to provision, and what goes
// with one to removal.
//
// It guarantees that a list shows what the caller may read and counts nothing else, and that an
// organization that is to be gone and is not there is no fault: the answer has no date then.
package orgs
