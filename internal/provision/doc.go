// Package provision sets up what needs several nouns at once: a whole instance, with its
// domains, organization, owner, credentials, project, applications and memberships.
//
// It owns the order of things and the rule that they happen in one transaction or not at
// all. What each thing is, and what it refuses, belongs to its noun. Slow work (a password
// hash, a key) is done before the transaction begins.
//
// It guarantees that when [Service.SetUp] returns a result, everything in it works on every
// node, and that when it returns an error nothing was made. With a [once.Key], a repeated
// call returns the result of the first, secrets included.
package provision
