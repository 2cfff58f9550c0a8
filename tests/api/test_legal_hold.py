"""Legal hold of a deleted sub-user: routes that show their personal data show all of it, and the others none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.postgres.maintenance import migrations
from api.bootstrap.testing.followers import running_followers
from application.commands.resources import ERASED
from tests.api.clients import ApiClients
from tests.api.test_erasure import PERSONAL_DATA, create_sub_user_with_traces, personal_data_in, read_all_routes
from tests.builders import Company
from tests.postgres import connect, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service

pytestmark = pytest.mark.usefixtures("finite_event_streams")

MIGRATIONS = Path(migrations.__path__[0])
ROUTES_WITH_PERSONAL_DATA = ("/audit-log", "/history", "/export", "/personal-data")
"""Routes that show the data of held sub-users, according to the documentation."""


@pytest.fixture
def service_with_hold(build: Callable[..., Service], settings: Settings) -> Iterator[Service]:
    """Return a running service that keeps the data of deleted sub-users for 30 days."""
    service = build(replace(settings, erasure_delay=timedelta(days=30)))
    with running_followers(service):
        yield service


def test_every_route_shows_all_held_data_or_none(service_with_hold: Service) -> None:
    """This includes names, in the sub-user's own actions and in later events about them."""
    clients = ApiClients.of(service_with_hold)
    sub_user = create_sub_user_with_traces(clients)
    assert clients.portal.patch(sub_user.path, json={"visible": False}).status_code == 200
    assert clients.portal.delete(sub_user.path).status_code == 204
    history = clients.auditor.get(
        f"{sub_user.account.path}/history", query_string={"sub_user_id": sub_user.sub_user_id}
    )
    assert history.status_code == 200

    routes_with_data = 0
    for place, text in read_all_routes(clients, sub_user):
        personal_data = personal_data_in([(place, text)])
        if any(part in place for part in ROUTES_WITH_PERSONAL_DATA):
            assert personal_data == set(PERSONAL_DATA), (place, set(PERSONAL_DATA) - personal_data)
            routes_with_data += 1
        else:
            assert not personal_data, place
        if personal_data:
            assert ERASED.encode() not in text, place
            assert b"deleted person" not in text.lower(), place
    assert routes_with_data >= len(ROUTES_WITH_PERSONAL_DATA)


def test_migration_adds_names_to_existing_holds(service_with_hold: Service, database_url: str) -> None:
    """The migration copies the newest name in the history, without decrypting it."""
    company = Company.register(service_with_hold)
    for surname in ("Hopper", "Lovelace"):
        sub_user = company.create_sub_user(name="Grace", surname="Murray")
        sub_user.change(surname=surname)
        sub_user.change(name="Ada")
        sub_user.delete()
    names = "SELECT person_id, sealed_name, sealed_surname FROM legal_holds ORDER BY person_id"
    before = fetch(database_url, names)
    assert len(before) == 2
    script = (MIGRATIONS / "0015_names_of_held_people.sql").read_text()
    fetch(database_url, "ALTER TABLE legal_holds DROP COLUMN sealed_name, DROP COLUMN sealed_surname")
    with connect(database_url) as connection:
        connection.execute(script)
    assert fetch(database_url, names) == before
