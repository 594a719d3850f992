// Command bare is what castellan is measured against: an HTTP server on the same engines that
// does nothing but the work at the database. It knows no caller, checks nothing, and seals
// nothing.
//
// GetInstance, over REST and gRPC, makes the point reads of castellan and answers the very bytes
// castellan answered, which it was given in a file. CreateInstance writes, in one transaction,
// rows of the number and the sizes that castellan writes (package rows). It belongs to bench,
// which builds and starts it; it must never hold data that matters.
package main
