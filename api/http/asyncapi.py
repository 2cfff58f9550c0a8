"""AsyncAPI document and JSON Schemas of the published events, generated from the event catalog."""

from __future__ import annotations

import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Response
from werkzeug.exceptions import NotFound

from api.http.authentication import service
from api.http.routing import Routes
from application.ports.broker import CONTENT_TYPE
from projections.feed import published_checkpoints
from projections.feed.event_catalog import ACTOR, BY_TYPE, CATALOG, DIALECT, Envelopes

if TYPE_CHECKING:
    from projections.feed.event_catalog import PublishedEventType, Schema

VERSION = "1.0.0"
"""Version of the published events, not of the software. Releases only add to the events."""

EXCHANGE = "subusers.events"
STREAM_QUEUE = f"{EXCHANGE}.stream"
"""Names that `adapters/amqp/topology.py` declares. A test compares them."""

AMQP_BINDING = "0.3.0"

CHECKPOINT = published_checkpoints.TYPE
CHECKPOINT_MESSAGE = {
    "name": CHECKPOINT,
    "title": "audit.checkpoint",
    "summary": published_checkpoints.SUMMARY,
    "contentType": CONTENT_TYPE,
    "payload": {"$ref": "#/components/schemas/AuditCheckpoint"},
}

DESCRIPTION = """\
All events of main accounts and their sub-users, as CloudEvents 1.0, without personal data.

Every event is delivered at least once, in the order of `position`. Detect repeated deliveries by `id`. Published types
are stable: fields may be added, but none is renamed, removed or given another meaning. Ignore types, fields and values
that you do not know.
"""

routes = Routes("asyncapi", "Schemas of events")


@routes.route("GET", "/asyncapi.json", is_documented=False)
def get_asyncapi_document() -> Response:
    """Get the AsyncAPI document, which describes the events and their channels."""
    return Response(_document_json(service().settings.public_url), content_type="application/json")


@routes.route("GET", "/schemas/", is_documented=False)
def list_event_schemas() -> Response:
    """List the event types, with the URLs of their JSON Schemas.

    `data` is the schema of an event's data, `envelope` that of the complete event.
    """
    public_url = service().settings.public_url
    summary_by_type = {event.type: event.summary for event in CATALOG} | {CHECKPOINT: published_checkpoints.SUMMARY}
    items = [
        {
            "type": event_type,
            "summary": summary,
            "data": f"{public_url}/schemas/{event_type}.json",
            "envelope": f"{public_url}/schemas/envelopes/{event_type}.json",
        }
        for event_type, summary in summary_by_type.items()
    ]
    return Response(json.dumps({"items": items}), content_type="application/json")


@routes.route("GET", "/schemas/<event_type>.json", problems=(HTTPStatus.NOT_FOUND,), is_documented=False)
def get_event_schema(event_type: str) -> Response:
    """Get the JSON Schema of the `data` of an event type.

    The attribute `dataschema` of each event links here.
    """
    if event_type == CHECKPOINT:
        return _schema_response({"$schema": DIALECT, **published_checkpoints.DATA_SCHEMA})
    return _schema_response(_envelopes().data_schema(_published_event(event_type)))


@routes.route("GET", "/schemas/envelopes/<event_type>.json", problems=(HTTPStatus.NOT_FOUND,), is_documented=False)
def get_envelope_schema(event_type: str) -> Response:
    """Get the JSON Schema of a complete event of a type, with all its attributes."""
    if event_type == CHECKPOINT:
        return _schema_response({"$schema": DIALECT, **published_checkpoints.schema()})
    return _schema_response(_envelopes().schema(_published_event(event_type)))


def _envelopes() -> Envelopes:
    return Envelopes(service().source)


def _published_event(event_type: str) -> PublishedEventType:
    if event_type not in BY_TYPE:
        raise NotFound
    return BY_TYPE[event_type]


def _schema_response(schema: Schema) -> Response:
    return Response(json.dumps(schema), content_type="application/schema+json")


@cache
def _document_json(public_url: str) -> str:
    return json.dumps(document(public_url))


