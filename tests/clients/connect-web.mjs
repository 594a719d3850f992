// gRPC-Web and Connect by connect-web, which runs on fetch as in a browser.

import assert from "node:assert/strict";
import { createClient, ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { check, instances, lifecycle, metadata, registry, service, url } from "./call.mjs";

// Watches an instance from the beginning until it has been stopped, then from there on.
async function watch(client, id) {
  const seen = [];
  const follow = async (request, until) => {
    const enough = new AbortController(); // leaving the loop does not close the stream
    try {
      const stream = client.watchInstances({ instanceIds: [id], ...request }, { headers: metadata, signal: enough.signal });
      for await (const { position, change } of stream) {
        if (change) {
          seen.push(change.eventType);
        }
        if (change?.eventType === until) {
          return position;
        }
      }
      assert.fail(`the stream ended before ${until}`);
    } finally {
      enough.abort();
    }
  };
  await client.stopInstance({ instanceId: id }, { headers: metadata });
  const position = await follow({ fromBeginning: true }, "instance.stopped");
  await client.startInstance({ instanceId: id }, { headers: metadata });
  await follow({ position }, "instance.started");
  assert.equal(seen[0], "instance.added");
  assert.deepEqual(seen.slice(-2), ["instance.stopped", "instance.started"]);
  assert.equal(new Set(seen).size, seen.length, `${seen} has one twice`);
}

const calling = (client) => async (method, request, headers) => {
  try {
    return await client[method.localName](request, { headers });
  } catch (error) {
    const e = ConnectError.from(error);
    throw Object.assign(e, { text: e.rawMessage });
  }
};

for (const [name, transport] of Object.entries({
  "connect-web with gRPC-Web": createGrpcWebTransport({ baseUrl: url }),
  "connect-web with gRPC-Web in JSON": createGrpcWebTransport({ baseUrl: url, useBinaryFormat: false }),
  "connect-web with Connect": createConnectTransport({ baseUrl: url, useBinaryFormat: true }),
  "connect-web with Connect in JSON": createConnectTransport({ baseUrl: url }),
})) {
  const client = createClient(service, transport);
  const made = await check(name, calling(client));
  const { instance } = await createClient(instances, transport).getInstance({ instanceId: made.instanceId }, { headers: metadata });
  assert.equal(instance.id, made.instanceId);
  await watch(createClient(lifecycle, transport), made.instanceId);

  // The details of an error arrive as messages.
  const error = ConnectError.from(await client.createInstance({
    instanceName: "Acme", owner: { case: "machine", value: { userName: "robot" } },
  }, { headers: metadata }).catch((e) => e));
  const [detail] = error.findDetails(registry.getMessage("zitadel.v1.ErrorDetail"));
  assert.equal(detail.id, "COMMAND-bs9Ds");
  const [bad] = error.findDetails(registry.getMessage("google.rpc.BadRequest"));
  assert.deepEqual(bad.fieldViolations.map((v) => v.field), ["machine.name"]);
}
