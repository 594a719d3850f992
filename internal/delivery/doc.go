// Package delivery is the noun for a message that has to reach a URL: what leaves the system
// after the write that caused it (law 1 of the design). Whoever decides that somebody outside has
// to be told calls [Enqueue] in the transaction of that decision; nothing is sent when that
// fails, and nothing is forgotten when it succeeds.
//
// Events: delivery.due, delivery.attempted, delivery.succeeded, delivery.failed,
// delivery.dismissed.
//
// A delivery is tried up to [MaxAttempts] times, the last about a day after the first. Before each
// attempt it is leased, so that of any number of nodes one sends; when that node dies, another
// tries again after [Lease]. One that has been given up stays for [Keep], so that an operator can
// see it (contract section 2.7), without its body. One that has arrived, or was dismissed, has no
// row any more.
//
// It refuses, as a mistake of the program, a message without an id of ident.Source or larger
// than its limits. Every URL is taken: one that cannot be called is a failure that operators see,
// not one of the write that caused it.
//
// It guarantees that a message arrives at least once or that its failure is listed. It may arrive
// more than once, which its id in the header [IDHeader] tells. Instances take turns, and at most
// [PerInstance] of the [Slots] attempts of a node are of one, so that none keeps others waiting
// because it has very many messages, or a receiver that does not answer.
//
// Beside it: egress (an inner ring) sends, and says what may be called; nouns such as quota
// enqueue. What is in the messages is their business.
package delivery
