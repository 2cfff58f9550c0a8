"""The shapes of checkpoints and proofs, from which the OpenAPI document is made too."""

from __future__ import annotations

from marshmallow import fields, validate

from api.http.fields import Time
from api.http.schemas import HIGHEST_POSITION, Answer, Query

BASE64 = {"format": "byte"}
SIZE = validate.Range(0, HIGHEST_POSITION)


class CheckpointRow(Answer):
    """A signed checkpoint; `note` is what was signed, and says the same."""

    tree_size = fields.Integer(required=True, metadata={"description": "How many events it has."})
    position = fields.Integer(required=True, metadata={"description": "Where the last of them stands."})
    signed_at = Time(required=True)
    note = fields.String(required=True, metadata={"description": "A C2SP signed note."})


class CheckpointListAnswer(Answer):
    """Some checkpoints."""

    items = fields.List(fields.Nested(CheckpointRow), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class SigningKeyRow(Answer):
    """A public key, and since when it has signed checkpoints."""

    verifier_key = fields.String(required=True, metadata={"description": "As C2SP signed notes have it: NAME+ID+KEY."})
    since = Time(required=True)
    tree_size = fields.Integer(required=True, metadata={"description": "How many events there were then."})


class SigningKeyListAnswer(Answer):
    """The public keys, the current one last."""

    items = fields.List(fields.Nested(SigningKeyRow), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata={"description": "Always null: there are few."})


class ProofQuery(Query):
    """In which tree an event is to be proven."""

    tree_size = fields.Integer(
        load_default=None,
        allow_none=False,
        validate=SIZE,
        metadata={"description": "That of a checkpoint that you kept; the newest, if it is not there."},
    )


class ProvenEventRow(Answer):
    """An event as it is stored, and its place in the tree: a line of an export with proofs."""

    position = fields.Integer(required=True)
    stream_id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    topic = fields.String(required=True)
    state = fields.String(required=True, metadata={**BASE64, "description": "The stored bytes."})
    leaf = fields.Integer(required=True, metadata={"description": "Which leaf, counted from 0."})
    path = fields.List(
        fields.String(metadata=BASE64),
        required=True,
        metadata={"description": "The hashes on its way to the root, from below (RFC 6962)."},
    )


class ProofAnswer(Answer):
    """An event, and the proof that it is in a checkpoint."""

    checkpoint = fields.String(required=True, metadata={"description": "A C2SP signed note."})
    keys = fields.List(fields.String(), required=True, metadata={"description": "The public keys of the service."})
    event = fields.Nested(ProvenEventRow, required=True)


class ConsistencyQuery(Query):
    """Two sizes of the tree."""

    first = fields.Integer(required=True, validate=SIZE)
    second = fields.Integer(
        load_default=None,
        allow_none=False,
        validate=SIZE,
        metadata={"description": "That of the newest checkpoint, if it is not there."},
    )


class ConsistencyAnswer(Answer):
    """The proof that the events of a smaller tree begin those of a larger one."""

    first = fields.Integer(required=True)
    second = fields.Integer(required=True)
    path = fields.List(
        fields.String(metadata=BASE64), required=True, metadata={"description": "Hashes, as RFC 6962 has them."}
    )
