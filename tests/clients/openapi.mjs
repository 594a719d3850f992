// The OpenAPI document, checked by a validator of others against the schema of its version.

import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { url } from "./call.mjs";

const document = await (await fetch(`${url}/openapi/zitadel/system.json`)).json();
const validator = new Validator();
const { valid, errors } = await validator.validate(document);
assert.ok(valid, JSON.stringify(errors, null, 2));
assert.match(validator.version, /^3\./);
console.log(`OpenAPI ${validator.version}: ${Object.keys(document.paths).length} paths`);
