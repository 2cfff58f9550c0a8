"""Checks of sessions: several in one request, why, resources page by page, and sessions that may do nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from domain.roles import OPERATOR, VIEWER
from tests.api.clients import require_problem

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients, SubUser
    from tests.conftest import TravelingClock

RECEPTION, SALES = {"type": "assistant", "id": "a-1"}, {"type": "assistant", "id": "a-2"}
CHECKS: list[dict[str, Any]] = [
    {"id": "b", "permission": "assistants", "resource": RECEPTION},
    {"id": "a", "permission": "assistants", "resource": SALES},
    {"id": "b", "permission": "assistants", "resource": RECEPTION},
    {"permission": "assistants"},
    {"id": "a", "permission": "assistants", "resource": RECEPTION},
]


@pytest.fixture
def grace(account: Account) -> SubUser:
    """Return a sub-user who may only work with one assistant."""
    sub_user = account.create_with_own_password()
    sub_user.set_grants({"role_id": str(OPERATOR), "resource": RECEPTION})
    return sub_user


def introspect(account: Account, token: str, **fields: Any) -> Any:
    response = account.portal.post("/v1/sessions/introspect", json={"token": token, **fields})
    assert response.status_code == 200, response.text
    return response.json


def resources(account: Account, token: str, **query: Any) -> TestResponse:
    headers = {"Session-Token": token}
    query = {"permission": "assistants", **query}
    return account.portal.get("/v1/sessions/current/resources", query_string=query, headers=headers)


def test_checks_are_answered_in_order_with_their_ids(grace: SubUser) -> None:
    """The same pair twice, and one id for two checks, make no difference."""
    answers = introspect(grace.account, grace.new_token(), checks=CHECKS)["checks"]
    assert [answer["allowed"] for answer in answers] == [True, False, True, False, True]
    assert [answer.get("id") for answer in answers] == ["b", "a", "b", None, "a"]
    assert [answer["resource"] for answer in answers] == [RECEPTION, SALES, RECEPTION, None, RECEPTION]


def test_a_check_names_its_grant_or_what_is_missing(grace: SubUser) -> None:
    (grant,) = grace.grants()
    checks = [
        {"permission": "assistants", "resource": RECEPTION},
        {"permission": "assistants", "resource": SALES},
        {"permission": "tools", "resource": RECEPTION},
        {"permission": "billing_settings"},
        {"permission": "assistants.edit"},
    ]
    answers = introspect(grace.account, grace.new_token(), checks=checks)["checks"]
    assert answers[0]["because"] == {"role_id": str(OPERATOR), "grant_id": grant["grant_id"]}
    assert [answer["because"] for answer in answers[1:]] == [
        {"missing": "grant"},
        {"missing": "resource_type"},
        {"missing": "owner"},
        {"missing": "permission"},
    ]


def test_the_widest_and_longest_grant_is_named(grace: SubUser, clock: TravelingClock) -> None:
    soon = (clock() + timedelta(hours=1)).isoformat()
    grants = grace.set_grants(
        {"role_id": str(OPERATOR), "resource": RECEPTION},
        {"role_id": str(OPERATOR), "expires_at": soon},
        {"role_id": str(OPERATOR)},
    )
    (answer,) = introspect(grace.account, grace.new_token(), checks=CHECKS[:1])["checks"]
    assert answer["because"]["grant_id"] == grants[2]["grant_id"]


def test_an_ended_session_may_do_nothing(grace: SubUser) -> None:
    token = grace.new_token()
    grace.account.portal.delete("/v1/sessions/current", headers={"Session-Token": token})
    answer = introspect(grace.account, token, permission="assistants", resource=RECEPTION, checks=CHECKS)
    assert (answer["active"], answer["allowed"]) == (False, False)
    assert set(answer) == {"active", "allowed", "checks"}
    assert [check["because"] for check in answer["checks"]] == [{"missing": "session"}] * len(CHECKS)
    require_problem(resources(grace.account, token), 401, "session-ended")


def test_a_restricted_session_may_do_nothing(account: Account) -> None:
    """It was opened with a temporary password, although the sub-user has the role Operator on everything."""
    sub_user = account.create_active()
    token = sub_user.new_token()
    answer = introspect(account, token, permission="assistants", checks=CHECKS)
    assert (answer["active"], answer["must_change_password"]) == (True, True)
    assert (answer["permissions"], answer["allowed"]) == ([], False)
    assert [check["because"] for check in answer["checks"]] == [{"missing": "own_password"}] * len(CHECKS)
    assert resources(account, token).json == {"all": False, "items": [], "next_cursor": None}


def test_what_cannot_be_checked_is_refused(grace: SubUser) -> None:
    """A resource without a permission, a misspelled permission, and more than 100 checks."""
    for body, field in (
        ({"resource": RECEPTION}, "permission"),
        ({"permission": "asistants"}, "permission"),
        ({"permission": "assistants", "resource": {"type": "assistant"}}, "resource"),
        ({"permission": "assistants", "resource": {"type": "account", "id": "a-1"}}, "resource"),
        ({"checks": CHECKS * 21}, "checks"),
    ):
        response = grace.account.portal.post("/v1/sessions/introspect", json={"token": grace.new_token(), **body})
        require_problem(response, 422, "invalid-input", field)
    assert len(introspect(grace.account, grace.new_token(), checks=CHECKS * 20)["checks"]) == 100


def test_answers_without_checks_have_no_fields_of_checks(grace: SubUser) -> None:
    assert set(introspect(grace.account, grace.new_token())) == {
        *("active", "account_id", "sub_user_id", "permissions", "must_change_password", "expires_at"),
        *("assurance_level", "step_up_required"),
    }


def test_resources_are_listed_page_by_page(grace: SubUser) -> None:
    """Sorted by id, each once, and only those that the permission is granted for."""
    names = [f"a-{number}" for number in range(7)]
    grants = [{"role_id": str(OPERATOR), "resource": {"type": "assistant", "id": name}} for name in reversed(names)]
    others: list[dict[str, Any]] = [
        {"role_id": grace.account.create_role("assistants"), "resource": RECEPTION},
        {"role_id": str(VIEWER), "resource": {"type": "assistant", "id": "viewed only"}},
        {"role_id": str(OPERATOR), "resource": {"type": "tool", "id": "t-1"}},
    ]
    grace.set_grants(*grants, *others)
    token, listed = grace.new_token(), []
    cursor: dict[str, str] = {}
    while True:
        page: Any = resources(grace.account, token, limit=3, **cursor).json
        assert page["all"] is False
        listed.append([item["id"] for item in page["items"]])
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert listed == [names[:3], names[3:6], names[6:]]


def test_all_resources_are_not_listed(grace: SubUser) -> None:
    """A grant on everything covers resources that this service does not know."""
    grace.set_grants({"role_id": str(OPERATOR)}, {"role_id": str(OPERATOR), "resource": RECEPTION})
    assert resources(grace.account, grace.new_token()).json == {"all": True, "items": [], "next_cursor": None}


def test_a_page_has_no_resource_that_was_revoked(grace: SubUser) -> None:
    first, _ = grace.set_grants(
        {"role_id": str(OPERATOR), "resource": RECEPTION}, {"role_id": str(OPERATOR), "resource": SALES}
    )
    token = grace.new_token()
    grace.account.portal.delete(f"{grace.path}/grants/{first['grant_id']}")
    assert resources(grace.account, token).json["items"] == [SALES]  # type: ignore[index]


def test_a_cursor_belongs_to_its_permission_and_sub_user(clients: ApiClients, grace: SubUser) -> None:
    grants = [{"role_id": str(OPERATOR), "resource": resource} for resource in (RECEPTION, SALES)]
    grace.set_grants(*grants)
    other = clients.register_account().create_with_own_password()
    other.set_grants(*grants)
    page: Any = resources(grace.account, grace.new_token(), limit=1).json
    cursor = page["next_cursor"]
    for response in (
        resources(grace.account, grace.new_token(), permission="tools", cursor=cursor),
        resources(other.account, other.new_token(), cursor=cursor),
    ):
        require_problem(response, 422, "invalid-input", "cursor")


def test_a_session_is_required(account: Account) -> None:
    response = account.portal.get("/v1/sessions/current/resources", query_string={"permission": "assistants"})
    require_problem(response, 422, "invalid-input", "Session-Token")
    require_problem(resources(account, "unknown"), 401, "session-ended")
