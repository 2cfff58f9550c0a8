"""Once somebody is erased, nothing tells of them: no answer of any process, no table, no rebuilt view, no log line.

Every route that reads is asked, so that one to come, or a cache that one may get, is not forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api import bootstrap
from projections.rebuild import rebuild
from tests.api.callers import Account, Doors, SubUser
from tests.api.route_table import Route, routes
from tests.conftest import following
from tests.people import deliver_mails
from tests.test_secrets_at_rest import contents, shapes_of, where_is

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap import Service

pytestmark = pytest.mark.usefixtures("streams_end")

ADDRESS, BROWSER = "203.0.113.213", "Canary-Browser/9"
EMAIL, NAME, SURNAME = "canary.grace@company.example", "Canarygrâce", "Canaryhopper"
TARGET, DETAIL = "Canary target", "Canary détail"
PERSONAL = [EMAIL, NAME, SURNAME, ADDRESS, BROWSER, TARGET, DETAIL]
READING = [route for route in routes() if route.method == "GET" and route.audience is None and route.scopes]
FORMS = ("application/json", "text/csv", "application/x-ndjson")


def let_in(doors: Doors) -> SubUser:
    """Return somebody who has left traces of themselves wherever that can be done."""
    account = doors.account()
    details = {"email": EMAIL, "name": NAME, "surname": SURNAME}
    one = account.let_in_active(**details)
    elsewhere = doors.portal.sending(X_Client_IP=ADDRESS, X_Client_User_Agent=BROWSER)
    assert elsewhere.post("/v1/sessions", json=one.credentials).status_code == 201
    assert elsewhere.post("/v1/sessions", json={**one.credentials, "password": "canary guess"}).status_code == 401
    did = {"sub_user_id": one.sub_user_id, "action": "a.b", "target": TARGET, "details": {"was": DETAIL}}
    assert elsewhere.post(f"{account.path}/activities", json={"activities": [did]}).status_code == 201
    used = {"sub_user_id": one.sub_user_id, "conversation_minutes": 1, "llm_tokens": 1}
    assert elsewhere.post(f"{account.path}/usage", json=used).status_code == 201
    deliver_mails(doors.service)
    return one


def answers(doors: Doors, one: SubUser) -> Iterator[tuple[str, bytes]]:
    """Ask every route that reads of this person and their account, in every form, as whoever may."""
    ids = {"account_id": one.account.account_id, "sub_user_id": one.sub_user_id}
    asked = [(route, scope, form) for route in READING for scope in route.scopes or () for form in forms_of(route)]
    for route, scope, (accept, query) in asked:
        answer = doors.with_scope(scope).sending(Accept=accept).get(route.path(**ids), query_string=query)
        assert answer.status_code < 500, (str(route), answer.text)
        assert answer.status_code == 200 or not query, (str(route), answer.text)
        yield f"{route} {accept} {query}", answer.data


def forms_of(route: Route) -> list[tuple[str, dict[str, Any]]]:
    """Return the forms in which a route may answer, and what asks for as much as it gives."""
    if route.rule.endswith("/export"):
        return [("*/*", {"format": form}) for form in ("jsonl", "csv", "ocsf")]
    most = {"limit": 200} if route.rule.endswith(("audit-log", "sub-users", "events", "history")) else {}
    return [(accept, most) for accept in (FORMS if route.rule.endswith("/audit-log") else FORMS[:1])]


def tells(text: bytes, needle: str) -> bool:
    return any(shape in text.lower() for shape in shapes_of(needle))


def told_in(found: list[tuple[str, bytes]]) -> set[str]:
    return {needle for needle in PERSONAL for _, text in found if tells(text, needle)}


def test_nothing_tells_of_somebody_erased(
    service: Service, build: Callable[..., Service], database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Asked of one process once another has answered that they were deleted."""
    with following(service):
        doors, others = Doors.of(service), Doors.of(build())
        one = let_in(doors)
        found = list(answers(others, one))
        assert told_in(found) == set(PERSONAL), "or else nothing is proven by what follows"

        assert doors.portal.delete(one.path).status_code == 204

        assert [
            (where, needle) for where, text in answers(others, one) for needle in PERSONAL if tells(text, needle)
        ] == []
        assert '"llm_tokens":1' in others.portal.get(f"{one.account.path}/usage").text
        again = Account(doors.portal, one.account.account_id, one.account.email, one.answer).let_in(email=EMAIL)
        assert again.sub_user_id != one.sub_user_id
        assert doors.portal.delete(again.path).status_code == 204
    with bootstrap.connect(database_url, "rebuild") as connection:
        for view in (view for view in service.views if view.tables):
            rebuild(view, connection, lambda _, __: None)
    service.clear_away_mails()

    held = contents(database_url)
    assert {table for needle in PERSONAL for table in where_is(held, needle)} == set()
    files = [(file.name, file.read_bytes()) for file in service.settings.data_dir.rglob("*") if file.is_file()]
    written = capfd.readouterr()
    assert told_in([*files, ("log", (written.out + written.err).encode())]) == set()
