"""Access now and in the past on random histories in a database: the service's answers, and those of a plain model."""

from __future__ import annotations

import json
from dataclasses import asdict
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from domain.access_decision import Question
from domain.event_metadata import ActorType
from domain.events import PermissionCatalogueSet
from domain.permission_catalogue import CATALOGUE_ID, PermissionCatalogue
from projections.history.past_access import apply_to_grants
from tests.access.aggregates import AggregateExecutor, resource_of
from tests.access.commands import NAMES, RESOURCES, CloseAccount, RandomCommands, Wait, random_catalogue
from tests.access.model import Model, time_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from api.bootstrap.service import Service
    from application.commands.access_control.checks import Holder

COMMANDS = 30
QUESTIONS = 12
SECONDS_OF_A_HISTORY = 3600

HISTORIES = [
    pytest.param(40, id="40 histories"),
    pytest.param(10_000, id="10,000 histories", marks=[pytest.mark.long, pytest.mark.timeout(7200)]),
]


@pytest.mark.parametrize("histories", HISTORIES)
def test_access_at_any_time_is_that_of_the_plain_model(service: Service, histories: int) -> None:
    """The catalogue changes in each history, also so that roles lose permissions."""
    revision, allowed = 0, 0
    for number in range(histories):
        random = Random(number)
        executor, past = record_history(service, random, number, revision)
        revision = executor.catalogue.revision
        require_rows_of_events(service, executor, past[-1])
        for _ in range(QUESTIONS):
            model = state_at(past, random)
            permission, resource = random.choice(NAMES), random.choice([None, *RESOURCES])
            question, at = Question(permission, resource_of(resource)), time_at(model.now)
            holders = service.queries.past_access.holders(executor.account.id, question, at)
            require_holders(executor, model, holders, permission, resource)
            allowed += len(holders)
            positions = service.queries.past_access.positions(executor.account.id, holders)
            assert set(positions) == {holder.grant.version for holder in holders}
    assert allowed > histories  # otherwise the histories say little


def record_history(
    service: Service, random: Random, number: int, revision: int
) -> tuple[AggregateExecutor, list[Model]]:
    """Record an account after random commands, and return the states of the model, oldest first.

    Each history has an hour of its own, because all share one catalogue.
    """
    model = Model(random_catalogue(random), now=number * SECONDS_OF_A_HISTORY)
    executor = AggregateExecutor(model, f" of history {number}", revision + 1)
    generator, past = RandomCommands(random, model), [model.copy()]
    for _ in range(COMMANDS):
        executor.run(generator.next())
        past.append(model.copy())
    if random.random() < 0.05:
        for command in (Wait(1), CloseAccount()):
            command.apply(model)
            executor.run(command)
            past.append(model.copy())
    changes = [catalogue_set(catalogue, at) for at, catalogue in executor.catalogue_changes]
    service.main_accounts.save_together(changes, [executor.account], [])
    return executor, past


def catalogue_set(catalogue: PermissionCatalogue, at: datetime) -> PermissionCatalogueSet:
    return PermissionCatalogueSet(
        originator_id=CATALOGUE_ID,
        originator_version=catalogue.revision,
        timestamp=at,
        permissions=" ".join(catalogue.by_name),
        definitions=json.dumps([asdict(permission) for permission in catalogue.permissions]),
        actor_type=ActorType.MAIN_ACCOUNT,
        actor_id=None,
        actor_api_key_id=None,
        request_id=None,
        ip=None,
        user_agent=None,
    )


def state_at(past: list[Model], random: Random) -> Model:
    """Return the state at a random time of the history, or at the time of a change or an expiry."""
    now = random.choice(past).now + random.choice([0, 0, 1])
    ends = [grant.ends for state in past for grant in state.grants.values() if grant.ends is not None]
    if ends and random.random() < 0.3:
        now = random.choice(ends)
    state = [state for state in past if state.now <= now][-1].copy()
    state.now = now
    return state


def require_holders(
    executor: AggregateExecutor,
    model: Model,
    holders: Iterable[Holder],
    permission: str,
    resource: tuple[str, str] | None,
) -> None:
    """Require exactly the people whom the model allows it, each by a grant that they have."""
    expected = {person for person in model.people if model.is_allowed(person, permission, resource)}
    assert {holder.sub_user_id for holder in holders} == set(map(executor.id_of, expected)), model
    grant_ids = {executor.id_of(name) for name in model.grants}
    assert all(holder.grant.grant_id in grant_ids for holder in holders)


def require_rows_of_events(service: Service, executor: AggregateExecutor, model: Model) -> None:
    """Require that the rows of roles and grants are those of the stored events, and those of the model."""
    account_id = executor.account.id
    grants: dict[UUID, Any] = {}
    for event in service.main_accounts.events.get(account_id):
        apply_to_grants(grants, event)  # type: ignore[arg-type]  # the stream has only events of accounts
    assert set(grants) == {executor.id_of(name) for name in model.grants}
    assert rows_of_grants(service, account_id) == {
        (grant.grant_id, grant.sub_user_id, grant.role_id, *_columns(grant), grant.expires_at, grant.version)
        for grant in grants.values()
    }
    roles = {} if model.is_closed else {executor.id_of(role): permissions for role, permissions in model.roles.items()}
    assert rows_of_roles(service, account_id) == roles


def rows_of_grants(service: Service, account_id: UUID) -> set[tuple[Any, ...]]:
    query = """SELECT grant_id, sub_user_id, role_id, resource_type, resource_id, expires_at, version
               FROM role_grants WHERE account_id = %s"""
    with service.database.get_connection() as connection:
        return {tuple(row.values()) for row in connection.execute(query, [account_id])}


def rows_of_roles(service: Service, account_id: UUID) -> dict[UUID, frozenset[str]]:
    query = "SELECT role_id, permissions FROM account_roles WHERE account_id = %s"
    with service.database.get_connection() as connection:
        rows = connection.execute(query, [account_id]).fetchall()
    return {row["role_id"]: frozenset(row["permissions"]) for row in rows}


def _columns(grant: Any) -> tuple[str, str]:
    return (grant.resource.type, grant.resource.id) if grant.resource is not None else ("", "")
