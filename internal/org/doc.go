// Package org is the noun for an organization: a group of users and projects of an instance
// that is administered together, the domains its users log in under, and what others have written
// down about it.
//
// Events: org.added, org.changed, org.deactivated, org.reactivated, org.removed, org.domain.added,
// org.domain.verification.added, org.domain.verification.failed, org.domain.verified,
// org.domain.primary.set, org.domain.removed, org.metadata.set, org.metadata.removed.
//
// It refuses a blank name (ORG-mruNY, EVENT-Mf9sd), one that another organization of the instance has
// whatever its case (V3-DKcYh, a conflict in [NamesTable]), an id that is or was that of another
// (ORG-lapo2n), states it is in already (EVENT-Dbs2g, EVENT-bfnrh), domains that are none or not its own
// (ORG-R24hb, ORG-AGD31 and others), and metadata without a value (META-2ml0f).
//
// It guarantees that an organization that is not removed has exactly one primary domain, which is
// verified; that a verified domain belongs to one organization of an instance, in the one form that all
// spellings of it have; and that a removed organization leaves no row, so that its names are free.
//
// Metadata is part of the organization's history, but only [WithMetadata] reads it: it may be large,
// and most commands are not about it.
//
// Beside it: user and project belong to an organization; member says who administers it; removal takes
// away what an organization has when it goes; egress fetches what proves that a domain is somebody's.
package org
