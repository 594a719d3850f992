// Package terminaltest runs command lines in process, for tests of commands: [Runner] takes the
// place of the terminal, the environment and the clock.
//
// It is imported by tests only. It guarantees that a command it has started has ended when its
// test ends.
package terminaltest
