// The part of tenant.sh about tokens, by openid-client. The applications that get tokens and check them are
// those that tenant.mjs has made; a resource server checks JWTs with oauth4webapi.

import "./localhost.mjs";
import assert from "node:assert/strict";
import { createPrivateKey, webcrypto } from "node:crypto";
import * as jose from "jose";
import * as resource from "oauth4webapi";
import * as client from "openid-client";

const { ACME, GLOBEX, NORTH, NORTH_PAT, SHOP, ROBOT, ROBOT_SECRET, CLERK, CLERK_SECRET, SOUTH } = process.env;
const { orders, invoices, web } = JSON.parse(process.env.APPLICATIONS);
const file = (base64) => JSON.parse(Buffer.from(base64, "base64"));
const robotKey = file(process.env.ROBOT_KEY), ownerKey = file(process.env.OWNER_KEY);

const roles = `urn:zitadel:iam:org:project:${SHOP}:roles`;
const scope = ["openid", "profile", "urn:zitadel:iam:org:projects:roles", `urn:zitadel:iam:org:project:id:${SHOP}:aud`,
  "urn:zitadel:iam:org:project:id:zitadel:aud"].join(" "); // the last one opens the APIs of the instance

// Finds out about an issuer, for a client. The server of an example does not speak TLS.
const at = (issuer, id, authentication = client.None()) =>
  client.discovery(new URL(issuer), id, undefined, authentication, { execute: [client.allowInsecureRequests] });

// The same is told to clients of OAuth alone (RFC 8414).
const metadata = (await client.discovery(new URL(ACME), "robot", undefined, client.None(),
  { algorithm: "oauth2", execute: [client.allowInsecureRequests] })).serverMetadata();
assert.deepEqual(metadata, (await at(ACME, "robot")).serverMetadata());

