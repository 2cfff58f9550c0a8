"""The AsyncAPI document, and the JSON Schema of every event: made from the catalog of what is published."""

from __future__ import annotations

import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Response
from werkzeug.exceptions import NotFound

from api.http.doors import service
from api.http.routes import Routes
from projections import published_checkpoints
from projections.published_events import BY_TYPE, CATALOG, CONTENT_TYPE, DIALECT, Envelopes

if TYPE_CHECKING:
    from projections.published_events import PublishedEvent, Schema

VERSION = "1.0.0"
"""Of what is published, as the document has it: it grows, and what was there stays."""

EXCHANGE = "subusers.events"
QUEUE = f"{EXCHANGE}.stream"
AMQP_BINDING = "0.3.0"

CHECKPOINT = published_checkpoints.TYPE

DESCRIPTION = """\
Everything that happens in main accounts and to their sub-users, as CloudEvents 1.0, without personal data.

Every event is delivered at least once, in the order of its `position`; `id` tells a copy from another event. A type
once published stays: fields are added to it, none is renamed, removed or given another meaning. Consumers let pass
what they do not know: types, fields, and words among those that are given as examples.
"""

routes = Routes("asyncapi", "How events look")


@routes.door("GET", "/asyncapi.json")
def asyncapi() -> Response:
    """Describe the events, and where they can be had, as an AsyncAPI document."""
    return Response(_whole(service().settings.public_url), content_type="application/json")


@routes.door("GET", "/schemas/<event_type>.json", problems=(HTTPStatus.NOT_FOUND,))
def event_schema(event_type: str) -> Response:
    """Describe the `data` of one type of event, as a JSON Schema: where `dataschema` leads."""
    if event_type == published_checkpoints.TYPE:
        return _served({"$schema": DIALECT, **published_checkpoints.DATA_SCHEMA})
    return _served(_envelopes().data_schema(_kind(event_type)))


@routes.door("GET", "/schemas/envelopes/<event_type>.json", problems=(HTTPStatus.NOT_FOUND,))
def envelope_schema(event_type: str) -> Response:
    """Describe one type of event whole, with all its attributes, as a JSON Schema."""
    if event_type == published_checkpoints.TYPE:
        return _served({"$schema": DIALECT, **published_checkpoints.schema()})
    return _served(_envelopes().schema(_kind(event_type)))


def _envelopes() -> Envelopes:
    return Envelopes(service().settings.public_url)


def _kind(event_type: str) -> PublishedEvent:
    if event_type not in BY_TYPE:
        raise NotFound
    return BY_TYPE[event_type]


def _served(schema: Schema) -> Response:
    return Response(json.dumps(schema), content_type="application/schema+json")


@cache
def _whole(public_url: str) -> str:
    return json.dumps(document(public_url))


def document(public_url: str) -> dict[str, Any]:
    """Return the AsyncAPI document of a service that the outside knows by this URL."""
    envelopes = Envelopes(public_url)
    messages = {kind.type: {"$ref": f"#/components/messages/{kind.type}"} for kind in CATALOG}
    published = messages | {CHECKPOINT: {"$ref": f"#/components/messages/{CHECKPOINT}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "subusers", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": CONTENT_TYPE,
        "servers": _servers(public_url),
        "channels": {"exchange": _exchange(published), "queue": _queue(published), "stream": _stream(messages)},
        "operations": {
            "publishEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/exchange"},
                "summary": "Publish every event, as a persistent message, under its type as routing key.",
                "bindings": {"amqp": {"deliveryMode": 2, "bindingVersion": AMQP_BINDING}},
            },
            "keepEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/queue"},
                "summary": "Keep every event of the last days, to be read again from any offset.",
            },
            "streamEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/stream"},
                "summary": "Send every event, as a server-sent event, from any position on.",
            },
        },
        "components": {
            "messages": {kind.type: _message(kind) for kind in CATALOG} | {CHECKPOINT: _CHECKPOINT_MESSAGE},
            "schemas": {kind.type: _schema(envelopes, kind) for kind in CATALOG}
            | {CHECKPOINT: published_checkpoints.schema()},
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


_CHECKPOINT_MESSAGE = {
    "name": CHECKPOINT,
    "title": "audit.checkpoint",
    "summary": published_checkpoints.SUMMARY,
    "contentType": CONTENT_TYPE,
    "payload": {"$ref": f"#/components/schemas/{CHECKPOINT}"},
}


def _servers(public_url: str) -> dict[str, Any]:
    http = urlsplit(public_url)
    return {
        "http": {
            "host": http.netloc,
            "protocol": http.scheme,
            **({"pathname": http.path} if http.path else {}),
            "description": "An API key of scope `analytics` or `auditor` is needed: `subusers api-key create`.",
            "security": [{"$ref": "#/components/securitySchemes/apiKey"}],
        },
        "broker": {
            "host": "{host}",
            "protocol": "amqp",
            "protocolVersion": "0.9.1",
            "description": "Where the operator has set up a broker (SUBUSERS_BROKER_URL).",
            "variables": {"host": {"default": "localhost:5672", "description": "Ask the operator."}},
        },
    }


def _exchange(messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": "{type}",
        "title": "The exchange",
        "description": "Bind a queue of your own: with the types that you want, or with `subusers.sub_user.#`.",
        "servers": [{"$ref": "#/servers/broker"}],
        "parameters": {"type": {"description": "The type of the event.", "enum": list(messages)}},
        "messages": messages,
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False},
                "bindingVersion": AMQP_BINDING,
            }
        },
    }


def _queue(messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": QUEUE,
        "title": "The queue of the last days",
        "description": "A queue of RabbitMQ's type `stream`, where the broker has those. Consume it with a prefetch "
        "and the argument `x-stream-offset`.",
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": messages,
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": QUEUE, "durable": True, "exclusive": False, "autoDelete": False},
                "bindingVersion": AMQP_BINDING,
            }
        },
    }


def _stream(messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": "/v1/events/stream",
        "title": "The stream",
        "description": "Server-sent events: `id` is the position, `event` the type, `data` the envelope. "
        "`Last-Event-ID` or `?after=` says where to begin, `?types=` what to leave out.",
        "servers": [{"$ref": "#/servers/http"}],
        "messages": messages,
    }


def _message(kind: PublishedEvent) -> dict[str, Any]:
    return {
        "name": kind.type,
        "title": kind.word,
        "summary": kind.summary,
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"#/components/schemas/{kind.type}"},
    }


def _schema(envelopes: Envelopes, kind: PublishedEvent) -> Schema:
    """Return the schema without what makes it a document of its own: references are relative to the whole one."""
    return {name: part for name, part in envelopes.schema(kind).items() if name not in {"$schema", "$id"}}
