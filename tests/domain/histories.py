"""Hypothesis strategies for random command sequences on one account, valid or not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import strategies as st

from domain.event_metadata import ActorType, Ciphertext, EventMetadata, Via
from domain.main_account import MainAccount
from domain.plan import Period, Plan, Usage
from domain.refusals import Refusal
from domain.roles import OPERATOR, VIEWER, Grant, Resource, Role
from domain.second_factor import SecondFactorKind, SecondFactorPolicy, VerificationMethod
from domain.sub_user import NewEmail, Notice, SubUserEdit
from tests.domain.event_builders import sub_user_fields
from tests.domain.given_when_then import BY_OWNER, NOW

if TYPE_CHECKING:
    from collections.abc import Callable

SUB_USER_IDS = [UUID(int=1), UUID(int=2)]
MINUTE = timedelta(minutes=1)
sub_user_ids = st.sampled_from(SUB_USER_IDS)
ciphertexts = st.sampled_from([Ciphertext("one"), Ciphertext("another")])
times = st.integers(0, 60).map(lambda minutes: NOW + minutes * MINUTE)
notices = st.sampled_from([notice for notice in Notice if notice is not Notice.NONE])
metadata_choices = st.sampled_from(
    [BY_OWNER, EventMetadata(ActorType.SYSTEM, "mailer"), EventMetadata(ActorType.ANONYMOUS, ip=Ciphertext("an ip"))]
)


@dataclass(frozen=True)
class Command:
    """A command, identified by name so that Hypothesis can print a failing history."""

    name: str
    arguments: dict[str, Any]
    metadata: EventMetadata

    def run(self, account: MainAccount, minute: int) -> None:
        getattr(account, self.name)(**self.arguments, at=NOW + minute * MINUTE, metadata=self.metadata)


def command(method: Callable[..., object], /, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Command]:
    return st.builds(Command, st.just(method.__name__), st.fixed_dictionaries(arguments), metadata_choices)


new_emails = st.sampled_from([NewEmail(Ciphertext(email), f"hash of {email}") for email in ("one", "another")])
edits = st.builds(
    SubUserEdit,
    email=st.none() | new_emails,
    name=st.none() | ciphertexts,
    surname=st.none() | ciphertexts,
    visible=st.none() | st.booleans(),
    active=st.none() | st.booleans(),
    changes_expiry=st.booleans(),
    access_expires_at=st.none() | times,
    new_password=st.booleans(),
)
plans = st.builds(
    Plan,
    included_minutes=st.integers(0, 3),
    included_tokens=st.integers(0, 3),
    period_start=st.sampled_from([date(2026, 1, 31), date(2026, 3, 1)]),
)
periods = st.sampled_from([Period(date(2026, month, 1), date(2026, month + 1, 1)) for month in (1, 3, 6)])
usages = st.builds(Usage, conversation_ms=st.integers(0, 200_000), llm_tokens=st.integers(0, 4))
creations = st.builds(
    lambda sub_user_id, visible, expiry, metadata: Command(
        "create_sub_user", {**sub_user_fields(sub_user_id), "visible": visible, "access_expires_at": expiry}, metadata
    ),
    sub_user_ids,
    st.booleans(),
    st.none() | times,
    metadata_choices,
)
activations = command(MainAccount.edit_sub_user, sub_user_id=sub_user_ids, edit=st.just(SubUserEdit(active=True)))
role_ids = st.sampled_from([UUID(int=7), UUID(int=8)])
permission_sets = st.frozensets(st.sampled_from(["assistants", "tools", "reports"]))
roles = st.builds(Role, role_ids, ciphertexts, ciphertexts, permission_sets)
grants = st.builds(
    Grant,
    grant_id=st.uuids(),
    sub_user_id=sub_user_ids,
    role_id=role_ids | st.sampled_from([OPERATOR, VIEWER]),
    resource=st.none() | st.just(Resource("assistant", "a-1")),
    expires_at=st.none() | times,
)
factor_ids = st.sampled_from([UUID(int=11), UUID(int=12), UUID(int=13)])
commands = st.one_of(
    creations,
    command(MainAccount.create_role, role=roles, has_unique_name=st.just(True)),
    command(
        MainAccount.change_role,
        role_id=role_ids,
        name=st.none() | ciphertexts,
        description=st.none() | ciphertexts,
        permissions=st.none() | permission_sets,
    ),
    command(MainAccount.withdraw_permissions, names=permission_sets),
    command(MainAccount.delete_role, role_id=role_ids),
    command(MainAccount.grant_role, grant=grants, resource_label=st.none() | ciphertexts),
    command(MainAccount.revoke_role, grant=grants),
    activations,
    command(MainAccount.edit_sub_user, sub_user_id=sub_user_ids, edit=edits),
    command(MainAccount.send_credentials_again, sub_user_id=sub_user_ids),
    command(MainAccount.log_in, sub_user_id=sub_user_ids, session_id=st.uuids()),
    command(MainAccount.change_own_password, sub_user_id=sub_user_ids, session_id=st.uuids()),
    command(MainAccount.log_out, sub_user_id=sub_user_ids, session_id=st.none() | st.uuids()),
    command(
        MainAccount.record_refused_login,
        sub_user_id=st.none() | sub_user_ids,
        why=st.just("wrong_password"),
        failures=st.sampled_from([1, 5, 6, 8, 99, 100, 128]),
    ),
    command(
        MainAccount.record_mail_outcome,
        sub_user_id=sub_user_ids,
        notice=notices,
        caused_by=st.integers(1, 30),
        reply=ciphertexts,
        accepted=st.booleans(),
    ),
    command(MainAccount.log_in_owner, session_id=st.uuids(), via=st.sampled_from(Via)),
    command(MainAccount.log_out_owner, session_id=st.none() | st.uuids()),
    command(MainAccount.record_refused_owner_login, why=st.just("wrong_password"), failures=st.sampled_from([1, 6, 8])),
    command(
        MainAccount.add_second_factor,
        sub_user_id=st.none() | sub_user_ids,
        factor_id=factor_ids,
        kind=st.sampled_from(SecondFactorKind),
        name=ciphertexts,
        signs_in_alone=st.booleans(),
    ),
    command(
        MainAccount.remove_second_factor,
        sub_user_id=st.none() | sub_user_ids,
        factor_id=factor_ids,
    ),
    command(MainAccount.reset_second_factors, sub_user_id=st.none() | sub_user_ids),
    command(MainAccount.issue_recovery_codes, sub_user_id=st.none() | sub_user_ids),
    command(
        MainAccount.verify_second_factor,
        sub_user_id=st.none() | sub_user_ids,
        session_id=st.uuids(),
        method=st.sampled_from(VerificationMethod),
    ),
    command(
        MainAccount.record_refused_second_factor,
        sub_user_id=st.none() | sub_user_ids,
        method=st.sampled_from(VerificationMethod),
        why=st.just("wrong_code"),
        failures=st.sampled_from([1, 6, 8]),
    ),
    command(MainAccount.set_second_factor_policy, policy=st.sampled_from(SecondFactorPolicy)),
    command(MainAccount.log_in_with_passkey, sub_user_id=sub_user_ids, session_id=st.uuids()),
    command(MainAccount.delete_sub_user, sub_user_id=sub_user_ids),
    command(MainAccount.raise_sub_user_limit, limit=st.integers(9, 13)),
    command(MainAccount.set_plan, plan=plans),
    command(MainAccount.set_external_id, external_id=st.none() | ciphertexts),
    command(MainAccount.record_reached_thresholds, period=periods, used=usages),
    command(
        MainAccount.change_details,
        email=st.none() | ciphertexts,
        email_hash=st.none() | st.just("hash of another"),
        company_name=st.none() | ciphertexts,
        language=st.none() | st.sampled_from(["en", "it"]),
        password_changed=st.booleans(),
    ),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Command]:
    """Create both sub-users, then run random commands; some histories also close the account."""
    creations = [
        Command("create_sub_user", {**sub_user_fields(sub_user_id), "visible": True}, BY_OWNER)
        for sub_user_id in SUB_USER_IDS
    ]
    history = draw(st.lists(commands, min_size=8, max_size=30))
    if draw(st.booleans()):
        history.insert(draw(st.integers(0, len(history))), Command("close", {}, BY_OWNER))
    return [*creations, *history]


def run_commands(account: MainAccount, history: list[Command]) -> None:
    """Run the commands one minute apart, and ignore refusals."""
    for minute, command in enumerate(history):
        with suppress(Refusal):
            command.run(account, minute)
