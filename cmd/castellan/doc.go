// Command castellan is the server and its command line: it serves (serve, dev), it is a client
// of the API (instance, quota, audit and others), and it makes the keys and tokens of system users
// (system-user, token).
//
// It owns what an operator types and reads about the server: its flags, the environment, the
// configuration file, signals and logs. What a setting means and which values it takes belongs
// to server; the commands that are no server, to command; tables, JSON and exit codes, to
// terminal. The first instance of dev goes through the API and nothing else.
//
// It guarantees that all faults of a configuration are reported at once, each by the name the
// operator gave the setting; that secrets appear in no log and no error, and in files only
// their owner can read; and its exit codes: 0 for success, 2 for a command line or configuration
// that is wrong, 1 for what fails later and for a question whose answer is no.
package main
