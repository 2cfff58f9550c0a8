"""Encoding of response bodies: the JSON of each one is what its documented fields say."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from api.http.resources.sub_users.schemas import SubUserAnswer
from tests.api.response_results import response_bodies, results_of

if TYPE_CHECKING:
    from api.http.response_bodies import ResponseBody


@pytest.mark.parametrize("body", response_bodies(), ids=lambda body: body.__name__)
def test_json_is_what_the_documented_fields_say(body: type[ResponseBody]) -> None:
    """The OpenAPI document is generated from the fields, and marshmallow's own encoding is the reference."""
    schema = body()

    @settings(max_examples=20)  # of each of some forty bodies
    @given(results_of(schema))
    def check(result: Any) -> None:
        assert json.loads(schema.to_json(result)) == json.loads(json.dumps(schema.dump(result)))

    check()


def test_missing_required_field_is_an_error() -> None:
    with pytest.raises(KeyError):
        SubUserAnswer().to_json({"sub_user_id": "x"})
    with pytest.raises(AttributeError):
        SubUserAnswer().to_json(SimpleNamespace())
