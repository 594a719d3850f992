// Package files reads and writes the files an operator names: keys, configuration, and secrets
// that are shown once.
//
// It owns how such files are written, not what is in them. Its callers are the commands of the
// program.
//
// It guarantees that no file is read without a bound, that a file which is replaced is at any
// time the old one or the new one, whole, and that [Create] never overwrites anything.
package files
