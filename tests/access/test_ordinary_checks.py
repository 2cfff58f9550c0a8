"""Checks that are read without marshmallow are read as with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.http.resources.sessions.schemas import AccessCheck, ordinary_check
from tests.api.clients import require_problem

if TYPE_CHECKING:
    from tests.api.clients import ApiClients

texts = (
    st.sampled_from(
        [
            "a",
            "assistants.edit",
            "assistant",
            "account",
            "tools\n",
            " x",
            "e\u0301",
            "\u200b",
            "\0",
            "\ud800",
            "",
            "a b",
            "A",
        ]
    )
    | st.text(max_size=5)
    | st.sampled_from(["x" * 64, "x" * 65, "x" * 200, "x" * 201])
)
values: st.SearchStrategy[Any] = texts | st.none() | st.integers() | st.lists(texts, max_size=1)
resources = values | st.fixed_dictionaries({}, optional={"type": values, "id": values, "label": values})
checks = values | st.fixed_dictionaries(
    {}, optional={"id": values, "permission": values, "resource": resources, "more": values}
)


@given(checks)
def test_ordinary_checks_are_those_that_marshmallow_leaves_unchanged(check: Any) -> None:
    ordinary = ordinary_check(check)
    if ordinary is not None:
        assert AccessCheck().load(check) == ordinary


@given(
    st.fixed_dictionaries(
        {"permission": st.just("a.edit")},
        optional={
            "id": st.text("abc-_.", min_size=1, max_size=9),
            "resource": st.fixed_dictionaries(
                {"type": st.just("assistant"), "id": st.text("abcXYZ0189-_:/.", min_size=1, max_size=9)}
            ),
        },
    )
)
def test_usual_checks_are_ordinary(check: Any) -> None:
    assert ordinary_check(check) == AccessCheck().load(check)


@pytest.mark.parametrize("check", [{"permission": "a", "resource": {"type": "account", "id": "1"}}, {}, [], None, "a"])
def test_other_checks_are_refused_by_marshmallow(clients: ApiClients, check: Any) -> None:
    assert ordinary_check(check) is None
    with pytest.raises(ValidationError):
        AccessCheck().load(check)
    response = clients.portal.post(
        "/v1/sessions/introspect", json={"token": "x", "checks": [{"permission": "a"}, check]}
    )
    require_problem(response, 422, "invalid-input", "checks")
