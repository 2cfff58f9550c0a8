// Compile every JSON Schema, and validate events: each is valid, and an altered one is not. Print the types of the events.
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const { schemas, events } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ajv = new Ajv({ strict: true, allErrors: true });
addFormats(ajv);
const validators = new Map(
  schemas.map(({ type, data, envelope }) => [type, { data: ajv.compile(data), envelope: ajv.compile(envelope) }]),
);

function check(isExpected, validate, value) {
  if (validate(value) !== isExpected) {
    throw new Error(`${JSON.stringify(value)} is ${isExpected ? "invalid" : "valid"}: ${ajv.errorsText(validate.errors)}`);
  }
}

// Return copies of an object, each of which lacks a required member, or has one of another type.
function alterations(value, schema) {
  return schema.required.flatMap((name) => {
    const { [name]: removed, ...rest } = value;
    return [rest, { ...rest, [name]: typeof removed === "object" ? "text" : { value: removed } }];
  });
}

for (const event of events) {
  const { data, envelope } = validators.get(event.type);
  check(true, envelope, event);
  check(true, data, event.data);
  const altered = alterations(event.data, data.schema);
  for (const other of altered) {
    check(false, data, other);
    check(false, envelope, { ...event, data: other });
  }
  for (const other of alterations(event, envelope.schema)) {
    check(false, envelope, other);
  }
}
console.log(JSON.stringify([...new Set(events.map((event) => event.type))]));
