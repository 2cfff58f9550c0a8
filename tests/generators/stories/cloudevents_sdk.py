"""Parse HTTP messages with the CloudEvents SDK, which validates each event, and print the events as lines of JSON."""

import json
import sys
from pathlib import Path

from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_structured_event

for line in Path(sys.argv[1]).read_text().splitlines():
    message = json.loads(line)
    event = from_http_event(HTTPMessage(message["headers"], message["body"].encode()))
    print(to_structured_event(event).body.decode())
