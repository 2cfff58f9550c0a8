"""Rebuild of both views from a long history, compared with the library's ProjectionRunner on an equivalent view.

The history has a thousand accounts with ten sub-users each, whose names can be decrypted with the keys in the vault.
The library processes events one by one, each with its position in a transaction of its own. It is observed for some
seconds, on copies of the same tables with the same indexes, after the position at which all sub-users exist.
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

from adapters.postgres.event_store.mapper import EventMapper
from adapters.postgres.sql_files import statements
from api.bootstrap import composition_root, connections
from benchmarks.history import BEGINNING, COLUMNS, HistoryGenerator
from benchmarks.lines import SHORT, Line, median_of
from benchmarks.servers import temporary_database
from domain import events
from projections.audit_log.rows import index_entry_of
from projections.runtime.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eventsourcing.persistence import Mapper, Tracking

    from api.bootstrap.service import Service
    from application.ports.vault import PersonKey, Vault
    from benchmarks.lines import Scale

VIEWS = ("sub-users", "audit-log")
BAR = 15

LIBRARY_SQL = statements("benchmarks", "rebuild")


def measure(scale: Scale) -> list[Line]:
    """Rebuild both views and observe the library, alternating."""
    with temporary_database() as settings:
        service, url = composition_root.build(settings), settings.owner_url
        setup_position = write_decryptable_history(service, url, scale.rebuilt_events)
        runs = []
        for _ in range(scale.runs):
            ours = scale.rebuilt_events / rebuild_both(service, url)
            peer = library_rate(service, url, setup_position, scale.seconds)
            label = f"rebuild of both views from {scale.rebuilt_events:,} events"
            limit_label = "the library's ProjectionRunner with an equivalent view"
            runs.append(Line(label, ours, "events/s", limit_label, peer, BAR))
        service.close()
    return [median_of(runs)]


def rebuild_both(service: Service, url: str) -> float:
    """Return the seconds that rebuilding both views takes."""
    started_at = time.perf_counter()
    for view in service.workers.views:
        if view.name in VIEWS:
            with connections.connect(url, "rebuild") as connection:
                rebuild(view, connection, lambda _, __: None)
    return time.perf_counter() - started_at


def write_decryptable_history(service: Service, url: str, events: int) -> int:
    """Write the history, and return the position at which all accounts and sub-users exist."""
    generator = HistoryGenerator()
    keys: dict[str, PersonKey] = {}
    writes = []
    for account_id, sub_users in generator.sub_users.items():
        for person_id in (str(account_id), *sub_users):
            keys[person_id], key_write = service.vault.new_data_key(UUID(person_id), account_id)
            writes.append(key_write)
    service.main_accounts.recorder.insert_events([], writes=writes)
    setup_events = list(_setup_events(generator, keys))
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor() as cursor, cursor.copy(f"COPY stored_events ({COLUMNS}) FROM STDIN") as copy:
            for row in setup_events:
                copy.write_row(row)
            for stream_id, version, topic, state in generator.rows(events - len(setup_events)):
                stream_version = (
                    version if topic == "SubUserActivityRecorded" else version + 1 + len(generator.sub_users[stream_id])
                )
                copy.write_row((stream_id, stream_version, topic, _with_decryptable_names(topic, state, keys)))
        connection.execute("VACUUM ANALYZE stored_events")
    return len(setup_events)


def _setup_events(generator: HistoryGenerator, keys: Mapping[str, PersonKey]) -> Iterator[tuple[UUID, int, str, bytes]]:
    origin = {"timestamp": BEGINNING.isoformat(), "actor_type": "main_account"}
    for account_id, sub_users in generator.sub_users.items():
        key = keys[str(account_id)]
        encrypted = {field: key.encrypt(field, "Winds & Waves") for field in ("email", "company_name")}
        state: dict[str, Any] = {**origin, **encrypted, "email_hash": "", "language": "en", "sub_user_limit": 10}
        yield account_id, 1, "MainAccountRegistered", json.dumps(state).encode()
        for number, sub_user_id in enumerate(sub_users):
            encrypted = {field: keys[sub_user_id].encrypt(field, "Grace") for field in ("email", "name", "surname")}
            state = {**origin, **encrypted, "sub_user_id": sub_user_id, "email_hash": "", "visible": True}
            yield account_id, number + 2, "SubUserCreated", json.dumps(state).encode()


def _with_decryptable_names(topic: str, state: bytes, keys: Mapping[str, PersonKey]) -> bytes:
    """Return the state of an event, with the names that the list shows encrypted under the vault's keys."""
    if topic != "SubUserDetailsChanged":
        return state
    fields = json.loads(state)
    key = keys[fields["sub_user_id"]]
    return json.dumps(
        {**fields, "name": key.encrypt("name", "Ada"), "surname": key.encrypt("surname", "Lovelace")}
    ).encode()


