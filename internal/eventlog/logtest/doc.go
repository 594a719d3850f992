// Package logtest helps the tests of everything that is built on the log.
//
// It owns three helpers. [Run] checks decisions without a database, in the form given events
// / when a command / then these events. [CheckFold] checks on a database that the state in
// the tables is the fold of the log; a scenario test calls it when it has done its work.
// [Types] lists the events an instance has, so that a scenario can say what it left.
//
// It is imported by tests only and knows no noun: nouns, engines and the vault are given by
// the test. It guarantees that it leaves no trace in a database, and that every check can
// fail, which its own tests show.
package logtest
