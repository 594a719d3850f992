// Package sqlite is the embedded engine: one file, no server, no cgo.
//
// It owns how castellan uses SQLite: the settings of a connection, the one writer with its
// group commit, the pool of readers, the migrations in this folder, and the translation of
// driver errors. It knows no table but id_grants, which its first migration makes; the
// other migrations belong to the packages that use the tables.
//
// Writing. All transactions run on one connection, one after another. Whoever is waiting when
// a transaction ends joins it: they run in the same SQLite transaction, each in a savepoint of
// its own, and are made durable by one COMMIT (synchronous=FULL on a write-ahead log). Nobody
// is answered before that COMMIT, not even with an error, since the error may rest on what a
// neighbour wrote. Nobody waits for others to come: a lone caller pays for one transaction.
//
// Reading. Readers have connections of their own, see what was last committed, and neither
// wait for the writer nor hold it up.
//
// Another process may open the same file, for instance to make a copy: SQLite's locks keep the
// file whole, and a write that waits longer than the busy timeout returns ErrUnavailable. It is
// not a second node, for it is not told when this one commits.
package sqlite
