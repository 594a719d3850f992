// Package egress is the one way out: the HTTP client for addresses that outsiders have chosen,
// such as those that quota notifications and webhooks are sent to.
//
// Whoever may say where castellan sends a request could make it reach what only castellan can
// reach: its own probes, a database's port, the metadata service of a cloud with the keys of the
// machine (server-side request forgery). So the client refuses every address that is not one of
// the public Internet, unless an operator has allowed it, and refuses it when it connects: after
// the name was resolved, for each address of it and for each redirect. A name that answers with
// another address the second time gains nothing.
//
// It owns what may be called and how long that may take. It does not know what is sent, and
// never tries again: that is the business of delivery. What the program calls on its operator's
// behalf, the database and a trace collector, does not go through here.
//
// It guarantees that
//   - no connection is made to a refused address, and none through a proxy of the environment;
//   - a request ends within its timeout, and costs no more memory than its limits say;
//   - errors are short and say nothing of the URL, the address or what the peer has sent, so that
//     they can be shown to whoever chose the address.
package egress
