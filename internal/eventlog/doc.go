// Package eventlog is the history of every instance, and the one way to change anything.
//
// It owns the table of events, their order, and the rule that events and the state they
// fold into are saved in one transaction. It does not know any noun: a noun declares its
// payloads, its fold and its tables as a [Noun], and decides events in a package of its
// own. Beside it, vault seals the payloads under the key of their instance, and once keeps
// answers for retried writes. A [Tail] shares the end of the log among those who watch it.
//
// It guarantees:
//   - the state in the tables is the fold of the events, byte for byte ([Log.Rebuild] gives
//     the same rows; a test does so after every scenario), and [Log.RebuildTable] makes it so
//     again while readers and writers go on;
//   - sequences of an aggregate have no gaps and no two events share one;
//   - writers on different aggregates never wait for each other, and a follower never skips
//     an event although transactions commit out of order (docs/adr/0001-event-log.md);
//   - no payload is stored in the clear.
package eventlog
