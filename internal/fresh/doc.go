// Package fresh keeps in memory what is read often and changes rarely, and never answers with what has
// changed meanwhile.
//
// It owns [Epochs], which asks the database how far the epochs of instances are (see eventlog), and
// [Cache], which keeps values together with the epochs they were read at. It does not know what is kept:
// signing keeps keys in one, access keeps which instance a host leads to. Only tables whose noun declares
// it are read into a cache (eventlog.Table.Kept); anything else is an error of the read.
//
// It guarantees that an answer has everything that was committed, on whatever node, before the question was
// asked: each is validated by a read of the epochs that began after it. What is in a write transaction
// itself is not seen: a command reads with its own transaction, not here.
//
// The price is one small statement, which all questions share that come while the one before is on its way; and
// nothing where the database knows that nothing was committed (store.DB.Version).
// An answer that depends on the time, such as whether something has expired, is not one to keep; keep
// when it expires.
//
// Memory is bounded by the size of each cache, whatever the number of instances; nothing is kept for an
// instance that nobody asks about. docs/adr/0016-fresh-caches.md says why it is so.
package fresh
