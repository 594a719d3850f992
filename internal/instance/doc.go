// Package instance is the noun for one identity provider: its name, its domains, and which
// organization, project and application play a part for all of it.
//
// Events: instance.added, instance.changed, instance.default.language.set,
// instance.domain.added, instance.domain.removed, instance.domain.primary.set,
// instance.trusted_domains.added, instance.trusted_domains.removed, instance.default.org.set,
// instance.iam.project.set, instance.iam.console.set, instance.stopped, instance.started, instance.removed.
//
// It refuses a blank name (INST-092mid), a domain that is none (INST-28nlD, INST-S3v3w) or is
// not the instance's (INSTANCE-8ls9f, INSTANCE-9nkWf), to remove the generated domain
// (INSTANCE-9hn3n), and a language that is not supported (LANG-lg4DP). Whether a domain is
// taken by another instance (V3-DKcYh) is decided by the directory's key, as a conflict in
// [DomainsTable]: of any number of calls that want a domain at the same time, one gets it.
//
// It guarantees that an instance with domains has exactly one primary domain (decision D5)
// and that domains are stored in lower case as A-labels (IDNA).
//
// Beside it: org, user, project, app and member hold what lives inside an instance;
// provision sets all of them up together.
package instance
