"""Both views made anew from a long history, beside the library's ProjectionRunner keeping up an equivalent view.

The history is of a thousand accounts with ten sub-users each, whose names open with the keys in the vault. The library
takes events one by one, each with its position in a transaction of its own: it is watched for some seconds, on copies
of the same tables with the same indexes, where everybody has been created already.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import psycopg
from eventsourcing.application import Application
from eventsourcing.postgres import PostgresFactory, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import Environment
from psycopg.conninfo import conninfo_to_dict

from adapters.event_mapper import EventMapper
from api import bootstrap
from benchmarks.history import BEGINNING, COLUMNS, Historian
from benchmarks.lines import SHORT, Line, median_of
from benchmarks.long_history import ready_settings
from domain import events
from projections.audit_rows import place_of
from projections.rebuild import rebuild
from projections.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eventsourcing.persistence import Mapper, Tracking

    from api.bootstrap import Service
    from application.ports import PersonKey, Vault
    from benchmarks.lines import Scale

VIEWS = ("sub-users", "audit-log")
BAR = 15

PEER = statements("benchmarks", "rebuild")


def measure(scale: Scale) -> list[Line]:
    """Rebuild both views, and watch the library, in turn."""
    with ready_settings() as settings:
        service, url = bootstrap.build(settings), settings.owner_url
        beginning = write(service, url, scale.rebuilt_events)
        runs = []
        for _ in range(scale.runs):
            ours = scale.rebuilt_events / rebuild_both(service, url)
            peer = rate_of_the_library(service, url, beginning, scale.seconds)
            what = f"rebuild of both views from {scale.rebuilt_events:,} events"
            against = "the library's ProjectionRunner with an equivalent view"
            runs.append(Line(what, ours, "events/s", against, peer, BAR))
        service.close()
    return [median_of(runs)]


def rebuild_both(service: Service, url: str) -> float:
    """Return how many seconds it takes."""
    began = time.perf_counter()
    for view in service.views:
        if view.name in VIEWS:
            with bootstrap.connect(url, "rebuild") as connection:
                rebuild(view, connection, lambda _, __: None)
    return time.perf_counter() - began


def write(service: Service, url: str, events: int) -> int:
    """Write the history, and return the position up to which accounts and sub-users are set up."""
    historian = Historian()
    keys: dict[str, PersonKey] = {}
    records = []
    for account_id, sub_users in historian.sub_users.items():
        for person in (str(account_id), *sub_users):
            keys[person], record = service.vault.new_person(UUID(person), account_id)
            records.append(record)
    service.main_accounts.recorder.insert_events([], records=records)
    beginning = list(_beginning(historian, keys))
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor() as cursor, cursor.copy(f"COPY stored_events ({COLUMNS}) FROM STDIN") as copy:
            for row in beginning:
                copy.write_row(row)
            for stream_id, version, topic, state in historian.rows(events - len(beginning)):
                at = (
                    version if topic == "SubUserActivityRecorded" else version + 1 + len(historian.sub_users[stream_id])
                )
                copy.write_row((stream_id, at, topic, _opening(topic, state, keys)))
        connection.execute("VACUUM ANALYZE stored_events")
    return len(beginning)


def _beginning(historian: Historian, keys: Mapping[str, PersonKey]) -> Iterator[tuple[UUID, int, str, bytes]]:
    origin = {"timestamp": BEGINNING.isoformat(), "actor_type": "main_account"}
    for account_id, sub_users in historian.sub_users.items():
        key = keys[str(account_id)]
        own = {field: key.seal(field, "Winds & Waves") for field in ("email", "company_name")}
        told: dict[str, Any] = {**origin, **own, "email_hash": "", "language": "en", "sub_user_limit": 10}
        yield account_id, 1, "MainAccountRegistered", json.dumps(told).encode()
        for number, sub_user_id in enumerate(sub_users):
            own = {field: keys[sub_user_id].seal(field, "Grace") for field in ("email", "name", "surname")}
            told = {**origin, **own, "sub_user_id": sub_user_id, "email_hash": "", "visible": True}
            yield account_id, number + 2, "SubUserCreated", json.dumps(told).encode()


def _opening(topic: str, state: bytes, keys: Mapping[str, PersonKey]) -> bytes:
    """Return the state of an event with what the list shows sealed so that it opens."""
    if topic != "SubUserDetailsChanged":
        return state
    told = json.loads(state)
    key = keys[told["sub_user_id"]]
    return json.dumps({**told, "name": key.seal("name", "Ada"), "surname": key.seal("surname", "Lovelace")}).encode()


class Store(Application[UUID]):
    """The store as the library reads it, with the project's payloads."""

    name = "stored"

    def construct_mapper(self) -> Mapper[UUID]:
        """Return the project's mapper."""
        return EventMapper()


