// Package users serves zitadel.user.v2.UserService: the people and programs of an instance.
//
// It reads the wish out of a message, calls the nouns, and shows the result. What users are belongs to
// user, their credentials to pat and machinekey, their metadata to usermetadata; that a caller may do what
// it asks for on the user it names, the dispatcher has checked by the options of the RPC. What these options
// cannot say is checked here: who acts on itself cannot vouch for its own address, and nobody takes over a
// user who may more than itself, see [Service.vouches].
//
// It serves what needs no mail, browser, second factor or identity provider. The other RPCs of the service
// are not implemented, and what the served ones can be asked to send is refused: see v2.ErrNoMail.
package users
