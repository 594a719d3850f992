// Package app is the noun for applications: the clients of an instance, as OAuth 2.0 and
// OpenID Connect know them.
//
// Events: project.application.added, project.application.config.api.added,
// project.application.config.oidc.added.
//
// It refuses nothing yet: the only applications are those instances start with. The redirect
// URIs of the console are not recorded; they follow from the domains of the instance.
//
// It guarantees that client ids are unique in their instance.
//
// Beside it: project is what an application belongs to.
package app
