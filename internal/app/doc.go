// Package app is the noun for applications: the clients of an instance, as OAuth 2.0, OpenID Connect
// and SAML know them, and the keys with which some of them sign assertions.
//
// Events of an application: project.application.added, .changed, .deactivated, .reactivated, .removed;
// project.application.config.oidc.added, .changed, .secret.changed; project.application.config.api.added,
// .changed, .secret.changed; project.application.config.saml.added, .changed. Events of a key:
// project.application.oidc.key.added, .removed. A key is an aggregate of its own, so that two are added
// at the same time without a collision.
//
// It refuses a configuration that no client could use (see [OIDCConfig], [SAMLConfig]), a name that the
// project has already, an id that was ever used, to change what has another kind, to deactivate what is not
// active, and a key for an application that does not authenticate with one. A configuration that works, and
// that the specifications advise against, is allowed and says so: [OIDCConfig.Problems].
//
// It guarantees that client ids are unique in their instance, names in their project whatever their
// case, and entity ids in their instance; that of a secret only the hash is kept; and that an application
// goes with all its keys, each with an event of its own. Expiry of a key is checked when it is used.
//
// The redirect URIs of the console are not recorded; they follow from the domains of the instance. The
// metadata behind a URL is not fetched here.
//
// Beside it: project is what an application belongs to; vault makes secrets and key files.
package app
