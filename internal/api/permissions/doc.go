// Package permissions serves zitadel.internal_permission.v2.InternalPermissionService: who may manage what
// of an instance.
//
// It owns the translation between the messages of the contract and the terms of the inner rings, and the rule
// that nobody gives what it lacks. Callers are authorised on the resource they name before a handler runs
// (dispatch); what a membership is belongs to member.
//
// It guarantees that who gives roles on a resource holds there every permission those roles grant, or owns the
// resource (call.MayGive), and that a list shows what the caller may see and counts nothing else.
package permissions
