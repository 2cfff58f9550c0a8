"""Schemas of checkpoints and proofs."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields.numbers import QueryInteger
from api.http.fields.times import Time
from api.http.response_bodies import ResponseBody
from api.http.schemas import Query
from api.strict_parsing import MAX_POSITION

BASE64 = {"format": "byte"}
SIZE = validate.Range(0, MAX_POSITION)


class CheckpointRow(ResponseBody):
    """A signed checkpoint. `note` is the signed text, with the same values."""

    tree_size = fields.Integer(required=True, metadata={"description": "Number of events in the checkpoint."})
    position = fields.Integer(required=True, metadata={"description": "Position of the last event."})
    signed_at = Time(required=True)
    note = fields.String(required=True, metadata={"description": "A C2SP signed note."})


class CheckpointListAnswer(ResponseBody):
    """A page of checkpoints."""

    items = fields.List(fields.Nested(CheckpointRow), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class SigningKeyRow(ResponseBody):
    """A public key, and the time of its first checkpoint."""

    verifier_key = fields.String(
        required=True, metadata={"description": "In the format of C2SP signed notes: NAME+ID+KEY."}
    )
    since = Time(required=True)
    tree_size = fields.Integer(required=True, metadata={"description": "Number of events at that time."})


class SigningKeyListAnswer(ResponseBody):
    """All public keys, the current one last."""

    items = fields.List(fields.Nested(SigningKeyRow), required=True)
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "Always null: the list has one page."}
    )


class ProofQuery(Query):
    """The checkpoint that includes the event."""

    tree_size = QueryInteger(
        load_default=None,
        allow_none=False,
        validate=SIZE,
        metadata={"description": "Tree size of a checkpoint that you stored. Default: the newest one."},
    )


class ProvenEventRow(ResponseBody):
    """A stored event and its inclusion proof, in the format of an export line."""

    position = fields.Integer(required=True)
    stream_id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    topic = fields.String(required=True)
    state = fields.String(required=True, metadata={**BASE64, "description": "The stored bytes."})
    leaf = fields.Integer(required=True, metadata={"description": "Index of the leaf, from 0."})
    path = fields.List(
        fields.String(metadata=BASE64),
        required=True,
        metadata={"description": "Hashes on the path from the leaf to the root (RFC 6962)."},
    )


class ProofAnswer(ResponseBody):
    """An event, and the proof that a checkpoint includes it."""

    checkpoint = fields.String(required=True, metadata={"description": "A C2SP signed note."})
    keys = fields.List(fields.String(), required=True, metadata={"description": "Public keys of the service."})
    event = fields.Nested(ProvenEventRow, required=True)


class ConsistencyQuery(Query):
    """Tree sizes of two checkpoints."""

    first = QueryInteger(required=True, validate=SIZE)
    second = QueryInteger(
        load_default=None,
        allow_none=False,
        validate=SIZE,
        metadata={"description": "Default: the tree size of the newest checkpoint."},
    )


class ConsistencyAnswer(ResponseBody):
    """Consistency proof between two tree sizes."""

    first = fields.Integer(required=True)
    second = fields.Integer(required=True)
    path = fields.List(
        fields.String(metadata=BASE64),
        required=True,
        metadata={"description": "Hashes of the consistency proof (RFC 6962)."},
    )
