// Package v2 is what the services of the second version of the interface have in common: how lists are
// asked for, by pages, texts and times, and how histories are shown.
//
// It owns no service and reads nothing. It guarantees that a list of any service has the same pages: 100
// entries unless told otherwise, and 1000 at most (contract section 8).
package v2
