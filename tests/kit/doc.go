// Package kit lets tests look at the whole program from outside, on every engine and over
// every protocol.
//
// It owns databases and nodes for tests ([EachBackend], [Backend.Start] in this process,
// [Backend.Exec] as the real binary), system users and their tokens ([User]), clients for all
// protocols of the port ([Wires]) and looks into a database that a test is allowed to take
// ([Counts], [CheckWhole]). The clients for REST, gRPC-Web and Connect are written here from
// the protocols' documents, and the tokens are signed here, so that a mistake of the program
// is not repeated by its test.
//
// It is imported by tests only. It guarantees that everything it starts has ended when its
// test ends.
package kit
