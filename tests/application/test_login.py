"""Sub-user login: requires both e-mail addresses and the password, and treats all refusals alike."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from argon2 import PasswordHasher

from adapters.passwords import Argon2Passwords
from application.commands.accounts import AccountChanges
from application.sign_in.new_session import SESSION_LIFETIME
from application.transactional_writes import StorePassword
from domain.assurance_level import AssuranceLevel
from domain.refusals import LoginRefused
from tests.builders import PORTAL, Company, context_from, event_types
from tests.postgres import fetch
from tests.throttling import fail_as_sub_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.builders import SubUserHandle
    from tests.conftest import TravelingClock


LoginInput: TypeAlias = tuple[str, str, str]
"""E-mail of the account, e-mail of the sub-user, and password."""


def last_recorded_reason(company: Company) -> str | None:
    refusals = [
        event for event in company.service.main_accounts.events.get(company.account_id) if hasattr(event, "why")
    ]
    return refusals[-1].why if refusals else None


# Each of the following functions prepares a case of a refused login, and returns what is entered.


def wrong_password(sub_user: SubUserHandle, _: TravelingClock) -> LoginInput:
    return sub_user.company.email, sub_user.email, "not the right one"


def unknown_sub_user(sub_user: SubUserHandle, _: TravelingClock) -> LoginInput:
    return sub_user.company.email, "nobody@company.example", sub_user.password


def unknown_account(sub_user: SubUserHandle, _: TravelingClock) -> LoginInput:
    return "nobody@company.example", sub_user.email, sub_user.password


def sub_user_of_another_account(sub_user: SubUserHandle, _: TravelingClock) -> LoginInput:
    return Company.register(sub_user.company.service).email, sub_user.email, sub_user.password


def inactive(sub_user: SubUserHandle, _: TravelingClock) -> LoginInput:
    sub_user.change(active=False)
    return sub_user.company.email, sub_user.email, sub_user.password


def expired(sub_user: SubUserHandle, clock: TravelingClock) -> LoginInput:
    sub_user.change(changes_expiry=True, access_expires_at=clock() + timedelta(hours=1))
    clock.advance(hours=1)
    return sub_user.company.email, sub_user.email, sub_user.password


def locked(sub_user: SubUserHandle, _: TravelingClock) -> LoginInput:
    fail_as_sub_user(sub_user.company.service, sub_user.company.email, sub_user.email, 127)  # the 128th is recorded
    return sub_user.company.email, sub_user.email, sub_user.password


def deleted(sub_user: SubUserHandle, _: TravelingClock) -> LoginInput:
    sub_user.delete()
    return sub_user.company.email, sub_user.email, sub_user.password


def closed(sub_user: SubUserHandle, _: TravelingClock) -> LoginInput:
    sub_user.company.service.commands.accounts.close(sub_user.company.account_id, PORTAL)
    return sub_user.company.email, sub_user.email, sub_user.password


def temporary_password_expired(sub_user: SubUserHandle, clock: TravelingClock) -> LoginInput:
    sub_user.change(password="a phrase for a week")
    clock.advance(days=7)
    return sub_user.company.email, sub_user.email, "a phrase for a week"


RECORDED_REASON_BY_CASE: dict[Callable[[SubUserHandle, TravelingClock], LoginInput], str | None] = {
    wrong_password: "wrong_password",
    unknown_sub_user: "unknown",
    unknown_account: None,
    sub_user_of_another_account: None,
    inactive: "inactive",
    expired: "expired",
    locked: "locked",
    deleted: "unknown",
    closed: None,
    temporary_password_expired: "temporary_password_expired",
}
"""Reason in the history of the sub-user's account. None: the account is closed, or the e-mail is not its own."""


@pytest.mark.parametrize("prepare", RECORDED_REASON_BY_CASE)
def test_every_refusal_looks_the_same_to_the_client(
    company: Company,
    clock: TravelingClock,
    prepare: Callable[[SubUserHandle, TravelingClock], LoginInput],
) -> None:
    """Only the account's history has the reason."""
    sub_user = company.create_with_own_password()
    account_email, email, password = prepare(sub_user, clock)

    with pytest.raises(LoginRefused) as refused:
        company.service.commands.sub_user_sessions.log_in(account_email, email, password, context_from("203.0.113.1"))

    assert type(refused.value) is LoginRefused
    assert str(refused.value) == (
        "The main account e-mail, the sub-user e-mail or the password is wrong, or access is not active."
    )
    assert last_recorded_reason(company) == RECORDED_REASON_BY_CASE[prepare]


def test_refused_login_with_an_unknown_email_names_no_sub_user(company: Company) -> None:
    """The event has the origin, but no sub-user."""
    with pytest.raises(LoginRefused):
        company.service.commands.sub_user_sessions.log_in(
            company.email, "nobody@company.example", "a canary phrase", context_from("192.0.2.77")
        )

    event: Any = list(company.service.main_accounts.events.get(company.account_id))[-1]
    assert event.sub_user_id is None
    assert (event.actor_type, event.actor_id) == ("anonymous", None)
    key = company.service.vault.entries([company.account_id])[company.account_id].key
    assert key.decrypt("ip", event.ip) == "192.0.2.77"


