// gRPC-Web by grpc-web, the library of the gRPC project, in both its formats. It wants
// XMLHttpRequest, which xhr2 brings to Node.js.

import xhr2 from "xhr2";
import grpcweb from "grpc-web";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { check, service, url } from "./call.mjs";

globalThis.XMLHttpRequest = xhr2.XMLHttpRequest;

for (const format of ["text", "binary"]) {
  const client = new grpcweb.GrpcWebClientBase({ format });
  await check(`grpc-web in ${format}`, async (method, request, metadata) => {
    const path = `/${service.typeName}/${method.name}`;
    const descriptor = new grpcweb.MethodDescriptor(path, grpcweb.MethodType.UNARY, Object, Object,
      (message) => toBinary(method.input, message), (bytes) => fromBinary(method.output, bytes));
    try {
      return await client.unaryCall(url + path, request, metadata, descriptor);
    } catch (error) {
      throw Object.assign(error, { text: error.message });
    }
  });
}