class Store(Application[UUID]):
    """Read access to the store through the library, with the project's mapper."""

    name = "stored"

    def construct_mapper(self) -> Mapper[UUID]:
        """Return the project's mapper."""
        return EventMapper()


class EquivalentView(PostgresTrackingRecorder):
    """Both views, updated one event at a time."""

    vault: ClassVar[Vault]

    def apply(self, event: Any, tracking: Tracking) -> None:
        """Write the changes of an event, and its position."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            for statement, parameters in self._changes(event, tracking.notification_id):
                cursor.execute(LIBRARY_SQL[statement], parameters, prepare=True)

    def _changes(self, event: Any, position: int) -> Iterator[tuple[str, dict[str, Any]]]:
        index_entry = index_entry_of(event)
        if index_entry.account_id is None:
            return
        reporter = {"actor_type": "sub_user", "actor_id": index_entry.sub_user_id}
        actor = {name: getattr(event, name, default) for name, default in reporter.items()}
        yield "add_row", {"position": position, **vars(index_entry), **actor}
        if isinstance(event, events.SubUserLoggedIn | events.SubUserActivityRecorded):
            minute = index_entry.occurred_at.replace(second=0, microsecond=0)
            counts = {**vars(index_entry), "logins": int(isinstance(event, events.SubUserLoggedIn))}
            counts["activities"] = 1 - counts["logins"]
            yield (
                "add_to_quarter",
                {**counts, "quarter": minute.replace(minute=minute.minute - minute.minute % 15)},
            )
            yield "add_to_day", {**counts, "day": minute.replace(hour=0, minute=0)}
        if isinstance(event, events.Event):
            yield "set_version", {"account_id": event.account_id, "version": event.originator_version}
            yield from self._changes_of_sub_user(event)

    def _changes_of_sub_user(self, event: events.Event) -> Iterator[tuple[str, dict[str, Any]]]:
        ids = {"sub_user_id": event.subject_id}
        match event:
            case events.SubUserLoggedIn():
                yield "log_in", {**ids, "at": event.timestamp}
            case events.SubUserVisibilityChanged():
                yield "set_visible", {**ids, "visible": event.visible}
            case events.SubUserDetailsChanged():
                data_key = self.vault.entries([event.sub_user_id])[event.sub_user_id].key
                names = {field: data_key.decrypt(field, getattr(event, field)) for field in ("name", "surname")}
                yield "change_names", {**ids, **names}


class Everything(Projection[EquivalentView]):
    """Projection that the library calls for each event."""

    name = "everything"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Apply the event to the view."""
        self.view.apply(domain_event, tracking)


def library_rate(service: Service, url: str, setup_position: int, seconds: float) -> float:
    """Return the events per second that the library processes."""
    EquivalentView.vault = service.vault
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LIBRARY_SQL["tables"])
        PostgresFactory(Environment("everything", _library_environment(url))).tracking_recorder(EquivalentView)
        connection.execute(LIBRARY_SQL["begin_after"], {"position": setup_position})
        with ProjectionRunner(
            application_class=Store,
            projection_class=Everything,
            view_class=EquivalentView,
            env=_library_environment(url),
        ):
            _wait_for_progress(connection, setup_position)
            position, started_at = _position(connection), time.perf_counter()
            time.sleep(seconds)
            return (_position(connection) - position) / (time.perf_counter() - started_at)


def _wait_for_progress(connection: psycopg.Connection[Any], position: int) -> None:
    while _position(connection) == position:
        time.sleep(0.01)


def _position(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(LIBRARY_SQL["position"]).fetchone()
    return int(row[0]) if row is not None else 0


def _library_environment(url: str) -> dict[str, str]:
    conninfo = {name.upper(): str(value) for name, value in conninfo_to_dict(url).items()}
    parameters = {name: conninfo[name] for name in ("DBNAME", "HOST", "PORT", "USER", "PASSWORD")}
    return {"PERSISTENCE_MODULE": "eventsourcing.postgres"} | {
        f"POSTGRES_{name}": value for name, value in parameters.items()
    }


if __name__ == "__main__":
    print(measure(SHORT))
