// Parse the AsyncAPI document, and print its channels and the errors (severity 0) and warnings (1) that the parser finds.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser/cjs/index.js";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const findings = diagnostics
  .filter(({ severity }) => severity <= 1)
  .map(({ severity, code, message, path }) => ({ severity, code, message, path: path.join(".") }));
const channels = document === undefined ? [] : document.channels().all().map((channel) => channel.id());
console.log(JSON.stringify({ findings, channels }));
