"""A POST with an Idempotency-Key is carried out once, however often it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.api_keys import Scope
from tests.api.callers import TEMPORARY, Caller, require_problem
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.api.callers import Account, Doors
    from tests.conftest import TravelingClock

GRACE = {"email": "grace@company.example", "name": "Grace", "surname": "Hopper"}
TOLD = ("Content-Type", "Content-Length", "Location", "ETag", "Event-Position", "Cache-Control")


def fresh() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def creating(account: Account, headers: dict[str, str], **details: Any) -> TestResponse:
    return account.portal.post(f"{account.path}/sub-users", json={**GRACE, **details}, headers=headers)


def kept(doors: Doors, key: dict[str, str]) -> list[dict[str, Any]]:
    """Return what the database holds under a key."""
    with doors.service.database.get_connection() as connection:
        query = "SELECT * FROM kept_answers WHERE idempotency_key = %s"
        return list(connection.execute(query, [key["Idempotency-Key"]]).fetchall())


def events(doors: Doors) -> int:
    """Return how many were ever recorded."""
    with doors.service.database.get_connection() as connection:
        row = connection.execute("SELECT count(*) FROM stored_events").fetchone()
    return int(row["count"]) if row else 0


def require_same(first: TestResponse, again: TestResponse) -> None:
    assert again.data == first.data
    assert again.status_code == first.status_code
    assert {name: again.headers.get(name) for name in TOLD} == {name: first.headers.get(name) for name in TOLD}


def every_post(doors: Doors) -> list[Callable[[dict[str, str]], TestResponse]]:
    """Return a request to each route that takes a key."""
    account = doors.account()
    one = account.let_in_active()
    registration = {"email": f"{uuid4().hex}@company.example", "company_name": "Rivers"}
    activities = {"activities": [{"sub_user_id": one.sub_user_id, "action": "tool.used"}]}
    portal = doors.portal
    return [
        lambda headers: portal.post("/v1/accounts", json=registration, headers=headers),
        lambda headers: portal.post(f"{account.path}/sub-users", json=GRACE, headers=headers),
        lambda headers: portal.post(f"{one.path}/credentials-mail", headers=headers),
        lambda headers: portal.post(f"{account.path}/activities", json=activities, headers=headers),
    ]


@pytest.mark.parametrize("number", range(4), ids=["account", "sub-user", "mail", "activities"])
def test_the_same_request_gets_the_first_answer_again(doors: Doors, number: int) -> None:
    """Byte for byte, with the same status and headers, and nothing is recorded twice."""
    request, headers = every_post(doors)[number], fresh()
    first = request(headers)
    after = events(doors)

    for _ in range(2):
        require_same(first, request(headers))

    assert first.status_code in {201, 202}
    assert events(doors) == after
    assert len(kept(doors, headers)) == 1


@pytest.mark.parametrize("number", range(4), ids=["account", "sub-user", "mail", "activities"])
def test_the_same_request_twice_at_once_is_carried_out_once(doors: Doors, number: int) -> None:
    """Each gets the one answer, or is told with 409 that the other is still under way."""
    request, headers = every_post(doors)[number], fresh()
    before = events(doors)

    answers = at_once([lambda: request(headers)] * 4)

    first = request(headers)
    for one in answers:
        assert not isinstance(one, Exception), one
        if one.status_code == 409:
            require_problem(one, 409, "request-in-progress")
        else:
            require_same(first, one)
    assert len(kept(doors, headers)) == 1
    assert events(doors) == before + 1


def test_another_body_with_the_same_key_is_refused(account: Account) -> None:
    """422 naming the header, also for a body that means the same; the first answer stays good."""
    headers = fresh()
    first = creating(account, headers)
    for details in ({"name": "Ada"}, {"visible": True}, {"email": "ada@company.example"}):
        require_problem(creating(account, headers, **details), 422, "invalid-input", "Idempotency-Key")
    require_same(first, creating(account, headers))
    assert len(account.rows()) == 2


def test_two_bodies_with_the_same_key_at_once_are_one_request_and_one_refusal(account: Account) -> None:
    """One is carried out, and the other is refused."""
    headers = fresh()
    answers: list[Any] = at_once(
        [lambda: creating(account, headers, email=f"{uuid4().hex}@company.example") for _ in range(2)]
    )
    first, second = sorted(answers, key=lambda one: one.status_code)
    assert first.status_code == 201
    require_problem(second, 422, "invalid-input", "Idempotency-Key")
    assert len(account.rows()) == 2


def test_a_key_belongs_to_the_route_it_was_used_on(doors: Doors, account: Account) -> None:
    """On another route, or on the same of another account, it is refused."""
    one, headers = account.let_in_active(), fresh()
    assert creating(account, headers).status_code == 201
    other = doors.account()
    activities = {"activities": [{"sub_user_id": one.sub_user_id, "action": "tool.used"}]}
    for answer in (
        creating(other, headers),
        account.portal.post(f"{one.path}/credentials-mail", headers=headers),
        account.portal.post(f"{account.path}/activities", json=activities, headers=headers),
        account.portal.post("/v1/accounts", json={"email": "a@b.example", "company_name": "X"}, headers=headers),
    ):
        require_problem(answer, 422, "invalid-input", "Idempotency-Key")
    assert len(other.rows()) == 1


def test_a_key_belongs_to_the_api_key_it_was_used_with(doors: Doors, account: Account) -> None:
    """Another API key's requests are its own."""
    service = doors.service
    other = Caller.with_key(doors.app, service.api_keys.create(Scope.PORTAL, "another backend", service.clock()))
    headers = fresh()
    first = creating(account, headers)
    body = {**GRACE, "email": "ada@company.example"}
    second = other.post(f"{account.path}/sub-users", json=body, headers=headers)
    assert second.status_code == 201
    assert second.json["sub_user_id"] != first.json["sub_user_id"]  # type: ignore[index]
    assert len(kept(doors, headers)) == 2


