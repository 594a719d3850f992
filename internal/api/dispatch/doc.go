// Package dispatch is what every call goes through, whatever its protocol (law 6 of the
// design), once, driven by the options in the proto files. In this order:
//
//  1. authenticate: a system user, or a user of the instance whose host was called, by a personal
//     access token or an access token, with a proof when that is bound to a key. This needs the
//     header alone, and is done before a body is read;
//  2. find the instance the call is about: the one its request names, or that of the host, which is
//     then written into the request, so that the instance stays an argument;
//  3. refuse what is about an instance that is stopped or blocked, by its users or by host. System
//     users who name an instance, and the System API, are never refused for that;
//  4. authorise; of a system user this comes before 3, which would tell it of instances that are not
//     its own. An RPC of an instance's own API says on what of the instance its permission is needed:
//     whoever holds it on nothing is refused here;
//  5. count calls of users of the instance, and refuse them when its quota is exhausted;
//  6. validate. Then whoever holds the permission, but not on what the request names, is told that
//     there is no such thing, as for one that is not there;
//  7. take a place in the audit log for what it will hold; then the handler runs;
//  8. account for the outcome, and write it to the audit log. What was refused before it had a
//     place waits for none.
//
// The calls of an instance's own API (RPCs that declare instance_permission or authenticated, and no
// permission) are about the instance of the host, and their requests do not name it. It reaches the
// handler as an argument all the same, see package bind. Where what they name lies is found by one read
// of access, and none when the caller holds the permission on the whole instance, or names itself; an
// organization that a request leaves out is the one of the header x-zitadel-orgid, else the caller's.
//
// A public call may be one of the instance of the host all the same: then it needs one that is there and
// served. A call that streams can be asked [call.Call.Again] whether it would still be let in.
//
// It owns the order and the translation of store errors into faults. It does not know how
// a call comes in or how an answer is written (transport, which calls it), who a system user is and
// what it may (systemuser), where a host leads and whose a token is (access), how use is counted
// (usage), nor how the audit log is kept (audit).
//
// It guarantees that a handler runs only for a caller who holds the permission its RPC
// declares, with a request that keeps the rules its messages declare; that a user of an instance
// reaches no other, and learns nothing of another; that an anonymous caller gets the same answer
// whatever it asks for (decision D2); that an RPC that declares no permission serves nobody; and that
// a call of somebody we know that writes is written down before it can be forgotten. So is one that is
// refused, but for repeated ones of users of instances, who could fill the log. A caller holds a place
// in the audit log, or waits for one, only once it is known that it may make the call.
package dispatch
