// Package claims says what tokens and answers tell about a user: what scopes ask for, and what is
// true of the user now (contract section 5.6).
//
// It owns the meaning of scopes, the audience they name, and the claims of userinfo, of introspection
// and of tokens. It owns no table and changes nothing: users, organizations, projects and
// authorizations are nouns of their own, whose rows it reads. It does not know tokens, nor who may ask.
//
// It guarantees that nothing is told that no scope asks for, that roles come from what is active alone
// (the authorization, the grant of the project, the project, and the organizations of both), and that
// one answer costs three point reads at most, however many roles and organizations there are.
package claims
