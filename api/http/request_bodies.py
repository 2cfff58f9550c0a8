"""Parsing and validation of request bodies and query parameters."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from flask import request
from flask.globals import request_ctx
from marshmallow import ValidationError, fields
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from api.http.problems import Problem, unprocessable, unsupported_media_type
from api.server.limits import MAX_BODY_BYTES
from api.strict_parsing import parse_json_float

if TYPE_CHECKING:
    from flask import Request
    from marshmallow import Schema

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

TOKEN = r"[\w!#$%&'*+.^`|~-]++"
PARAMETER = re.compile(rf';[ \t]*+(?:({TOKEN})=({TOKEN}|"(?:[^"\\]|\\.)*+"))?+', re.ASCII)
CONTENT_TYPE = re.compile(rf"{TOKEN}/{TOKEN}(?:[ \t]*+{PARAMETER.pattern})*+[ \t]*+", re.ASCII)
"""Syntax of a media type (RFC 9110, 8.3.1). The quantifiers are possessive, so matching takes linear time."""


class BodyParser(FlaskParser):
    """Reads JSON bodies and query parameters, and raises problems for invalid ones."""

    DEFAULT_VALIDATION_STATUS = 422
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012  # declared by webargs
    """Empty, so that the schemas decide about unknown fields, in queries as well as in bodies."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the JSON object in the body."""
        raw = req.get_data(cache=True)
        if len(raw) >= MAX_BODY_BYTES:  # a body of undeclared length is cut off there
            raise RequestEntityTooLarge
        if not raw:
            raise _malformed("The body is missing.")
        if req.environ.get("CONTENT_TYPE") != JSON and not (req.is_json and _is_utf_8(req.content_type or "")):
            raise unsupported_media_type("The body must be application/json, in UTF-8.")
        try:
            body = read_json(raw)
        except RecursionError:
            raise _malformed("The body is nested too deeply.") from None
        except ValueError:
            raise _malformed("The body must be valid JSON in UTF-8, without repeated names in an object.") from None
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
        """Raise a problem with the validation errors by field."""
        errors = error.normalized_messages()  # type: ignore[no-untyped-call]  # untyped in marshmallow
        if len(errors) == 1 and isinstance(inner := next(iter(errors.values())), dict):
            errors = inner  # webargs nests the errors under the name of their location
        raise unprocessable(_by_field(errors)) from None


PARSER = BodyParser()


def read_json(raw: bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError or RecursionError.

    Unlike `json.loads`, it accepts only UTF-8 without a byte order mark (RFC 8259, 8.1), and refuses objects with a
    repeated name, which parsers interpret differently.
    """
    return _decode(raw.decode())


def read_body(schema: Schema) -> Any:
    """Return the body of this request, loaded by a schema. Raises a `Problem`."""
    body = PARSER.load_json(request_ctx.request, schema)
    return _load(schema, body)


def read_optional_body(schema: Schema) -> Any:
    """Return the body of this request as `read_body` does. A missing body is the same as an empty object."""
    return read_body(schema) if request_ctx.request.get_data(cache=True) else _load(schema, {})


def read_form(schema: Schema) -> Any:
    """Return the form in the body of this request, loaded by a schema. Raises a `Problem`.

    A repeated parameter is refused (RFC 6749, 3.1).
    """
    current_request = request_ctx.request
    if current_request.mimetype != FORM or not _is_utf_8(current_request.content_type or ""):
        raise unsupported_media_type(f"The body must be {FORM}, in UTF-8.")
    try:
        pairs = parse_qsl(current_request.get_data().decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise _malformed("The body must be a form in UTF-8.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _malformed("The body has a repeated parameter.")
    return _load(schema, form)


def read_query(schema: Schema) -> Any:
    """Return the query parameters of this request, loaded by a schema. Raises a `Problem`.

    A parameter is a list or given once: the second value of a filter must not be ignored silently.
    """
    repeated = [
        name
        for name, values in request_ctx.request.args.lists()
        if len(values) > 1 and not isinstance(schema.load_fields.get(name), fields.List)
    ]
    if repeated:
        raise unprocessable(_by_field({name: ["must be given once"] for name in repeated}))
    return PARSER.parse(schema, request, location="query")


def _load(schema: Schema, values: dict[str, Any]) -> Any:
    try:
        return schema.load(values)
    except ValidationError as error:
        raise unprocessable(_by_field(error.normalized_messages())) from None  # type: ignore[no-untyped-call]  # untyped in marshmallow


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which `json` accepts by default."""
    raise ValueError(name)


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError
    return value


def _is_utf_8(content_type: str) -> bool:
    """Return whether a Content-Type header has a valid syntax, and no charset but UTF-8.

    This also checks the syntax, because Werkzeug ignores a parameter that it cannot parse.
    """
    if not CONTENT_TYPE.fullmatch(content_type):
        return False
    parameters = PARAMETER.findall(content_type)
    return all(
        name.lower() == "charset" and value.strip('"').lower() == "utf-8"
        for name, value in parameters
        if name.lower().startswith("charset")
    )


_decode = json.JSONDecoder(
    parse_float=parse_json_float, parse_constant=_refuse_constant, object_pairs_hook=_object_without_duplicates
).decode


def _malformed(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "malformed-body", detail)


def _by_field(errors: Any) -> Any:
    """Return messages by field, whose names can be encoded in UTF-8: they may come from clients.

    Messages about items of a list of plain values are those of the list. Items that are objects keep their index.
    """
    if not isinstance(errors, dict):
        return errors
    if all(isinstance(name, int) and isinstance(messages, list) for name, messages in errors.items()):
        return list(dict.fromkeys(message for messages in errors.values() for message in messages))
    return {_safe_name(name): _by_field(value) for name, value in errors.items()}


def _safe_name(name: Any) -> str:
    return str(name)[:100].encode("utf-8", "backslashreplace").decode()
