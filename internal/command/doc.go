// Package command holds the commands that are clients of a server, a file for each noun they are
// about, and those that make the keys and tokens clients need (system-user, token).
//
// It owns what an operator asks of the API and how the answer is shown. How a call travels
// belongs to package client, the form of tables and flags to package terminal, and what a call
// does to the server: rules are not written down twice, so most faults of a request are found
// there.
//
// A command that makes one call is a request made of its arguments and the rows its answer looks
// like, which client.One makes a command of; one that shows a list is made with client.List.
//
// It guarantees that every command which prints an answer prints it as a table and as JSON; that
// nothing is removed before somebody has been asked, or has said --yes; that passwords are no
// arguments, which other users of the machine could see; and that secrets are written only to
// files their owner alone can read, which never replace another.
package command