def document(public_url: str) -> dict[str, Any]:
    """Return the AsyncAPI document of a service with this public URL."""
    envelopes = Envelopes(public_url)
    events = {event.type: {"$ref": f"#/components/messages/{event.type}"} for event in CATALOG}
    events_and_checkpoints = events | {CHECKPOINT: {"$ref": f"#/components/messages/{CHECKPOINT}"}}
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "subusers", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": CONTENT_TYPE,
        "servers": _servers(public_url),
        "channels": {
            "exchange": _exchange_channel(events_and_checkpoints),
            "queue": _stream_queue_channel(events_and_checkpoints),
            "stream": _server_sent_events_channel(events),
        },
        "operations": {
            "publishEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/exchange"},
                "summary": "Publish every event as a persistent message, with its type as the routing key.",
                "bindings": {"amqp": {"deliveryMode": 2, "bindingVersion": AMQP_BINDING}},
            },
            "keepEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/queue"},
                "summary": "Keep the events of the last 7 days, at most 2 GB, for consumers to read from any offset.",
            },
            "streamEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/stream"},
                "summary": "Send every event after a given position as a server-sent event.",
            },
        },
        "components": {
            "messages": {event.type: _message(event) for event in CATALOG} | {CHECKPOINT: CHECKPOINT_MESSAGE},
            "schemas": event_schemas(envelopes) | _named_schemas("AuditCheckpoint", published_checkpoints.schema()),
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _servers(public_url: str) -> dict[str, Any]:
    http = urlsplit(public_url)
    return {
        "http": {
            "host": http.netloc,
            "protocol": http.scheme,
            **({"pathname": http.path} if http.path else {}),
            "description": "Requires an API key of scope `analytics` or `auditor`: `subusers api-key create`.",
            "security": [{"$ref": "#/components/securitySchemes/apiKey"}],
        },
        "broker": {
            "host": "{host}",
            "protocol": "amqp",
            "protocolVersion": "0.9.1",
            "description": "Available if the operator has configured a broker (SUBUSERS_BROKER_URL).",
            "variables": {"host": {"default": "localhost:5672", "description": "Ask the operator."}},
        },
    }


def _exchange_channel(messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": "{type}",
        "title": "Topic exchange",
        "description": "Bind your own queue to event types, or to a pattern such as `subusers.sub_user.#`.",
        "servers": [{"$ref": "#/servers/broker"}],
        "parameters": {"type": {"description": "Type of the event.", "enum": list(messages)}},
        "messages": messages,
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False},
                "bindingVersion": AMQP_BINDING,
            }
        },
    }


def _stream_queue_channel(messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": STREAM_QUEUE,
        "title": "Stream queue of the last 7 days",
        "description": "A RabbitMQ queue of type `stream`, if the broker supports streams. Consume it with a prefetch "
        "limit and the argument `x-stream-offset`.",
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": messages,
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": STREAM_QUEUE, "durable": True, "exclusive": False, "autoDelete": False},
                "bindingVersion": AMQP_BINDING,
            }
        },
    }


def _server_sent_events_channel(messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": "/v1/events/stream",
        "title": "Server-sent events",
        "description": "In each message, `id` is the position, `event` the type, and `data` the envelope. Set the "
        "start with `Last-Event-ID` or `?after=`, and select types with `?event_types=`. With `?named=false` there is "
        "no `event`.",
        "servers": [{"$ref": "#/servers/http"}],
        "messages": messages,
    }


def _message(event: PublishedEventType) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.name,
        "summary": event.summary,
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"#/components/schemas/{event.schema_name}"},
    }


def event_schemas(envelopes: Envelopes) -> dict[str, Schema]:
    """Return the schemas of all events, of their data and of the actor, by name.

    Each object has a schema of its own, so that generated code has a name for its class.
    """
    schemas: dict[str, Schema] = {"Actor": {"title": "Actor", **ACTOR}}
    for event in CATALOG:
        schemas |= _named_schemas(event.schema_name, envelopes.schema(event))
    return schemas


def _named_schemas(name: str, envelope_schema: Schema) -> dict[str, Schema]:
    """Return the schemas of an envelope and of its data.

    They lack `$schema` and `$id`, so that references resolve within the AsyncAPI document.
    """
    data_name = f"{name}Data"
    envelope = {keyword: value for keyword, value in envelope_schema.items() if keyword not in {"$schema", "$id"}}
    data = envelope["properties"]["data"]
    envelope["title"] = name
    envelope["properties"] = {**envelope["properties"], "data": {"$ref": f"#/components/schemas/{data_name}"}}
    data_properties = dict(data["properties"])
    if "actor" in data_properties:
        data_properties["actor"] = {"$ref": "#/components/schemas/Actor"}
    return {name: envelope, data_name: {"title": data_name, **data, "properties": data_properties}}
