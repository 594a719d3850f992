// Package isolation is the matrix of who can reach what: every RPC the program serves, every field of its
// request that holds an id or a domain, and every kind of caller who has no business there. An
// RPC without a case, and a field nobody has thought about, fail the tests.
//
// Calls of operators, about instances, are made by strangers, and by users and operators of other instances,
// about an instance in use, a stopped and a blocked one (TestMatrix). Calls of an instance's own API are made
// about an organization of an instance: by owners and users of another organization of the same instance, by a
// user of the same organization without a role, and by owners of organizations of another instance and of that
// instance, there and at home (TestOrganizations). Each is made about all of what is there, about nothing, and
// about the caller's own with one field at a time naming what is there. Nothing may be shown, nothing may
// change, and what is there is answered like what is not, a refusal too. So is a call whose header names an
// organization of others, whatever it is about (TestTheHeaderOfAnOrganization).
//
// # Adding a case
//
// A new RPC needs one line in the file of its service:
//
//	add("zitadel.user.v2.UserService", map[string]case_{
//		"GetUserByID": {thing, func(t Target) proto.Message { return &userv2.GetUserByIDRequest{UserId: t["user_id"]} }},
//	})
//
// The request must be a good one about t: of an operator's call, t is an instance, see [world.target]; of a call
// of an instance's own API it is an organization there, of which the owner makes the call, see [world.place]. Its
// kind says who else may: thing, list, self or whole. Calls whose request names nothing of others may be made
// often, so names in it that must be unique come from t["name"], or are left out.
//
// What a target has, by name: instance_id, domain, trusted_domain, token (of the instance's owner); and of an
// organization organization_id, org_domain, metadata_key, owner_id, owner_token (of its owner), user_id, username
// (a machine), key_id, token_id (of that one), human_id, member_id (an administrator of the organization, its
// project and the grant of that), project_id, role_key, application_id, client_id, application_key_id,
// granted_organization_id (to which the project is granted), authorization_id, and web_key_id (of the instance, not active).
//
// A field that ends in id, ids, domain or domains is found, and filled with what it names. When its name does not say that,
//
//	names("zitadel.authorization.v2.AuthorizationService", map[string]string{"id": "authorization_id"})
//
// does. A field that may rightly name something of others has an exception with its reason, see except; a call
// that even the owner of an organization may not make there, see ownerLacks.
package isolation
