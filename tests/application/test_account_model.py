"""Model-based test: two processes on one store answer every command like the model, including refusals."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from adapters.postgres.event_store.group_commit import MAX_BATCH
from application.commands.sub_users import SubUserChanges
from application.errors import InvalidValue, SessionEnded
from application.repository import SNAPSHOT_EVERY
from domain.refusals import LoginRefused, Refusal
from tests.application.account_model import GENERATED, ModelAccount, Refused
from tests.application.gaps import PRELOADED, pad
from tests.builders import PORTAL, SUPPORT, Company

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from api.bootstrap.service import Service
    from application.sign_in.new_session import NewSession
    from tests.application.account_model import ModelSession
    from tests.conftest import TravelingClock

EMAILS = [f"colleague-{number}@company.example" for number in range(12)]
PASSWORDS = ["first phrase for now", "another phrase for now", "seven wet umbrellas", "eight dry umbrellas"]
NAMES = ["Ada", "Grace", "Edith", "Barbara"]
FAILURES_WITHOUT_DELAY = 3
"""Wrong current passwords per sub-user after which only the correct one is tried: more of them cause a delay."""

processes = st.integers(0, 1)
choices = st.integers(0, 1_000_000)
expiries = st.sampled_from([None, -60, 0, 60, 3 * 24 * 3600, 30 * 24 * 3600])
"""Expiry offsets from the present, in seconds."""

PADDING = [1, SNAPSHOT_EVERY - 1, SNAPSHOT_EVERY, MAX_BATCH + 1, PRELOADED]

network_numbers = count(1 << 16)


class Accounts(RuleBasedStateMachine):
    """Each rule runs in one of two processes; `choices` select an existing sub-user or token."""

    def __init__(self, services: tuple[Service, Service], clock: TravelingClock) -> None:
        super().__init__()
        self._services = services
        self._clock = clock
        self._company = Company.register(services[0])
        self._model = ModelAccount()
        self._ids: list[UUID] = []
        self._emails: list[list[str]] = []
        self._tokens: list[str] = []
        self._wrong_passwords: dict[int, int] = {}

    @initialize(existing=st.sampled_from([0, 1, 9]))
    def begin(self, existing: int) -> None:
        for number in range(existing):
            self.create(number % 2, email=number, password=0, name="Grace", visible=True, expiry=None, upper_case=False)

    @rule(
        process=processes,
        email=choices,
        password=st.none() | choices,
        name=st.sampled_from(NAMES),
        visible=st.booleans(),
        expiry=expiries,
        upper_case=st.booleans(),
    )
    def create(
        self,
        process: int,
        *,
        email: int,
        password: int | None,
        name: str,
        visible: bool,
        expiry: int | None,
        upper_case: bool,
    ) -> None:
        address = EMAILS[email % len(EMAILS)]
        details: dict[str, Any] = {
            "email": address.upper() if upper_case else address,
            "name": name,
            "surname": "Hopper",
            "visible": visible,
            "access_expires_at": self._from_now(expiry),
            "password": None if password is None else PASSWORDS[password % len(PASSWORDS)],
        }
        number = len(self._ids)

        def create() -> dict[str, Any]:
            service = self._services[process]
            created = service.commands.sub_users.create(self._company.account_id, PORTAL, **details).value
            self._ids.append(created.sub_user_id)
            self._emails.append([created.email])
            return without_ids(created)

        self._compare(create, lambda: self._model.create(number, self._clock(), **details))
        self._copy_generated_password(number)

    @precondition(lambda self: self._ids)
    @rule(
        process=processes,
        sub_user_choice=choices,
        changes=st.fixed_dictionaries(
            {},
            optional={
                "email": st.sampled_from(EMAILS),
                "name": st.sampled_from(NAMES),
                "surname": st.sampled_from(NAMES),
                "visible": st.booleans(),
                "active": st.booleans(),
                "password": st.sampled_from(PASSWORDS),
                "access_expires_at": expiries,
            },
        ),
        revision=st.sampled_from([None, 0, 0, -1]),
    )
    def change(self, process: int, sub_user_choice: int, changes: dict[str, Any], revision: int | None) -> None:
        self._change(process, sub_user_choice % len(self._ids), changes, revision)

    @precondition(lambda self: self._ids)
    @rule(process=processes, sub_user_choice=choices, active=st.booleans())
    def toggle(self, process: int, sub_user_choice: int, *, active: bool) -> None:
        self._change(process, sub_user_choice % len(self._ids), {"active": active}, None)

    @precondition(lambda self: self._model.sub_users and not self._model.closed)
    @rule(process=processes, sub_user_choice=choices, count=st.sampled_from([SNAPSHOT_EVERY, PRELOADED + 1]))
    def activate_after_a_gap(self, process: int, sub_user_choice: int, count: int) -> None:
        """Deactivate a sub-user in one process and activate them in the other, with a long gap of events between."""
        number = list(self._model.sub_users)[sub_user_choice % len(self._model.sub_users)]
        self._sign_in(process, number, None)
        self._change(process, number, {"active": False}, None)
        pad(self._company, count - 2, self._services[1 - process])
        self._change(1 - process, number, {"active": True, "access_expires_at": None}, None)
        self._sign_in(process, number, None)
        self._change(process, number, {"active": False}, None)

    @precondition(lambda self: self._ids)
    @rule(process=processes, sub_user_choice=choices)
    def send_again(self, process: int, sub_user_choice: int) -> None:
        number = sub_user_choice % len(self._ids)
        self._compare(
            lambda: without_ids(
                self._services[process]
                .commands.sub_users.send_credentials_again(self._company.account_id, self._ids[number], PORTAL)
                .value
            ),
            lambda: self._model.send_again(number, self._clock()),
        )
        self._copy_generated_password(number)

    @precondition(lambda self: self._ids)
    @rule(process=processes, sub_user_choice=choices, revision=st.sampled_from([None, 0, -1]))
    def delete(self, process: int, sub_user_choice: int, revision: int | None) -> None:
        number = sub_user_choice % len(self._ids)
        expected_revision = self._revision(number, revision)
        self._compare(
            lambda: (
                self._services[process]
                .commands.sub_users.delete(
                    self._company.account_id, self._ids[number], PORTAL, if_revisions=revision_set(expected_revision)
                )
                .value
            ),
            lambda: self._model.delete(number, if_revision=expected_revision),
        )

    @precondition(lambda self: self._ids)
    @rule(process=processes, sub_user_choice=choices)
    def end_sessions(self, process: int, sub_user_choice: int) -> None:
        number = sub_user_choice % len(self._ids)
        sub_users = self._services[process].commands.sub_users
        self._compare(
            lambda: sub_users.end_sessions(self._company.account_id, self._ids[number], PORTAL).value,
            lambda: self._model.end_sessions(number),
        )

    @precondition(lambda self: self._ids)
    @rule(
        process=processes,
        sub_user_choice=choices,
        password=st.none() | st.sampled_from(PASSWORDS),
        email=st.sampled_from([-1, -1, 0]),
    )
    def sign_in(self, process: int, sub_user_choice: int, password: str | None, email: int) -> None:
        """Sign in with the newest or the first e-mail of a sub-user, which may belong to another one now."""
        number = sub_user_choice % len(self._ids)
        self._sign_in(process, number, password, self._emails[number][email])

    def _sign_in(self, process: int, number: int, password: str | None, email: str | None = None) -> None:
        """Sign in with the given password and e-mail, or with the correct ones."""
        email = email or self._emails[number][-1]
        if password is None:
            current_passwords = [
                sub_user.password for sub_user in self._model.sub_users.values() if sub_user.email == email
            ]
            password = current_passwords[0] if current_passwords else PASSWORDS[0]
        attempted_password = password
        new_sessions: list[NewSession] = []

        def sign_in() -> tuple[int, bool, datetime]:
            network = next(network_numbers)  # after a failure, only attempts from the same network are delayed
            context = replace(PORTAL, ip=f"{network >> 16 & 255}.{network >> 8 & 255}.{network & 255}.1")
            sessions = self._services[process].commands.sub_user_sessions
            new_sessions.append(sessions.log_in(self._company.email, email.upper(), attempted_password, context).value)
            return (
                self._ids.index(new_sessions[0].person_id),
                new_sessions[0].must_change_password,
                new_sessions[0].expires_at,
            )

        signed_in: list[ModelSession] = []

        def expected() -> tuple[int, bool, datetime]:
            number, session = self._model.sign_in(email, attempted_password, self._clock())
            signed_in.append(session)
            return number, session.restricted, session.expires_at

        self._compare(sign_in, expected)
        if new_sessions:
            self._store_session(new_sessions[0].token, signed_in[0])

    @precondition(lambda self: self._tokens)
    @rule(process=processes, token_choice=choices)
    def introspect(self, process: int, token_choice: int) -> None:
        token = self._tokens[token_choice % len(self._tokens)]

        def introspect() -> tuple[int, bool, datetime]:
            session = self._services[process].commands.sub_user_sessions.current(token)
            return self._ids.index(session.person_id), session.assurance.is_restricted, session.expires_at

        def expected() -> tuple[int, bool, datetime]:
            session = self._model.introspect(token, self._clock())
            return session.number, session.restricted, session.expires_at

        self._compare(introspect, expected)

    @precondition(lambda self: self._tokens)
    @rule(
        process=processes,
        token_choice=choices,
        current=st.none() | st.sampled_from(PASSWORDS),
        new=st.sampled_from(PASSWORDS),
    )
    def change_own_password(self, process: int, token_choice: int, current: str | None, new: str) -> None:
        """Change the password, giving the correct current password if `current` is None."""
        token = self._tokens[token_choice % len(self._tokens)]
        session = self._model.sessions.get(token)
        correct = self._model.sub_users[session.number].password if session is not None else PASSWORDS[0]
        number = session.number if session is not None else -1
        if current is None or self._wrong_passwords.get(number, 0) >= FAILURES_WITHOUT_DELAY:
            current = correct
        if current != correct:
            self._wrong_passwords[number] = self._wrong_passwords.get(number, 0) + 1
        attempted_password = current
        new_sessions: list[NewSession] = []
        expected: list[ModelSession] = []

        def change() -> tuple[bool, datetime]:
            sessions = self._services[process].commands.sub_user_sessions
            new_sessions.append(sessions.change_password(token, attempted_password, new, PORTAL).value)
            return new_sessions[0].must_change_password, new_sessions[0].expires_at

        def change_model() -> tuple[bool, datetime]:
            expected.append(self._model.change_own_password(token, attempted_password, new, self._clock()))
            return expected[0].restricted, expected[0].expires_at

        self._compare(change, change_model)
        if new_sessions:
            self._wrong_passwords.pop(number, None)
            self._store_session(new_sessions[0].token, expected[0])

    @precondition(lambda self: self._tokens)
    @rule(process=processes, token_choice=choices)
    def sign_out(self, process: int, token_choice: int) -> None:
        token = self._tokens[token_choice % len(self._tokens)]
        sessions = self._services[process].commands.sub_user_sessions
        self._compare(lambda: sessions.log_out(token, PORTAL).value, lambda: self._model.sign_out(token, self._clock()))

    @rule(process=processes, limit=st.integers(9, 13))
    def raise_limit(self, process: int, limit: int) -> None:
        def raise_limit() -> tuple[int, int]:
            accounts = self._services[process].commands.accounts
            details = accounts.raise_sub_user_limit(self._company.account_id, limit, SUPPORT).value
            return details.sub_user_limit, details.sub_user_count

        self._compare(raise_limit, lambda: self._model.raise_limit(limit))

    @rule(process=processes, chance=st.integers(0, 7))
    def close(self, process: int, chance: int) -> None:
        """Close the account in one of eight runs: little can be tested afterwards."""
        if chance == 0:
            self._services[process].commands.accounts.close(self._company.account_id, PORTAL)
            self._model.close()

    @rule(process=processes, count=st.sampled_from(PADDING))
    def record_unrelated_events(self, process: int, count: int) -> None:
        pad(self._company, count, self._services[process])

    @rule(by=st.sampled_from([1, 59, 61, 60 * 60, 12 * 60 * 60, 3 * 24 * 60 * 60, 7 * 24 * 60 * 60]))
    def advance_clock(self, by: int) -> None:
        self._clock.advance(seconds=by)

    def _change(self, process: int, number: int, changes: dict[str, Any], revision: int | None) -> None:
        changes = dict(changes)
        expected_revision = self._revision(number, revision)
        if "access_expires_at" in changes:
            changes["access_expires_at"] = self._from_now(changes["access_expires_at"])
        sub_user_changes = SubUserChanges(
            **changes, changes_expiry="access_expires_at" in changes, if_revisions=revision_set(expected_revision)
        )
        sub_users = self._services[process].commands.sub_users
        self._compare(
            lambda: without_ids(
                sub_users.change(self._company.account_id, self._ids[number], sub_user_changes, PORTAL).value
            ),
            lambda: self._model.change(number, self._clock(), if_revision=expected_revision, **changes),
        )
        self._copy_generated_password(number)
        if number in self._model.sub_users:
            self._emails[number].append(self._model.sub_users[number].email)

    def _compare(self, command: Callable[[], object], model: Callable[[], object]) -> None:
        assert outcome_of(command) == outcome_of(model)

    def _revision(self, number: int, difference: int | None) -> int | None:
        """Return the current revision plus the difference; deleted sub-users have revision 1."""
        if difference is None:
            return None
        sub_user = self._model.sub_users.get(number)
        return (sub_user.revision if sub_user is not None else 1) + difference

    def _from_now(self, seconds: int | None) -> datetime | None:
        return None if seconds is None else self._clock() + timedelta(seconds=seconds)

    def _store_session(self, token: str, session: ModelSession) -> None:
        self._tokens.append(token)
        self._model.sessions[token] = session

    def _copy_generated_password(self, number: int) -> None:
        """Copy a generated password from the vault into the model, as the mail would tell the sub-user."""
        sub_user = self._model.sub_users.get(number)
        if sub_user is not None and sub_user.password == GENERATED:
            entry = self._services[0].vault.entries([self._ids[number]])[self._ids[number]]
            assert entry.encrypted_password is not None
            sub_user.password = entry.key.decrypt("password", entry.encrypted_password)


def revision_set(revision: int | None) -> set[int] | None:
    return None if revision is None else {revision}


def without_ids(details: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(details).items() if name not in {"sub_user_id", "account_id"}}


def outcome_of(command: Callable[[], object]) -> object:
    """Return the result of a command, or the code of its refusal."""
    try:
        return command()
    except Refused as refused:
        return refused.code
    except LoginRefused as refused:
        return f"{refused.code}: {refused.why}"
    except Refusal as refused:
        return refused.code
    except InvalidValue as invalid:
        return f"invalid: {invalid.field}"
    except SessionEnded:
        return "session-ended"


@pytest.mark.parametrize(
    ("examples", "steps"), [(25, 30), pytest.param(1000, 80, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def test_two_processes_answer_like_the_model(
    build: Callable[[], Service], clock: TravelingClock, examples: int, steps: int
) -> None:
    clock.freeze()
    services = build(), build()

    class AccountsOfTwoProcesses(Accounts):
        def __init__(self) -> None:
            super().__init__(services, clock)

    run_state_machine_as_test(
        AccountsOfTwoProcesses,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
