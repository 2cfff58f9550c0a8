"""Request bodies: JSON objects, whatever somebody sends."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from flask import request
from flask.globals import app_ctx, request_ctx
from marshmallow import ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from api.http.problems import Problem, unprocessable

if TYPE_CHECKING:
    from flask import Request
    from marshmallow import Schema

JSON = "application/json"
LARGEST_BODY = 2 * 1024 * 1024
"""Bytes: a thousand activities with details fit in."""


class BodyParser(FlaskParser):
    """Reads JSON and query parameters, and answers what it cannot read with a problem."""

    DEFAULT_VALIDATION_STATUS = 422
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012  # as the library has it
    """Nothing: what becomes of unknown fields is the schema's to say, for a query as for a body."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the body."""
        raw = req.get_data(cache=True)
        if len(raw) >= LARGEST_BODY:  # one whose length was not told is cut off there
            raise RequestEntityTooLarge
        if not raw:
            raise _malformed("The body is missing.")
        if req.environ.get("CONTENT_TYPE") != JSON and not req.is_json:
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be application/json."
            )
        try:
            body = read_json(raw)
        except RecursionError:
            raise _malformed("The body is nested too deeply.") from None
        except ValueError:
            raise _malformed("The body is not valid JSON.") from None
        if not isinstance(body, dict):
            raise _malformed("The body must be a JSON object.")
        return body

    def handle_error(
        self,
        error: ValidationError,
        req: Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Any,
    ) -> NoReturn:
        """Name every field that was refused, and why."""
        errors = error.normalized_messages()  # type: ignore[no-untyped-call]  # not typed there
        if len(errors) == 1 and isinstance(inner := next(iter(errors.values())), dict):
            errors = inner  # the library puts the errors of each location under its name
        raise unprocessable(_printable(errors)) from None


PARSER = BodyParser()


def read_json(raw: bytes) -> Any:
    """Return what `json.loads` would, without making a decoder anew. Raises ValueError, or RecursionError."""
    return _decoded(raw.decode(json.detect_encoding(raw), "surrogatepass"))


def read_body(schema: Schema) -> Any:
    """Return the body of this request as a schema has it: as `g.body`, where that has been set. Raises a `Problem`."""
    read = app_ctx.g.get("body")
    if read is not None:
        return read
    body = PARSER.load_json(request_ctx.request, schema)
    try:
        return schema.load(body)
    except ValidationError as error:
        raise unprocessable(_printable(error.normalized_messages())) from None  # type: ignore[no-untyped-call]  # not typed there


def read_query(schema: Schema) -> Any:
    """Return the query of this request as a schema has it. Raises a `Problem`."""
    return PARSER.parse(schema, request, location="query")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


_decoded = json.JSONDecoder(parse_constant=_refuse_constant).decode


def _malformed(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "malformed-body", detail)


def _printable(errors: Any) -> Any:
    """Return the errors with every field name as text that any reader of JSON takes: it came from outside."""
    if isinstance(errors, dict):
        return {_name(name): _printable(value) for name, value in errors.items()}
    return errors


def _name(name: Any) -> str:
    return str(name)[:100].encode("utf-8", "backslashreplace").decode()
