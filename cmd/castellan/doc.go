// Command castellan is the server and its command line: it serves (serve, dev), it is a client
// of the API (instance), and it makes the keys and tokens of system users (system-user, token).
//
// It owns what an operator types and reads: flags, the environment, the configuration file,
// signals, logs, tables and exit codes. What a setting means and which values it takes belongs
// to server; what a call does, to the server at the other end of it: the client commands and
// the first instance of dev go through the API and nothing else.
//
// It guarantees that all faults of a configuration are reported at once, each by the name the
// operator gave the setting; that secrets appear in no log and no error, and in files only
// their owner can read; that passwords are no arguments, which other users of the machine
// could see; and its exit codes: 0 for success, 2 for a command line or configuration that is
// wrong, 1 for what fails later.
package main
