"""Grants over HTTP: what is refused, all or nothing, and sub-users who are created with grants."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.roles import MAX_GRANTS, OPERATOR, VIEWER
from tests.api.clients import require_problem

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import Account, ApiClients, SubUser
    from tests.conftest import TravelingClock

ON_EVERYTHING = {"role_id": str(OPERATOR)}
VIEWING = {"role_id": str(VIEWER)}
RECEPTION = {"type": "assistant", "id": "a-1", "label": "Reception"}
ON_RECEPTION = {**VIEWING, "resource": RECEPTION}
CREATED, GRANTED, REVOKED = "sub_user.created", "sub_user.role_granted", "sub_user.role_revoked"


@pytest.fixture
def grace(account: Account) -> SubUser:
    """Return a sub-user with the grant that every new one has."""
    return account.create_sub_user()


def post(sub_user: SubUser, grant: dict[str, Any], **headers: str) -> TestResponse:
    return sub_user.account.portal.post(f"{sub_user.path}/grants", json=grant, headers=headers)


def put(sub_user: SubUser, *grants: dict[str, Any], **fields: Any) -> TestResponse:
    return sub_user.account.portal.put(f"{sub_user.path}/grants", json={"grants": grants, **fields})


def actions(account: Account) -> list[str]:
    """Return the actions in the audit log of an account, oldest first."""
    return [row["action"] for row in reversed(account.audit_log_rows())]


def ids(grants: list[dict[str, Any]]) -> list[str]:
    return [grant["grant_id"] for grant in grants]


def test_a_new_sub_user_is_an_operator_on_everything(grace: SubUser) -> None:
    (grant,) = grace.grants()
    assert (grant["role_id"], grant["resource"], grant["expires_at"]) == (str(OPERATOR), None, None)
    assert grant["granted_at"] == grace.fetch()["created_at"]


def test_a_grant_is_returned_as_it_was_given(grace: SubUser) -> None:
    """The reason is in the list and in the audit log."""
    given: Any = post(grace, {**ON_RECEPTION, "reason": "Front desk"}).json
    assert given["resource"] == RECEPTION
    assert grace.grants()[-1] == given
    (row,) = grace.account.audit_log_rows(action=GRANTED)
    assert row["reason"] == given["reason"] == "Front desk"


def test_the_reason_of_the_header_counts_unless_the_body_has_one(grace: SubUser) -> None:
    assert post(grace, VIEWING, **{"X-Reason": "Header"}).json["reason"] == "Header"  # type: ignore[index]
    body = {**VIEWING, "reason": "Body"}
    assert post(grace, body, **{"X-Reason": "Header"}).json["reason"] == "Body"  # type: ignore[index]


def test_ids_of_resources_are_compared_exactly(grace: SubUser) -> None:
    """They are the portal's own: letters with accents are not composed, and spaces not removed."""
    for resource_id in ("Caf\u0301e", "Caf\u00e9", " a ", "a", "A"):
        grant = {**VIEWING, "resource": {"type": "assistant", "id": resource_id}}
        assert post(grace, grant).json["resource"]["id"] == resource_id  # type: ignore[index]
    assert len(put(grace, *({**VIEWING, "resource": {"type": "tool", "id": name}} for name in "aA")).json["items"]) == 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"role_id": str(uuid4())}, {"role_id": ["is not a role of this account"]}),
        ({"expires_at": "2026-01-01T00:00:00Z"}, {"expires_at": ["must be in the future"]}),
        (
            {"resource": {"type": "voice", "id": "v-1"}},
            {"resource": {"type": ["no permission of the catalogue has this resource type"]}},
        ),
    ],
    ids=["unknown role", "expired", "unknown resource type"],
)
def test_an_invalid_grant_is_refused_in_every_request(
    account: Account, grace: SubUser, change: dict[str, Any], errors: dict[str, Any]
) -> None:
    """In a list the problem has its index. All or nothing: no other grant is given, and nobody is created."""
    invalid = {**ON_RECEPTION, **change}
    before, log = grace.grants(), account.audit_log_rows()
    assert require_problem(post(grace, invalid), 422, "invalid-input", *errors)["errors"] == errors
    new = {"email": "ada@company.example", "name": "Ada", "surname": "Lovelace", "grants": [VIEWING, invalid]}
    for response in (put(grace, VIEWING, invalid), account.portal.post(f"{account.path}/sub-users", json=new)):
        problem = require_problem(response, 422, "invalid-input", "grants")
        assert problem["errors"] == {"grants": {"1": errors}}
    assert grace.grants() == before
    assert account.audit_log_rows() == log


def test_a_role_of_another_account_cannot_be_granted(clients: ApiClients, grace: SubUser) -> None:
    role_id = clients.register_account().create_role("tools")
    require_problem(post(grace, {"role_id": role_id}), 422, "invalid-input", "role_id")


def test_a_grant_of_another_sub_user_is_not_found(grace: SubUser) -> None:
    """Nor is one that has been revoked."""
    other = grace.account.create_sub_user()
    (grant,) = other.grants()
    for grant_id in (grant["grant_id"], str(uuid4())):
        require_problem(grace.account.portal.delete(f"{grace.path}/grants/{grant_id}"), 404, "grant-not-found")
    path = f"{other.path}/grants/{grant['grant_id']}"
    assert other.account.portal.delete(path).status_code == 204
    require_problem(other.account.portal.delete(path), 404, "grant-not-found")


