// Package usermetadata is the noun for the metadata of users: what others keep about a user, a value by a
// key. Each entry is an aggregate of its own, so that a change of a user reads none of it, and two that
// set different keys at the same time never collide.
//
// Events: user.metadata.set, user.metadata.removed.
//
// It refuses empty keys (META-2m00f), to set or remove nothing (META-9mm2d, META-9mw2d), and to remove
// what is not there (META-2nnds). To set what is so already writes nothing.
//
// It guarantees that a user has one entry for a key. Values are bytes, of which nothing is assumed.
//
// Beside it: user is whose metadata it is.
package usermetadata
