// Package org is the noun for an organization: a group of users and projects of an instance
// that is administered together, and the domains its users log in under.
//
// Events: org.added, org.domain.added, org.domain.verified, org.domain.primary.set.
//
// It refuses a blank name (ORG-mruNY). It guarantees that an organization has exactly one
// primary domain, which is verified.
//
// Beside it: user and project belong to an organization; member says who administers it.
package org
