// Package client calls the API of a server, as the commands and the first instance of
// castellan dev do.
//
// It owns who calls whom, from flags and environment ([Access], [Identity]), one call ([Invoke],
// [Stream]), what an error of a call means to the person who made it ([Client.Explain]), and what
// is the same in all commands that call ([One], [List], [Ask]). What is asked, and how the answer
// is shown, belongs to package command; what a call does, to the server at the other end of it.
//
// It guarantees that a token goes to the server it was made for and no further, that nothing is
// sent twice by itself, and that no token and no key is in an error.
package client
