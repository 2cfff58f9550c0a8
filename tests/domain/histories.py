"""Random histories of one account: whatever may be asked of it, in any order, refused or not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import strategies as st

from domain.cause import ActorType, Cause, Sealed, Via
from domain.plan import Period, Plan, Usage
from domain.refusals import Refusal
from domain.sub_user import Notice, SubUserEdit
from tests.domain.facts import person
from tests.domain.given_when_then import BY_OWNER, NOW

if TYPE_CHECKING:
    from domain.main_account import MainAccount

PEOPLE = [UUID(int=1), UUID(int=2)]
MINUTE = timedelta(minutes=1)
people = st.sampled_from(PEOPLE)
sealed = st.sampled_from([Sealed("one"), Sealed("another")])
times = st.integers(0, 60).map(lambda minutes: NOW + minutes * MINUTE)
notices = st.sampled_from([notice for notice in Notice if notice is not Notice.NONE])
causes = st.sampled_from([BY_OWNER, Cause(ActorType.SYSTEM, "mailer"), Cause(ActorType.ANONYMOUS, ip=Sealed("an ip"))])


@dataclass(frozen=True)
class Command:
    """A command by its name, so that a failing history can be read."""

    name: str
    arguments: dict[str, Any]
    cause: Cause

    def ask(self, account: MainAccount, minute: int) -> None:
        getattr(account, self.name)(**self.arguments, at=NOW + minute * MINUTE, cause=self.cause)


def command(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Command]:
    return st.builds(Command, st.just(name), st.fixed_dictionaries(arguments), causes)


edits = st.builds(
    SubUserEdit,
    name=st.none() | sealed,
    surname=st.none() | sealed,
    visible=st.none() | st.booleans(),
    active=st.none() | st.booleans(),
    expiry_given=st.booleans(),
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
    lambda sub_user_id, visible, expiry, cause: Command(
        "create_sub_user", {**person(sub_user_id), "visible": visible, "access_expires_at": expiry}, cause
    ),
    people,
    st.booleans(),
    st.none() | times,
    causes,
)
activations = command("edit_sub_user", sub_user_id=people, edit=st.just(SubUserEdit(active=True)))
commands = st.one_of(
    creations,
    activations,
    command("edit_sub_user", sub_user_id=people, edit=edits),
    command("send_credentials_again", sub_user_id=people),
    command("log_in", sub_user_id=people, session_id=st.uuids()),
    command("change_own_password", sub_user_id=people, session_id=st.uuids()),
    command("log_out", sub_user_id=people, session_id=st.none() | st.uuids()),
    command(
        "note_refused_login",
        sub_user_id=st.none() | people,
        why=st.just("wrong_password"),
        failures=st.sampled_from([1, 5, 6, 8, 99, 100, 128]),
    ),
    command(
        "note_mail",
        sub_user_id=people,
        notice=notices,
        caused_by=st.integers(1, 30),
        reply=sealed,
        accepted=st.booleans(),
    ),
    command("log_in_owner", session_id=st.uuids(), via=st.sampled_from(Via)),
    command("log_out_owner", session_id=st.none() | st.uuids()),
    command("note_refused_owner_login", why=st.just("wrong_password"), failures=st.sampled_from([1, 6, 8])),
    command("delete_sub_user", sub_user_id=people),
    command("raise_sub_user_limit", limit=st.integers(9, 13)),
    command("set_plan", plan=plans),
    command("note_usage", period=periods, used=usages),
    command(
        "change_details",
        email=st.none() | sealed,
        email_hash=st.none() | st.just("hash of another"),
        company_name=st.none() | sealed,
        language=st.none() | st.sampled_from(["en", "it"]),
        password_changed=st.booleans(),
    ),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Command]:
    """Everybody is let in first, so that there is somebody to ask about; some accounts are closed at some time."""
    everybody = [Command("create_sub_user", {**person(one), "visible": True}, BY_OWNER) for one in PEOPLE]
    asked = draw(st.lists(commands, min_size=8, max_size=30))
    if draw(st.booleans()):
        asked.insert(draw(st.integers(0, len(asked))), Command("close", {}, BY_OWNER))
    return [*everybody, *asked]


def ask(account: MainAccount, asked: list[Command]) -> None:
    """Ask it all, a minute apart, whatever is refused."""
    for minute, one in enumerate(asked):
        with suppress(Refusal):
            one.ask(account, minute)