// The private key of a key file, which is PKCS #1; Web Crypto wants PKCS #8.
const privateKey = async ({ keyId, key }) => ({
  kid: keyId,
  key: await webcrypto.subtle.importKey("pkcs8", createPrivateKey(key).export({ type: "pkcs8", format: "der" }),
    { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, false, ["sign"]),
});

// ---- ways to a token --------------------------------------------------------------------------

const robots = {
  client_secret_basic: await at(ACME, "robot", client.ClientSecretBasic(ROBOT_SECRET)),
  client_secret_post: await at(ACME, "robot", client.ClientSecretPost(ROBOT_SECRET)),
  private_key_jwt: await at(ACME, ROBOT, client.PrivateKeyJwt(await privateKey(robotKey))),
};

// A token by the JWT profile (RFC 7523).
async function byKey(issuer, file) {
  const { kid, key } = await privateKey(file);
  const assertion = await new jose.SignJWT().setProtectedHeader({ alg: "RS256", kid }).setIssuer(file.userId)
    .setSubject(file.userId).setAudience(issuer).setIssuedAt().setExpirationTime("1m").sign(key);
  const anybody = await at(issuer, file.userId);
  return client.genericGrantRequest(anybody, "urn:ietf:params:oauth:grant-type:jwt-bearer", { assertion, scope });
}

const tokens = { "JWT profile": await byKey(ACME, robotKey) };
for (const [method, robot] of Object.entries(robots)) {
  tokens[method] = await client.clientCredentialsGrant(robot, { scope });
}

const me = new URL(`${ACME}/auth/v1/users/me`);
for (const [how, { access_token, token_type }] of Object.entries(tokens)) {
  assert.equal(token_type, "bearer", how);
  const answer = await client.fetchProtectedResource(robots.client_secret_basic, access_token, me, "GET");
  assert.equal(answer.status, 200, how);
  assert.equal((await answer.json()).user.userName, "robot", how);
}

// The owner of the instance, with the key that the call has answered which made it.
const owner = (await byKey(ACME, ownerKey)).access_token;
const instance = await client.fetchProtectedResource(robots.client_secret_basic, owner, new URL(`${ACME}/admin/v1/instances/me`), "GET");
assert.equal((await instance.json()).instance.name, "Acme");

// ---- what a token tells -----------------------------------------------------------------------

const robot = robots.client_secret_basic, token = tokens.client_secret_basic.access_token;
const domain = `north.${new URL(ACME).hostname}`;
const held = { reader: { [NORTH]: domain }, writer: { [NORTH]: domain } };

const about = await client.fetchUserInfo(robot, token, ROBOT);
assert.equal(about.preferred_username, "robot");
assert.deepEqual(about[roles], held, "userinfo");

const inquirers = [
  await at(ACME, orders.id, client.ClientSecretBasic(orders.secret)),
  await at(ACME, invoices.id, client.PrivateKeyJwt(await privateKey(invoices.key))),
];
for (const inquirer of inquirers) {
  const told = await client.tokenIntrospection(inquirer, token);
  assert.equal(told.active, true);
  assert.equal(told.username, "robot");
  assert.deepEqual(told[roles], held, "introspection");
}

// A personal access token is for every API.
const personal = await client.tokenIntrospection(inquirers[0], NORTH_PAT);
assert.deepEqual([personal.active, personal.username], [true, "owner of North"]);

// An API that is shown a JWT checks it alone, with the keys of the issuer. Its audience is the project.
const issuer = robot.serverMetadata();
const insecure = { [resource.allowInsecureRequests]: true };
const request = (headers) => new Request("https://orders.north.example/", { headers });
const read = await resource.validateJwtAccessToken(issuer, request({ authorization: `Bearer ${token}` }), SHOP, insecure);
assert.equal(read.sub, ROBOT);
assert.deepEqual(read[roles], held, "access token");
await assert.rejects(
  resource.validateJwtAccessToken(issuer, request({ authorization: `Bearer ${token}` }), orders.id, insecure), /aud/);

// The clerk of South holds on the project of North what South was granted, and its tokens are opaque.
const clerk = await at(ACME, "clerk", client.ClientSecretBasic(CLERK_SECRET));
const opaque = (await client.clientCredentialsGrant(clerk, { scope })).access_token;
assert.throws(() => jose.decodeJwt(opaque));
const given = { reader: { [SOUTH]: `south.${new URL(ACME).hostname}` } };
assert.deepEqual((await client.fetchUserInfo(clerk, opaque, CLERK))[roles], given);
assert.deepEqual((await client.tokenIntrospection(inquirers[0], opaque))[roles], given);

// ---- tokens of tokens -------------------------------------------------------------------------

// The web application calls the API of orders in the name of the robot, with a token for this project alone.
const site = await at(ACME, web.id, client.ClientSecretPost(web.secret));
const access = "urn:ietf:params:oauth:token-type:access_token";
const exchanged = await client.genericGrantRequest(site, "urn:ietf:params:oauth:grant-type:token-exchange", {
  subject_token: token, subject_token_type: access, requested_token_type: "urn:ietf:params:oauth:token-type:jwt",
  audience: SHOP, scope: "openid urn:zitadel:iam:org:projects:roles",
});
assert.equal(exchanged.issued_token_type, "urn:ietf:params:oauth:token-type:jwt");
const derived = await resource.validateJwtAccessToken(issuer, request({ authorization: `Bearer ${exchanged.access_token}` }), SHOP, insecure);
assert.equal(derived.sub, ROBOT);
assert.equal(derived.client_id, web.id);
assert.deepEqual(derived.aud, [SHOP]);
assert.deepEqual(derived[roles], held, "exchanged");
await refused(client.fetchProtectedResource(site, exchanged.access_token, me, "GET"), 401); // not for the instance's own APIs

// With offline_access it may go on for long: a refresh token is renewed each time it is used, and counts once.
const subject = (await client.clientCredentialsGrant(robot, { scope: `${scope} offline_access` })).access_token;
const begun = await client.genericGrantRequest(site, "urn:ietf:params:oauth:grant-type:token-exchange", {
  subject_token: subject, subject_token_type: access, scope: "openid offline_access",
});
const renewed = await client.refreshTokenGrant(site, begun.refresh_token);
assert.equal(renewed.claims().sub, ROBOT);
assert.notEqual(renewed.refresh_token, begun.refresh_token);
await refused(client.refreshTokenGrant(site, begun.refresh_token), "invalid_grant");
await refused(client.refreshTokenGrant(site, renewed.refresh_token), "invalid_grant"); // somebody has copied one of them

// ---- tokens that only who has a key can use (DPoP, RFC 9449) ----------------------------------

const DPoP = client.getDPoPHandle(robot, await client.randomDPoPKeyPair("ES256"));
const bound = await client.clientCredentialsGrant(robot, { scope }, { DPoP });
assert.equal(bound.token_type, "dpop");
assert.equal((await client.fetchUserInfo(robot, bound.access_token, ROBOT, { DPoP })).sub, ROBOT);
assert.equal((await client.fetchProtectedResource(robot, bound.access_token, me, "GET", undefined, undefined, { DPoP })).status, 200);
const thumbprint = await DPoP.calculateThumbprint();
assert.deepEqual((await client.tokenIntrospection(inquirers[0], bound.access_token)).cnf, { jkt: thumbprint });
assert.equal(jose.decodeJwt(bound.access_token).cnf.jkt, thumbprint);
await assert.rejects(client.fetchUserInfo(robot, bound.access_token, ROBOT));
await refused(client.fetchProtectedResource(robot, bound.access_token, me, "GET"), 401);
const stolen = client.getDPoPHandle(robot, await client.randomDPoPKeyPair("ES256"));
await assert.rejects(client.fetchUserInfo(robot, bound.access_token, ROBOT, { DPoP: stolen }));

// ---- the end of a token -----------------------------------------------------------------------

await client.tokenRevocation(robot, token);
assert.deepEqual(await client.tokenIntrospection(inquirers[1], token), { active: false });
assert.deepEqual(await client.tokenIntrospection(inquirers[1], exchanged.access_token), { active: false }); // it stood on the other
await refused(client.fetchProtectedResource(robot, token, me, "GET"), 401);
await assert.rejects(client.fetchUserInfo(robot, token, ROBOT));
await client.tokenRevocation(robot, token); // once more is no error

// ---- another instance takes none of all this --------------------------------------------------

await refused(client.clientCredentialsGrant(await at(GLOBEX, "robot", client.ClientSecretBasic(ROBOT_SECRET))), 401);
for (const [id, authentication] of [
  ["robot", client.ClientSecretPost(ROBOT_SECRET)], ["clerk", client.ClientSecretPost(CLERK_SECRET)],
  [ROBOT, client.PrivateKeyJwt(await privateKey(robotKey))],
]) {
  await refused(client.clientCredentialsGrant(await at(GLOBEX, id, authentication)), "invalid_client");
}
for (const file of [robotKey, ownerKey]) {
  await refused(byKey(GLOBEX, file), "invalid_grant");
}
const live = tokens["JWT profile"].access_token;
assert.equal((await client.tokenIntrospection(inquirers[0], live)).active, true);
await refused(client.fetchProtectedResource(robot, live, new URL(`${GLOBEX}/auth/v1/users/me`), "GET"), 401);
await assert.rejects(client.fetchUserInfo(await at(GLOBEX, "robot"), live, ROBOT));
await refused(client.tokenIntrospection(await at(GLOBEX, orders.id, client.ClientSecretBasic(orders.secret)), live), "unauthorized_client");
const other = await at(GLOBEX, "robot");
await assert.rejects(
  resource.validateJwtAccessToken(other.serverMetadata(), request({ authorization: `Bearer ${live}` }), SHOP, insecure), /kid|iss|key/);

console.log(`${Object.keys(tokens).join(", ")}; introspection, userinfo, exchange, refresh, DPoP, revocation`);

// refused checks that a call is refused, with an OAuth error or, where there is a challenge, a status of HTTP.
async function refused(promise, why) {
  const told = await promise.then((answer) => answer.status, (error) => error.error ?? error.status ?? error);
  assert.equal(told, why);
}
