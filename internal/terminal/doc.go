// Package terminal is what commands read from and write to the one who typed them: command
// lines and their faults, flags, tables, JSON, passwords and exit codes.
//
// It owns the form, not what is said in it: which commands there are, and what they do, belongs
// to package command and to the program. It knows nothing of servers.
//
// It guarantees that what others have named cannot move the cursor of a terminal or hide text
// in it; that equal messages give equal JSON; that a password is never shown; and the exit
// codes: 0 for success, 2 for a command line that is wrong, 1 for what fails later and for a
// question whose answer is no.
package terminal
