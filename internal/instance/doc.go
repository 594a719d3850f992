// Package instance is the noun for one identity provider: its name, its domains, and which
// organization, project and application play a part for all of it.
//
// Events: instance.added, instance.default.language.set, instance.domain.added,
// instance.domain.primary.set, instance.default.org.set, instance.iam.project.set,
// instance.iam.console.set.
//
// It refuses a blank name, a domain that is not one (INST-S3v3w) and a language that is not
// supported (LANG-lg4DP). Whether a domain is taken by another instance is decided by the
// directory's key, as a conflict in [DomainsTable].
//
// It guarantees that an instance with domains has exactly one primary domain (decision D5)
// and that domains are stored in lower case as A-labels (IDNA).
//
// Beside it: org, user, project, app and member hold what lives inside an instance;
// provision sets all of them up together.
package instance
