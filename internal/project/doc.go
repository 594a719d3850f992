// Package project is the noun for projects: what applications and roles are grouped in, and
// the audience of access tokens.
//
// Events: project.added.
//
// It refuses nothing yet: the only projects are those instances start with.
//
// Beside it: app holds the applications of a project.
package project
