// Package command holds the commands that are clients of a server (instance), and those that
// make the keys and tokens clients need (system-user, token).
//
// It owns what an operator asks of the API and how the answer is shown. How a call travels
// belongs to package client, the form of tables and flags to package terminal, and what a call
// does to the server: rules are not written down twice, so most faults of a request are found
// there.
//
// It guarantees that every command which prints an answer prints it as a table and as JSON; that
// passwords are no arguments, which other users of the machine could see; and that secrets are
// written only to files their owner alone can read, which never replace another.
package command