def test_nothing_is_kept_of_a_refused_request(doors: Doors, account: Account) -> None:
    """Put right, it may be sent with the same key; refused again, it is decided anew."""
    headers = fresh()
    require_problem(creating(account, headers, password="short"), 422, "invalid-input", "password")
    require_problem(creating(account, headers, name=""), 422, "invalid-input", "name")
    one = account.let_in(email=GRACE["email"])
    require_problem(creating(account, headers), 409, "sub-user-email-taken")
    assert kept(doors, headers) == []
    account.portal.delete(one.path)
    assert creating(account, headers).status_code == 201
    assert len(kept(doors, headers)) == 1


def test_a_login_takes_no_key(doors: Doors, account: Account) -> None:
    """Each opens a session of its own, and nothing with a token is kept; the same for questions about sessions."""
    one, headers = account.let_in_active(), fresh()
    logins = [doors.portal.post("/v1/sessions", json=one.credentials, headers=headers) for _ in range(2)]
    tokens = [answer.json["token"] for answer in logins]  # type: ignore[index]
    assert len(set(tokens)) == 2
    for token in tokens:
        asked: Any = doors.portal.post("/v1/sessions/introspect", json={"token": token}, headers=headers)
        assert asked.json["active"] is True
    assert kept(doors, headers) == []


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "caf\u00e9", "tab\there", "\x7f"])
def test_a_key_is_visible_ascii(account: Account, key: str) -> None:
    """1 to 255 characters; anything else is refused, and named."""
    require_problem(creating(account, {"Idempotency-Key": key}), 422, "invalid-input", "Idempotency-Key")


def test_the_longest_key_is_allowed(doors: Doors, account: Account) -> None:
    """255 characters."""
    headers = {"Idempotency-Key": f"{uuid4().hex}{'~!' * 111}~"}
    require_same(creating(account, headers), creating(account, headers))
    assert len(kept(doors, headers)) == 1


def test_a_kept_answer_cannot_be_read_at_rest(doors: Doors, account: Account) -> None:
    """The row holds no e-mail, no name and no password, neither in the clear nor in an encoding of it."""
    headers = fresh()
    assert creating(account, headers, password=TEMPORARY).status_code == 201
    (row,) = kept(doors, headers)
    told = " ".join(str(bytes(value) if isinstance(value, memoryview) else value) for value in row.values()).lower()
    for secret in ("grace", "hopper", "company.example", "first phrase", account.email):
        assert secret not in told
        assert secret.encode().hex() not in told


def test_with_a_person_goes_the_answer_about_them(doors: Doors, account: Account) -> None:
    """After the deletion only that there was an answer is kept: a late retry does not bring the person back."""
    headers = fresh()
    first: Any = creating(account, headers)
    mail = fresh()
    path = f"{account.path}/sub-users/{first.json['sub_user_id']}"
    account.portal.patch(path, json={"active": True})
    account.portal.post(f"{path}/credentials-mail", headers=mail)

    account.portal.delete(path)

    for key in (headers, mail):
        (row,) = kept(doors, key)
        assert (row["sealed_body"], bytes(row["fingerprint"])) == ("", b"")
    again: Any = creating(account, headers)
    assert (again.status_code, again.json["type"]) == (409, "urn:subusers:problem:answer-erased")


def test_an_answer_is_kept_for_a_day(own_doors: Doors, clock: TravelingClock) -> None:
    """Within 24 hours it is given again; once cleared away after that, the key is as good as new."""
    account, headers = own_doors.account(), fresh()
    first = creating(account, headers)
    clock.advance(hours=23, minutes=59)
    own_doors.service.clear_away()
    require_same(first, creating(account, headers))
    clock.advance(minutes=2)
    own_doors.service.clear_away()
    assert kept(own_doors, headers) == []
    require_problem(creating(account, headers), 409, "sub-user-email-taken")


def test_an_answer_stays_what_it_was(account: Account) -> None:
    """What happened since does not show in it: it is the first answer, not a read."""
    headers = fresh()
    first: Any = creating(account, headers)
    account.portal.patch(f"{account.path}/sub-users/{first.json['sub_user_id']}", json={"name": "Ada"})
    require_same(first, creating(account, headers))
