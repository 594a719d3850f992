// Package roster lists who has a part in an instance: memberships, and authorizations, together with the
// users who hold them and what they are about.
//
// It owns no table and changes nothing. What a membership is belongs to member, an authorization to
// authorization, who a user is to user; it reads the rows of all in one statement.
//
// It guarantees that a list is what is there at one moment, that it holds what the caller may see and
// counts nothing else, and that of all there is only the page that is asked for is held in memory.
package roster
