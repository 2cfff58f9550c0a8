// Parse HTTP messages with the CloudEvents SDK, in strict mode, and print the events as lines of JSON.
import { readFileSync } from "node:fs";
import { CloudEvent, HTTP } from "cloudevents";

for (const line of readFileSync(process.argv[2], "utf8").trim().split("\n")) {
  const message = JSON.parse(line);
  const event = HTTP.toEvent(message);
  if (!event.validate() || JSON.stringify(new CloudEvent({ ...event }, true)) !== JSON.stringify(event)) {
    throw new Error(`${message.body} is not valid`);
  }
  console.log(JSON.stringify(event));
}
