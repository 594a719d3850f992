// Package revocation is a model of what every way into an instance rests on, compared with the program: what is
// disabled, locked, removed, replaced, revoked or expired stops working at once, on every path and on every node, and
// nothing else does.
//
// The model is three tables. Elements ([elements]) are what can be disabled, and what each of them rests on. Ways
// ([ways]) are how that is done by the API there is for it, and undone. Paths ([paths]) are how a token is got
// (each grant, with each way in which a client authenticates), how one is accepted (GetMyUser over several
// protocols, calls that need a role, userinfo, introspection by its caller and of its subject, exchange as subject
// and as actor, refresh, revocation, a stream of events that is open, the key set), and how roles are told. A path names
// what it needs in the order in which it is asked for, each with the error that its lack gives.
//
// What follows from them is one function ([state.want]): a path works if all it needs is of use; otherwise it
// fails with the error of the first need that is not. Every path is gone through the real protocols, at once after
// the answer of the call that disabled something, at the node that took it and at another one on the same
// database (decision D1 of the contract). On SQLite there is one node. TestEach goes each way alone, TestWalk several
// in a random order, in TestExpiry everything ends that can, and TestMeanwhile has the paths gone all the time.
//
// # What the model says
//
//   - A token rests on what it was made of: on the credential that was shown, and for an exchange on those of
//     all tokens that were shown and on the application that asked (records 0015 and 0017).
//   - What is switched on again counts again, with the tokens that were given out before. What is removed or
//     replaced never does: it is made anew, and so are its tokens.
//   - A token that was got in somebody's name rests on the role that lets its actor act (record 0017).
//   - Otherwise a token does not rest on the projects it is meant for, nor on roles: roles are claims, and read
//     when they are told. Permissions, and authorizations where a project requires them, are asked for when
//     something is done or given out, and by each refresh again.
//   - Who looks after an organization or a project may do so while it is deactivated: somebody has to
//     activate it again.
//   - Who asks comes before what is asked (decision D2): of a host that leads nowhere users are told no more than
//     that they are unknown, and a wrong client learns nothing of the token it asks about.
//   - A JWT that somebody verifies alone, by the key set, rests on nothing but the key. That is why
//     introspection is there.
//
// # Adding to it
//
// A new thing that can be disabled is an element, with a function that makes it, and at least one way. A new
// grant or endpoint is a path. The tests see to it that each way is noticed by a path, and each path rests on
// something.
package revocation