def test_emails_are_compared_case_insensitively(company: Company) -> None:
    sub_user = company.create_with_own_password("Grace.Hopper@Company.example")

    new_session = company.service.commands.sub_user_sessions.log_in(
        company.email.upper(), " GRACE.HOPPER@COMPANY.EXAMPLE ", sub_user.password, PORTAL
    ).value

    assert new_session.person_id == sub_user.sub_user_id


def test_one_person_can_be_a_sub_user_of_several_accounts(service: Service, company: Company) -> None:
    """Each account has its own password for them."""
    other_company = Company.register(service)
    sub_user = company.create_active("grace@company.example")
    sub_user_of_other = other_company.create_active("grace@company.example", password="other words here")

    assert sub_user.log_in().account_id == company.account_id
    assert sub_user_of_other.log_in().account_id == other_company.account_id
    with pytest.raises(LoginRefused):
        sub_user.log_in("other words here")


def test_email_is_free_after_deletion(company: Company) -> None:
    """The new sub-user shares neither password nor sessions with the deleted one."""
    deleted_sub_user = company.create_with_own_password("grace@company.example")
    token = deleted_sub_user.log_in().token
    deleted_sub_user.delete()

    new_sub_user = company.create_active("Grace@company.example", password="entirely other words")

    assert new_sub_user.sub_user_id != deleted_sub_user.sub_user_id
    assert new_sub_user.log_in().person_id == new_sub_user.sub_user_id
    assert not deleted_sub_user.has_session(token)
    with pytest.raises(LoginRefused):
        deleted_sub_user.log_in()


def test_login_uses_the_accounts_new_email(service: Service, company: Company) -> None:
    """The old one still works for some days: tests/application/test_account_email_changes.py."""
    sub_user = company.create_with_own_password()
    changes = AccountChanges(email="new@company.example", email_verified=True)
    service.commands.accounts.change(company.account_id, changes, PORTAL)

    assert service.commands.sub_user_sessions.log_in(
        "NEW@company.example", sub_user.email, sub_user.password, PORTAL
    ).value.token


def test_session_has_its_owner_expiry_and_permissions(company: Company, clock: TravelingClock) -> None:
    sub_user = company.create_with_own_password()
    new_session = sub_user.log_in(context=context_from("192.0.2.9"))
    session = company.service.commands.sub_user_sessions.current(new_session.token)

    assert (session.account_id, session.person_id, session.assurance) == (
        company.account_id,
        sub_user.sub_user_id,
        AssuranceLevel.PASSWORD,
    )
    assert abs(new_session.expires_at - clock() - SESSION_LIFETIME) < timedelta(seconds=30)
    (listed, *_) = company.service.commands.sub_users.sessions(company.account_id, sub_user.sub_user_id)
    assert (listed.session_id, listed.ip, listed.user_agent) == (session.session_id, "192.0.2.9", PORTAL.user_agent)


def test_login_is_recorded_with_its_origin(company: Company) -> None:
    """The origin is encrypted with the sub-user's key."""
    sub_user = company.create_with_own_password()
    sub_user.log_in(context=context_from("192.0.2.10"))

    event: Any = list(company.service.main_accounts.events.get(company.account_id))[-1]
    entry = company.service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id]
    assert (event.actor_type, event.actor_id) == ("sub_user", str(sub_user.sub_user_id))
    assert entry.key.decrypt("ip", event.ip) == "192.0.2.10"


def test_outdated_hash_is_replaced_at_login(service: Service, company: Company) -> None:
    """A correct password is hashed with the current parameters. A refused login keeps the hash."""
    sub_user = company.create_with_own_password()
    outdated_hash = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(sub_user.password)
    outdated_password = StorePassword(
        sub_user.sub_user_id,
        outdated_hash,
        must_change=False,
        expires_at=None,
        credentials_version=sub_user.state().credentials_version,
        encrypted_password=None,
    )
    service.main_accounts.save(writes=[outdated_password])

    with pytest.raises(LoginRefused):
        sub_user.log_in("not the right one")
    assert service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id].password_hash == outdated_hash
    sub_user.log_in()

    new_hash = service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id].password_hash
    assert new_hash is not None
    assert not Argon2Passwords(1).is_outdated(new_hash)
    assert sub_user.log_in().token


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "x" * 100_000, "a@b@c", "'; DROP TABLE vault; --"])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_malformed_input_is_refused_like_any_other(company: Company, text: str, index: int) -> None:
    sub_user = company.create_active()
    credentials = [company.email, sub_user.email, sub_user.password]
    credentials[index] = text

    with pytest.raises(LoginRefused):
        company.service.commands.sub_user_sessions.log_in(credentials[0], credentials[1], credentials[2], PORTAL)


def test_recorded_refusals_are_bounded(company: Company, clock: TravelingClock, database_url: str) -> None:
    """Guessing many e-mails does not flood the account's history."""
    events_before = len(event_types(company))
    for n in range(60):
        with pytest.raises(LoginRefused):
            company.service.commands.sub_user_sessions.log_in(
                company.email, f"guess-{n}@company.example", "a guess", context_from(f"10.0.0.{n}")
            )

    assert len(event_types(company)) - events_before < 15
    assert fetch(database_url, "SELECT count(*) FROM throttle")[0][0] > 60
