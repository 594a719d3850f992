// The part of tenant.sh that Connect's client makes: applications, roles of users, an administrator. Its
// messages are built from what the server says about itself (grpcurl -protoset-out). Prints what it has made, as JSON.

import "./localhost.mjs";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

const { CASTELLAN_DESCRIPTORS, ACME, NORTH, SOUTH, NORTH_PAT, SOUTH_PAT, SHOP, HIDDEN, ADA, ROBOT, CLERK } = process.env;
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(CASTELLAN_DESCRIPTORS)));

// as returns the services as the bearer of a token calls them.
function as(token) {
  const transport = createConnectTransport({
    baseUrl: ACME,
    interceptors: [(next) => (request) => {
      request.header.set("Authorization", `Bearer ${token}`);
      return next(request);
    }],
  });
  const service = (name) => createClient(registry.getService(name), transport);
  return {
    applications: service("zitadel.application.v2.ApplicationService"),
    authorizations: service("zitadel.authorization.v2.AuthorizationService"),
    permissions: service("zitadel.internal_permission.v2.InternalPermissionService"),
  };
}
const north = as(NORTH_PAT), south = as(SOUTH_PAT);
const never = { seconds: BigInt(Date.UTC(2999) / 1000), nanos: 0 };
const value = (name, key) => registry.getEnum(`zitadel.application.v2.${name}`).values.find((v) => v.name === key).number;

// An API that has a secret, one that has a key, and a web application that may exchange tokens.
const application = (name, applicationType) => north.applications.createApplication({ projectId: SHOP, name, applicationType });
const orders = await application("Orders", { case: "apiConfiguration", value: {} });
const invoices = await application("Invoices", {
  case: "apiConfiguration", value: { authMethodType: value("APIAuthMethodType", "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT") },
});
const key = await north.applications.createApplicationKey({ projectId: SHOP, applicationId: invoices.applicationId, expirationDate: never });
const web = await application("Web", {
  case: "oidcConfiguration",
  value: {
    redirectUris: ["https://north.example/callback"],
    responseTypes: [value("OIDCResponseType", "OIDC_RESPONSE_TYPE_CODE")],
    grantTypes: ["AUTHORIZATION_CODE", "REFRESH_TOKEN", "TOKEN_EXCHANGE"].map((g) => value("OIDCGrantType", `OIDC_GRANT_TYPE_${g}`)),
    accessTokenType: value("OIDCTokenType", "OIDC_TOKEN_TYPE_JWT"),
    accessTokenRoleAssertion: true,
  },
});

// North gives its robot roles; South gives its clerk what it was granted, and no more.
const role = (who, userId, organizationId, projectId, ...roleKeys) =>
  who.authorizations.createAuthorization({ userId, organizationId, projectId, roleKeys });
await role(north, ROBOT, NORTH, SHOP, "reader", "writer");
const given = await role(south, CLERK, SOUTH, SHOP, "reader");
await refused(Code.FailedPrecondition, south.authorizations.updateAuthorization({ id: given.id, roleKeys: ["reader", "writer"] }));
await refused(Code.NotFound, role(south, CLERK, SOUTH, HIDDEN, "reader"));

// Ada looks after the project, and nobody of South can make somebody do so.
const shop = { resource: { case: "projectId", value: SHOP } };
await north.permissions.createAdministrator({ userId: ADA, resource: shop, roles: ["PROJECT_OWNER"] });
await refused(Code.NotFound, south.permissions.createAdministrator({ userId: CLERK, resource: shop, roles: ["PROJECT_OWNER"] }));
const { administrators } = await north.permissions.listAdministrators({});
assert.deepEqual(administrators.filter((a) => a.user.id === ADA).map((a) => a.roles), [["PROJECT_OWNER"]]);

// Each sees its own.
const seenBy = async (who) => (await who.authorizations.listAuthorizations({})).authorizations.map((a) => a.user.id).sort();
assert.deepEqual(await seenBy(south), [CLERK]);
assert.ok((await seenBy(north)).includes(ROBOT));
assert.deepEqual((await south.applications.listApplications({})).applications, []);
assert.equal((await north.applications.listApplications({})).applications.length, 3);

console.log(JSON.stringify({
  orders: { id: orders.applicationType.value.clientId, secret: orders.applicationType.value.clientSecret },
  invoices: { id: invoices.applicationType.value.clientId, key: JSON.parse(new TextDecoder().decode(key.keyDetails)) },
  web: { id: web.applicationType.value.clientId, secret: web.applicationType.value.clientSecret },
}));

async function refused(code, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code, error.message);
    return true;
  });
}
