// Package access tells what must be known before a call about an instance may do anything: which
// instance a host leads to, whether it may be used at all, whose a token is and what that user may, and
// where the things lie that requests name.
//
// It owns no table and changes nothing. It reads those of the nouns, because these questions are
// asked by every call and must cost no more than a look-up each: [Directory.ByOrigin] is one statement,
// [Directory.ByBearer] that one and another, which brings all memberships along, or two for an access
// token, [Directory.Owner] and [Directory.FindOrg] are one each. In which order the answers count is
// decided by dispatch; what a role grants by role; who a system user is by systemuser; what an access
// token is worth by token.
//
// What a user may follows from its memberships. Roles count on what they are made for: IAM_* on the
// instance, ORG_* on an organization, PROJECT_* on a project, PROJECT_GRANT_* on the grant of a project
// to another organization. What somebody may on a thing it may on all that lies in it, see [Owner]: all
// in the instance; users, projects and apps in their organization; apps, keys of apps, grants and
// authorizations in their project; authorizations in their own organization as well, and in their grant.
//
// No answer is kept for the next call, so an instance that is stopped, a token that expires and a
// member who is removed are so from then on, on every node (decision D1). All that is remembered is
// which tokens were of use, for these need not wait behind strangers, who get no more than their
// share of the database.
//
// It guarantees that a host means what instance.NormalizeDomain makes of it and nothing else
// (decision D10: whose word counts on it is for origin); that a token is of use on the hosts of
// its own instance only; and that every token that is of no use gets the same answer, AUTH-7fs1e,
// whether it is unknown, expired, of another instance, or of a user who is no more.
package access
