// Package journal is the log of an instance as the people who look after it may read it: who did what, when,
// to which thing.
//
// It owns what leaves the log and what does not: the table shown.tsv names every field of every event and
// says whether it is shown. What the table does not name is not shown, so that an event nobody has thought
// about tells no more than that it happened. It stores nothing and changes nothing; the log itself belongs
// to eventlog, the retention to limit, and how an entry looks on the wire to those who serve it.
//
// It guarantees that no entry is older than the audit log retention of its instance allows, that a payload
// has shown fields alone, and that a page is what the log had at one moment.
package journal
