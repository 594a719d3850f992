// Package projects serves zitadel.project.v2.ProjectService: the projects of an instance, their roles, and
// to whom they are granted.
//
// It owns the translation between the messages of the contract and the terms of the inner rings, nothing
// else. Callers are authenticated and authorised and requests validated before a handler runs (dispatch);
// what a project is belongs to project, and what goes with one to removal.
//
// It guarantees that a list shows what the caller may read and counts nothing else, and that what is asked
// to be gone and is not there is no fault: the answer has no date then.
package projects
