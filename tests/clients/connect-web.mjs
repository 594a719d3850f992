// gRPC-Web and Connect by connect-web, which runs on fetch as in a browser.

import assert from "node:assert/strict";
import { createClient, ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { check, metadata, registry, service, url } from "./call.mjs";

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
  await check(name, calling(client));

  // The details of an error arrive as messages.
  const error = ConnectError.from(await client.createInstance({
    instanceName: "Acme", owner: { case: "machine", value: { userName: "robot" } },
  }, { headers: metadata }).catch((e) => e));
  const [detail] = error.findDetails(registry.getMessage("zitadel.v1.ErrorDetail"));
  assert.equal(detail.id, "COMMAND-bs9Ds");
  const [bad] = error.findDetails(registry.getMessage("google.rpc.BadRequest"));
  assert.deepEqual(bad.fieldViolations.map((v) => v.field), ["machine.name"]);
}
