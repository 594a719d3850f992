// Package policy is the noun for policies: what passwords must contain and how long they may be used,
// after how many wrong attempts a user is locked out, what the domains of organizations are used for,
// and how long tokens live.
//
// Events: instance.policy.password.complexity.changed, and the same of policy.password.age,
// policy.lockout, policy.domain and oidc.settings; org.policy.password.complexity.added, changed and
// removed.
//
// A policy is inherited: the built-in default, unless the instance has something else, unless the
// organization has a policy of its own. The instance records the settings in which it differs from the
// built-in defaults it refers to (decision D12), so one that never changed a policy has no row, and no
// event: there is no instance.policy.*.added. An organization that has a policy of its own has all of
// its settings, and what the instance has does not matter to it any more.
//
// It refuses passwords of less than 1 or more than 72 bytes as a rule (MODEL-Lsp0e), lifetimes of
// less than a second (INST-10sxks), login names with the domain of the organization, which nothing makes yet
// (POLICY-login1), a change that changes nothing, a second policy of one kind for an
// organization, and to change or remove one that is not there.
//
// It guarantees that [Resolver] finds out what holds with one read, whatever has been set.
//
// Beside it: defaults has the built-in policies and the types in which what holds is told; user checks
// passwords against one, token dates tokens by another. Nothing here enforces a policy.
package policy