class EquivalentView(PostgresTrackingRecorder):
    """Both views, an event at a time."""

    vault: ClassVar[Vault]

    def take_over(self, event: Any, tracking: Tracking) -> None:
        """Write what an event changes, and its position."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            for statement, parameters in self._changes(event, tracking.notification_id):
                cursor.execute(PEER[statement], parameters, prepare=True)

    def _changes(self, event: Any, position: int) -> Iterator[tuple[str, dict[str, Any]]]:
        place = place_of(event)
        if place.account_id is None:
            return
        yield "add_row", {"position": position, **vars(place)}
        if isinstance(event, events.SubUserLoggedIn | events.SubUserActivityRecorded):
            moment = place.occurred_at.replace(second=0, microsecond=0)
            counted = {**vars(place), "logins": int(isinstance(event, events.SubUserLoggedIn))}
            counted["activities"] = 1 - counted["logins"]
            yield (
                "add_to_quarter",
                {**counted, "quarter": moment.replace(minute=moment.minute - moment.minute % 15)},
            )
            yield "add_to_day", {**counted, "day": moment.replace(hour=0, minute=0)}
        if isinstance(event, events.Event):
            yield "set_version", {"account_id": event.account_id, "version": event.originator_version}
            yield from self._changes_of_sub_user(event)

    def _changes_of_sub_user(self, event: events.Event) -> Iterator[tuple[str, dict[str, Any]]]:
        one = {"sub_user_id": event.subject_id}
        match event:
            case events.SubUserLoggedIn():
                yield "log_in", {**one, "at": event.timestamp}
            case events.SubUserVisibilityChanged():
                yield "set_visible", {**one, "visible": event.visible}
            case events.SubUserDetailsChanged():
                key = self.vault.entries([event.sub_user_id])[event.sub_user_id].key
                opened = {field: key.open(field, getattr(event, field)) for field in ("name", "surname")}
                yield "change_names", {**one, **opened}


class Everything(Projection[EquivalentView]):
    """What the library calls for each event."""

    name = "everything"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Hand it on."""
        self.view.take_over(domain_event, tracking)


def rate_of_the_library(service: Service, url: str, beginning: int, seconds: float) -> float:
    """Return how many events a second it takes over."""
    EquivalentView.vault = service.vault
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PEER["tables"])
        PostgresFactory(Environment("everything", _as_the_library_has_it(url))).tracking_recorder(EquivalentView)
        connection.execute(PEER["begin_after"], {"position": beginning})
        with ProjectionRunner(
            application_class=Store,
            projection_class=Everything,
            view_class=EquivalentView,
            env=_as_the_library_has_it(url),
        ):
            _wait_for_more(connection, beginning)
            before, began = _position(connection), time.perf_counter()
            time.sleep(seconds)
            return (_position(connection) - before) / (time.perf_counter() - began)


def _wait_for_more(connection: psycopg.Connection[Any], position: int) -> None:
    while _position(connection) == position:
        time.sleep(0.01)


def _position(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(PEER["position"]).fetchone()
    return int(row[0]) if row is not None else 0


def _as_the_library_has_it(url: str) -> dict[str, str]:
    told = {name.upper(): str(value) for name, value in conninfo_to_dict(url).items()}
    names = {name: told[name] for name in ("DBNAME", "HOST", "PORT", "USER", "PASSWORD")}
    return {"PERSISTENCE_MODULE": "eventsourcing.postgres"} | {f"POSTGRES_{name}": told for name, told in names.items()}


if __name__ == "__main__":
    print(measure(SHORT))  # a program's output
