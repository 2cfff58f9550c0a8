// Read a number of events of the stream with EventSource, and print each as JSON. Arguments: URL, API key, number, types.
import { EventSource } from "eventsource";

const [url, key, number, ...types] = process.argv.slice(2);
const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${key}` } }),
});
let received = 0;
function show({ type, data, lastEventId }) {
  console.log(JSON.stringify({ type, data: JSON.parse(data), lastEventId }));
  received += 1;
  if (received === Number(number)) {
    source.close();
  }
}
for (const type of types.length ? types : ["message"]) {
  source.addEventListener(type, show);
}
source.onerror = ({ message }) => {
  source.close();
  throw new Error(message);
};
