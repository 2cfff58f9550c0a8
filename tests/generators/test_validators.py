"""Validators and readers that others wrote take the published events, their schemas and the metrics.

Run `make test-generators`, which installs them, except promtool.
"""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.generators.event_story import TYPES
from tests.generators.programs import require_installed, run_script
from tests.processes.deployment import METRICS_TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.service import RunningService
    from tests.generators.event_story import EventStory

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

CLOUD_EVENT = {"content-type": "application/cloudevents+json"}


@pytest.mark.parametrize("script", ["cloudevents_sdk.py", "cloudevents-sdk.mjs"])
def test_cloudevents_sdk_reads_every_delivery(folder: Path, event_story: EventStory, script: str) -> None:
    """From the feed, the stream and a webhook: in strict mode, and with all attributes."""
    messages = [{"headers": CLOUD_EVENT, "body": json.dumps(event)} for event in event_story.feed]
    messages += [{"headers": CLOUD_EVENT, "body": data} for data in event_story.stream()]
    messages += [{"headers": request.headers, "body": request.body.decode()} for request in event_story.deliveries()]
    (folder / "messages").write_text("".join(f"{json.dumps(message)}\n" for message in messages))
    events = [json.loads(line) for line in run_script(folder, script, "messages").splitlines()]
    assert len(events) == 3 * len(event_story.feed)
    for event, expected in zip(events, event_story.feed * 3, strict=True):
        times = [datetime.fromisoformat(attributes["time"]) for attributes in (event, expected)]
        assert abs(times[0] - times[1]).total_seconds() < 0.001  # JavaScript keeps milliseconds
        assert {**event, "time": ""} == {**expected, "time": ""}


def test_ajv_compiles_every_schema_and_validates_events(
    folder: Path, service: RunningService, event_story: EventStory
) -> None:
    """In strict mode, with formats. Events that lack a required member, or have one of another type, are invalid."""
    index = httpx.get(f"{service.url}/schemas/").json()
    schemas = [
        {"type": entry["type"], **{kind: httpx.get(entry[kind]).json() for kind in ("data", "envelope")}}
        for entry in index["items"]
    ]
    (folder / "input.json").write_text(json.dumps({"schemas": schemas, "events": event_story.feed}))
    validated = json.loads(run_script(folder, "schemas.mjs", "input.json"))
    assert {*validated} >= TYPES


def test_asyncapi_parser_finds_nothing_wrong(folder: Path, service: RunningService) -> None:
    """Neither errors nor warnings; in a document that breaks the specification it does find one."""
    document = httpx.get(f"{service.url}/asyncapi.json").json()
    result = parse_asyncapi(folder, document)
    assert result["findings"] == []
    assert {*result["channels"]} == {*document["channels"]}
    assert parse_asyncapi(folder, {**document, "info": {"title": "no version"}})["findings"]


def parse_asyncapi(folder: Path, document: Any) -> Any:
    (folder / "asyncapi.json").write_text(json.dumps(document))
    return json.loads(run_script(folder, "asyncapi.mjs", "asyncapi.json"))


@pytest.mark.parametrize("is_named", [True, False])
def test_eventsource_reads_the_stream(folder: Path, event_story: EventStory, is_named: bool) -> None:
    """Its events have their type as name, or none, and the position as id."""
    url = f"{event_story.deployment.url}/v1/events/stream?after={event_story.start}&named={str(is_named).lower()}"
    types = sorted({event["type"] for event in event_story.feed}) if is_named else []
    output = run_script(folder, "event-source.mjs", url, event_story.analytics_key, str(len(event_story.feed)), *types)
    messages: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines()]
    assert [message["data"] for message in messages] == event_story.feed
    for message, event in zip(messages, event_story.feed, strict=True):
        assert message["type"] == (event["type"] if is_named else "message")
        assert message["lastEventId"] == str(event["position"])


def test_promtool_finds_nothing_wrong(service: RunningService, event_story: EventStory) -> None:
    """In names, help texts and types of metrics, after requests that were answered and refused."""
    require_installed("promtool")
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    metrics = httpx.get(f"{service.url}/metrics", headers=headers).raise_for_status().text
    assert "subusers_http_requests_total" in metrics
    command = ["promtool", "check", "metrics"]
    completed = subprocess.run(command, input=metrics, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stdout + completed.stderr) == (0, "")
