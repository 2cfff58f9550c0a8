"""Commands on the main account: registering, changing, raising the limit, closing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.commands.accounts import AccountChanges
from application.commands.activities import Activity
from application.errors import InvalidValue
from domain.refusals import (
    AccountEmailTaken,
    AccountIsClosed,
    AccountNotFound,
    LimitNotRaised,
    LoginRefused,
    SubUserLimitReached,
)
from tests.builders import (
    PORTAL,
    SUPPORT,
    Company,
    SubUserHandle,
    deliver_mails,
    event_types,
    mails_in_folder,
    plain_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from api.bootstrap.service import Service


@dataclass(frozen=True)
class ClosedAccount:
    """A closed account, one of its sub-users, and the token of a former session of the sub-user."""

    company: Company
    sub_user: SubUserHandle
    token: str

    @property
    def service(self) -> Service:
        """The service of the account."""
        return self.company.service


CHANGES_OF_AN_ACCOUNT: dict[str, Callable[[ClosedAccount], object]] = {
    "create a sub-user": lambda closed: closed.company.create_sub_user(),
    "change a sub-user": lambda closed: closed.sub_user.change(name="Ada"),
    "send credentials again": lambda closed: closed.service.commands.sub_users.send_credentials_again(
        closed.company.account_id, closed.sub_user.sub_user_id, PORTAL
    ),
    "change the account": lambda closed: closed.service.commands.accounts.change(
        closed.company.account_id, AccountChanges(language="it"), PORTAL
    ),
    "raise the limit": lambda closed: closed.service.commands.accounts.raise_sub_user_limit(
        closed.company.account_id, 20, SUPPORT
    ),
}


def test_new_account_has_a_limit_of_ten_sub_users(service: Service) -> None:
    """The result has the given details."""
    outcome = service.commands.accounts.register(
        PORTAL, email="Boss@Company.example", company_name="Ünï & Söhne", language="it"
    )

    account = outcome.value
    assert (account.email, account.company_name, account.language) == ("Boss@Company.example", "Ünï & Söhne", "it")
    assert (account.sub_user_limit, account.sub_user_count, account.closed_at) == (10, 0, None)


def test_email_of_another_account_is_taken(service: Service, company: Company) -> None:
    """Upper and lower case do not matter. This applies to registrations and changes."""
    other = Company.register(service)

    with pytest.raises(AccountEmailTaken):
        Company.register(service, company.email.upper())
    with pytest.raises(AccountEmailTaken):
        service.commands.accounts.change(other.account_id, AccountChanges(email=company.email.upper()), PORTAL)
    assert event_types(other) == ["MainAccountRegistered"]


def test_account_can_change_the_case_of_its_email(service: Service, company: Company) -> None:
    """The e-mail stays reserved."""
    changed = service.commands.accounts.change(
        company.account_id, AccountChanges(email=company.email.upper()), PORTAL
    ).value

    assert changed.email == company.email.upper()
    with pytest.raises(AccountEmailTaken):
        Company.register(service, company.email)


def test_several_details_change_at_once(service: Service, company: Company) -> None:
    """One command records one event; other details stay."""
    changed = service.commands.accounts.change(
        company.account_id, AccountChanges(company_name="New & Co", language="it"), PORTAL
    ).value

    assert (changed.email, changed.company_name, changed.language) == (company.email, "New & Co", "it")
    assert event_types(company) == ["MainAccountRegistered", "MainAccountDetailsChanged"]


@pytest.mark.parametrize(
    "same_details",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"language": "en"}, id="same language"),
        pytest.param({"company_name": "Winds & Waves"}, id="same company name"),
    ],
)
def test_unchanged_details_record_no_event(service: Service, company: Company, same_details: dict[str, Any]) -> None:
    outcome = service.commands.accounts.change(company.account_id, AccountChanges(**same_details), PORTAL)

    assert outcome.position is None
    assert event_types(company) == ["MainAccountRegistered"]


def test_owners_password_must_not_contain_the_new_company_name(service: Service, company: Company) -> None:
    """The name counts that the same command sets."""
    changes = AccountChanges(company_name="Tides & Moons", password="tides & moons for ever")

    with pytest.raises(InvalidValue):
        service.commands.accounts.change(company.account_id, changes, PORTAL)
    assert event_types(company) == ["MainAccountRegistered"]


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("short", id="short"),
        pytest.param("passwordpassword", id="common"),
        pytest.param("winds & waves for ever", id="with company name"),
        pytest.param("my boss@company.example pass", id="with e-mail"),
    ],
)
def test_owners_password_must_meet_the_policy(service: Service, password: str) -> None:
    """A refused registration reserves no e-mail."""
    register = partial(
        service.commands.accounts.register, PORTAL, email="boss@company.example", company_name="Winds & Waves"
    )
    with pytest.raises(InvalidValue):
        register(password=password)

    register(password="fair words at noon")


def test_mails_use_the_language_of_the_account(service: Service, company: Company) -> None:
    """It is the language at the time of sending."""
    company.create_active()
    service.commands.accounts.change(company.account_id, AccountChanges(language="it"), PORTAL)

    (mail,) = deliver_mails(service)

    assert "password" in plain_text(mail).lower()
    assert "accedere" in plain_text(mail).lower() or "accesso" in plain_text(mail).lower()


def test_support_raises_the_limit_with_a_reason(service: Service, company: Company) -> None:
    """The event has the reason, and the new limit applies immediately."""
    for _ in range(10):
        company.create_sub_user()
    with pytest.raises(SubUserLimitReached):
        company.create_sub_user()

    raised = service.commands.accounts.raise_sub_user_limit(company.account_id, 11, SUPPORT).value

    assert raised.sub_user_limit == 11
    company.create_sub_user()
    event: Any = next(
        recorded
        for recorded in service.main_accounts.events.get(company.account_id)
        if type(recorded).__name__ == "SubUserLimitRaised"
    )
    key = service.vault.entries([company.account_id])[company.account_id].key
    assert (event.actor_type, key.decrypt("reason", event.reason)) == ("support", "asked by phone")


def test_limit_is_never_lowered(service: Service, company: Company) -> None:
    """A lower limit is refused; the same limit records no event."""
    with pytest.raises(LimitNotRaised):
        service.commands.accounts.raise_sub_user_limit(company.account_id, 9, SUPPORT)
    assert service.commands.accounts.raise_sub_user_limit(company.account_id, 10, SUPPORT).position is None


@pytest.fixture
def closed(service: Service, company: Company) -> ClosedAccount:
    """Return a closed account whose sub-user had a session, and has a mail in the queue."""
    sub_user, unmailed = company.create_with_own_password(), company.create_active()
    token = sub_user.log_in().token
    deliver_mails(service)
    unmailed.change(password="a phrase from the boss")
    service.commands.accounts.close(company.account_id, PORTAL)
    return ClosedAccount(company, sub_user, token)


def test_closed_account_has_no_access(closed: ClosedAccount) -> None:
    """Sessions end, and logins are refused."""
    assert not closed.sub_user.has_session(closed.token)
    with pytest.raises(LoginRefused):
        closed.sub_user.log_in()


def test_closed_account_sends_no_mails(service: Service, closed: ClosedAccount) -> None:
    """Mails that were queued before are not sent, either."""
    delivered = len(mails_in_folder(service))
    assert len(deliver_mails(service)) == delivered


@pytest.mark.parametrize("name", CHANGES_OF_AN_ACCOUNT)
def test_closed_account_refuses_changes(closed: ClosedAccount, name: str) -> None:
    with pytest.raises(AccountIsClosed):
        CHANGES_OF_AN_ACCOUNT[name](closed)


def test_closing_again_records_nothing(service: Service, closed: ClosedAccount) -> None:
    assert service.commands.accounts.close(closed.company.account_id, PORTAL).position is None


def test_email_of_a_closed_account_is_free(service: Service, closed: ClosedAccount) -> None:
    assert Company.register(service, closed.company.email).account_id != closed.company.account_id


def test_sub_user_of_a_closed_account_can_be_erased(service: Service, closed: ClosedAccount) -> None:
    closed.sub_user.delete()
    assert service.vault.entries([closed.sub_user.sub_user_id]) == {}


def test_unknown_account_is_not_found(service: Service, company: Company) -> None:
    """Ids of a sub-user and of an activity are no account ids, either."""
    sub_user = company.create_with_own_password()
    activity = Activity(sub_user.sub_user_id, "assistant.opened")
    (activity_id,) = service.commands.activities.record(company.account_id, [activity], PORTAL).value.event_ids

    commands: list[Callable[[UUID], object]] = [
        lambda wrong_id: service.commands.accounts.change(wrong_id, AccountChanges(language="it"), PORTAL),
        lambda wrong_id: service.commands.accounts.close(wrong_id, PORTAL),
        lambda wrong_id: service.commands.accounts.raise_sub_user_limit(wrong_id, 20, SUPPORT),
        lambda wrong_id: service.commands.activities.record(wrong_id, [activity], PORTAL),
        lambda wrong_id: service.commands.sub_users.create(
            wrong_id, PORTAL, email="x@y.example", name="X", surname="Y"
        ),
        lambda wrong_id: service.commands.sub_users.delete(wrong_id, sub_user.sub_user_id, PORTAL),
        lambda wrong_id: service.commands.sub_users.sessions(wrong_id, sub_user.sub_user_id),
    ]
    for wrong_id in (uuid4(), sub_user.sub_user_id, activity_id):
        for command in commands:
            with pytest.raises(AccountNotFound):
                command(wrong_id)
