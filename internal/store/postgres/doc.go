// Package postgres is the engine for several nodes on one PostgreSQL database, version 14 or
// newer, encoding UTF8.
//
// It owns how castellan uses PostgreSQL: the pool, how a transaction is put on the wire, what
// is tried again, the signal between nodes, how a node knows that it is alone, commit ids, the
// migrations in this folder, and the translation of driver errors. It knows the tables id_grants,
// commit_offset and lone_node, and of table events the column commit_id; the other migrations
// belong to the packages that use the tables.
//
// Writing. A transaction is READ COMMITTED. Statements given to Exec are held back and sent
// with the next Query or with COMMIT, in one round trip; BEGIN travels with the first. A
// transaction that only writes is one round trip in all. Two transactions wait for each other
// only where they touch the same rows.
//
// Locks on instances. A transaction that cannot have one at once is undone and run again when there
// is a place among the few connections that may wait for such locks; until then it holds none.
//
// Signals. After a commit the node says NOTIFY from a connection of its own, many commits
// together. It is not said in the transaction, since PostgreSQL takes a lock of the whole
// cluster to commit one that does. The same connection does LISTEN once Committed is used.
//
// Alone. Each session that can write passes a gate and holds a lock that says of which node it is.
// A node that holds the gate shut and sees no other is alone, and knows that its own commits are all
// there are; another that comes is let in at once (docs/adr/0019-lone-node.md).
//
// Commit ids. The number of a transaction orders commits for a follower (see
// [store.Dialect]). Numbers start low again in a new cluster, so after a dump and restore they
// would fall behind those already in the log; commit_offset holds what is added to them, and
// each new connection raises it when it has to. A transaction that stays open in any database
// of the cluster holds followers back, though not writers: [idleLimit] ends one that a lost
// node has left behind.
//
// The engine needs sessions: a pooler in front must run in session mode.
package postgres
