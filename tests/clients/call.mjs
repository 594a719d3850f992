// The two calls of the seeds, and one that is refused, made with the messages that
// @bufbuild/protobuf builds from the server's own descriptors. Each client library passes its own
// way to call; what must come back is the same for all.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const environment = (name) => {
  assert.ok(process.env[name], `${name} is not set`);
  return process.env[name];
};

export const url = environment("CASTELLAN_URL");
export const metadata = { Authorization: `Bearer ${environment("CASTELLAN_TOKEN")}` };

const files = fromBinary(FileDescriptorSetSchema, readFileSync(environment("CASTELLAN_DESCRIPTORS")));
export const registry = createFileRegistry(files);
export const service = registry.getService("zitadel.system.v1.SystemService");
export const instances = registry.getService("zitadel.instance.v2.InstanceService");
export const lifecycle = registry.getService("castellan.system.v1.InstanceLifecycleService");

const codes = { notFound: 5, invalidArgument: 3, unauthenticated: 16 };

/**
 * Checks a client library. `call(method, request, metadata)` resolves to the answer, or rejects
 * with an object that has the gRPC code as `code` and the message of the status as `text`.
 */
export async function check(name, call) {
  const request = create(service.method.createInstance.input, {
    instanceName: `Acme by ${name} ✓`,
    owner: {
      case: "machine",
      value: { userName: "robot", name: "Robot", personalAccessToken: {}, machineKey: { type: 1 } },
    },
  });
  const made = await call(service.method.createInstance, request, metadata);
  assert.match(made.instanceId, /^[1-9][0-9]+$/);
  assert.match(made.pat, /^cstl_pat_[0-9A-Za-z]{49}$/);
  assert.equal(made.details.sequence, 6n);
  const key = JSON.parse(new TextDecoder().decode(made.machineKey));
  assert.deepEqual(Object.keys(key), ["type", "keyId", "key", "expirationDate", "userId"]);
  assert.equal(key.expirationDate, "9999-12-31T23:59:59Z");

  const get = (instanceId, meta) =>
    call(service.method.getInstance, create(service.method.getInstance.input, { instanceId }), meta);
  const { instance } = await get(made.instanceId, metadata);
  assert.equal(instance.id, made.instanceId);
  assert.equal(instance.name, `Acme by ${name} ✓`);
  assert.equal(instance.state, 2);
  assert.equal(instance.domains.length, 1);
  assert.equal(instance.domains[0].primary, true);

  await refused(get("404", metadata), codes.notFound, /unable to set instance using id 404/);
  await refused(get(made.instanceId, {}), codes.unauthenticated, /^auth header missing$/);
  request.instanceName = "é".repeat(201);
  await refused(call(service.method.createInstance, request, metadata), codes.invalidArgument,
    /^invalid CreateInstanceRequest\.InstanceName: value length must be between 1 and 200 runes, inclusive$/);
  const list = create(service.method.listInstances.input, {
    queries: [{ query: { case: "idQuery", value: { ids: [made.instanceId] } } }],
  });
  const { result } = await call(service.method.listInstances, list, metadata);
  assert.deepEqual(result.map((found) => found.id), [made.instanceId]);
  const { result: views } = await call(service.method.listViews, create(service.method.listViews.input, {}), metadata);
  assert.ok(views.some((view) => view.viewName === "projections.instances"));
  console.log(`${name}: instance ${made.instanceId}`);
  return made;
}

async function refused(promise, code, text) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code, `${error.code} ${error.text ?? error}`);
    assert.match(error.text, text);
    return true;
  });
}