def test_grants_that_stay_the_same_keep_their_ids(grace: SubUser) -> None:
    """Another label makes another grant, and a grant that is named twice is given once."""
    reception, viewing = put(grace, ON_RECEPTION, VIEWING).json["items"]  # type: ignore[index]
    renamed = {**VIEWING, "resource": {**RECEPTION, "label": "Front desk"}}
    response = put(grace, renamed, VIEWING, VIEWING)
    kept, new = response.json["items"]  # type: ignore[index]
    assert (kept, new["resource"]["label"]) == (viewing, "Front desk")
    assert new["grant_id"] != reception["grant_id"]
    repeated = put(grace, VIEWING, renamed)
    assert repeated.json == response.json
    assert "Event-Position" not in repeated.headers


def test_replacing_grants_records_what_is_revoked_and_what_is_given(grace: SubUser) -> None:
    before = len(actions(grace.account))
    put(grace, ON_RECEPTION, VIEWING, reason="New team")
    assert actions(grace.account)[before:] == [REVOKED, GRANTED, GRANTED]
    assert [row["reason"] for row in grace.account.audit_log_rows()[:3]] == ["New team"] * 3
    put(grace)
    assert actions(grace.account)[before + 3 :] == [REVOKED, REVOKED]
    assert grace.grants() == []


def test_expired_grants_may_be_put_back_and_allow_nothing(own_clients: ApiClients, clock: TravelingClock) -> None:
    """A portal reads all grants, adds one, and puts them back. An expiry in the past is only refused in a new grant."""
    grace = own_clients.register_account().create_sub_user()
    expires_at = (clock() + timedelta(hours=1)).isoformat()
    (expired,) = grace.set_grants({**VIEWING, "expires_at": expires_at})
    clock.advance(hours=2)
    listed = {name: expired[name] for name in ("role_id", "resource", "expires_at")}
    assert ids(grace.set_grants(listed, ON_RECEPTION))[0] == expired["grant_id"]
    require_problem(put(grace, listed, {**ON_RECEPTION, "expires_at": expires_at}), 422, "invalid-input", "grants")


def test_a_sub_user_has_up_to_1000_grants(own_clients: ApiClients, clock: TravelingClock) -> None:
    """One more is refused, unless grants have expired: those are revoked first."""
    grace = own_clients.register_account().create_sub_user()
    clock.freeze()
    grants = [{**VIEWING, "resource": {"type": "assistant", "id": f"a-{number}"}} for number in range(MAX_GRANTS)]
    grants[0]["expires_at"] = (clock() + timedelta(hours=1)).isoformat()
    grace.set_grants(*grants)
    require_problem(put(grace, *grants, VIEWING), 422, "invalid-input", "grants")
    require_problem(post(grace, VIEWING), 409, "grant-limit-reached")
    clock.advance(hours=1)
    assert post(grace, VIEWING).status_code == 201
    assert len(grace.grants()) == MAX_GRANTS
    require_problem(post(grace, VIEWING), 409, "grant-limit-reached")


def test_a_repeated_request_gives_one_grant(grace: SubUser) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    first, repeated = (post(grace, ON_RECEPTION, **key) for _ in range(2))
    assert first.status_code == 201
    assert repeated.data == first.data
    assert len(grace.grants()) == 2
    require_problem(post(grace, VIEWING, **key), 422, "invalid-input", "Idempotency-Key")


def test_grants_end_with_the_sub_user(grace: SubUser) -> None:
    grace.account.portal.delete(grace.path)
    for response in (grace.account.portal.get(f"{grace.path}/grants"), post(grace, VIEWING), put(grace)):
        require_problem(response, 404, "sub-user-not-found")


def test_a_sub_user_is_created_with_exactly_the_named_grants(account: Account) -> None:
    """The history has the creation, the revocation of the default grant, and the named ones, of one moment."""
    sub_user = account.create_sub_user(grants=[ON_RECEPTION, VIEWING])
    assert [(grant["role_id"], grant["resource"]) for grant in sub_user.grants()] == [
        (str(VIEWER), RECEPTION),
        (str(VIEWER), None),
    ]
    assert actions(account)[-4:] == [CREATED, REVOKED, GRANTED, GRANTED]
    assert len({row["occurred_at"] for row in account.audit_log_rows()[:4]}) == 1
    assert int(sub_user.response.headers["Event-Position"]) == account.audit_log_rows()[0]["position"]


def test_no_grants_allow_nothing(account: Account) -> None:
    sub_user = account.create_with_own_password(grants=[])
    assert sub_user.grants() == []
    assert sub_user.log_in().json["permissions"] == []  # type: ignore[index]


def test_the_default_grant_may_be_named(account: Account) -> None:
    """Then it is kept, and nothing is recorded but the creation."""
    sub_user = account.create_sub_user(grants=[ON_EVERYTHING])
    assert ids(sub_user.grants()) == [sub_user.sub_user_id]
    assert actions(account)[-1] == CREATED


def test_a_sub_user_without_named_grants_has_the_default_one(account: Account) -> None:
    for grants in ({}, {"grants": None}):
        sub_user = account.create_sub_user(**grants)
        assert ids(sub_user.grants()) == [sub_user.sub_user_id]


def test_a_repeated_creation_gives_the_grants_once(account: Account) -> None:
    body = {"email": "ada@company.example", "name": "Ada", "surname": "Lovelace", "grants": [ON_RECEPTION]}
    headers = {"Idempotency-Key": str(uuid4())}
    first, repeated = (account.portal.post(f"{account.path}/sub-users", json=body, headers=headers) for _ in range(2))
    assert first.status_code == 201
    assert repeated.data == first.data
    assert actions(account)[-3:] == [CREATED, REVOKED, GRANTED]
