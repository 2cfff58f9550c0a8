"""The main account itself: registered, changed, raised, closed."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.accounts import AccountChanges
from application.activities import Activity
from application.errors import InvalidValue
from domain.refusals import (
    AccountEmailTaken,
    AccountIsClosed,
    AccountNotFound,
    LimitNotRaised,
    LoginRefused,
    RevisionMismatch,
    SubUserLimitReached,
)
from tests.people import PORTAL, SUPPORT, Company, deliver_mails, kinds, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from api.bootstrap import Service


def test_an_account_begins_with_room_for_ten(service: Service) -> None:
    """It is answered as it was given, and owned by nobody but itself."""
    made = service.accounts.register(PORTAL, email="Boss@Company.example", company_name="Ünï & Söhne", language="it")

    account = made.value
    assert (account.email, account.company_name, account.language) == ("Boss@Company.example", "Ünï & Söhne", "it")
    assert (account.sub_user_limit, account.sub_user_count, account.closed_at) == (10, 0, None)


def test_a_registered_email_is_taken(service: Service, company: Company) -> None:
    """In whatever case it is written, and for changing to it as well."""
    other = Company.register(service)

    with pytest.raises(AccountEmailTaken):
        Company.register(service, company.email.upper())
    with pytest.raises(AccountEmailTaken):
        service.accounts.change(other.account_id, AccountChanges(email=company.email.upper()), PORTAL)
    assert kinds(other) == ["MainAccountRegistered"]


def test_an_account_may_write_its_email_otherwise(service: Service, company: Company) -> None:
    """It is its own, in any case."""
    changed = service.accounts.change(company.account_id, AccountChanges(email=company.email.upper()), PORTAL).value

    assert changed.email == company.email.upper()
    with pytest.raises(AccountEmailTaken):
        Company.register(service, company.email)


def test_several_things_change_at_once(service: Service, company: Company) -> None:
    """One command, one event; what is not named stays."""
    changed = service.accounts.change(
        company.account_id, AccountChanges(company_name="New & Co", language="it"), PORTAL
    ).value

    assert (changed.email, changed.company_name, changed.language) == (company.email, "New & Co", "it")
    assert kinds(company) == ["MainAccountRegistered", "MainAccountDetailsChanged"]


@pytest.mark.parametrize("again", [{}, {"language": "en"}, {"company_name": "Winds & Waves"}])
def test_changing_an_account_to_what_it_is_changes_nothing(
    service: Service, company: Company, again: dict[str, Any]
) -> None:
    """A repeated command is no event."""
    outcome = service.accounts.change(company.account_id, AccountChanges(**again), PORTAL)

    assert outcome.position is None
    assert kinds(company) == ["MainAccountRegistered"]


@pytest.mark.parametrize(
    "password", ["short", "passwordpassword", "winds & waves for ever", "my boss@company.example pass"]
)
def test_the_owners_password_keeps_the_same_rules(service: Service, password: str) -> None:
    """Nor does a refused one leave anything behind: the e-mail is still free."""
    register = partial(service.accounts.register, PORTAL, email="boss@company.example", company_name="Winds & Waves")
    with pytest.raises(InvalidValue):
        register(password=password)

    register(password="fair words at noon")


def test_mails_are_in_the_accounts_language(service: Service, company: Company) -> None:
    """As it is when the mail goes out."""
    company.let_in_active()
    service.accounts.change(company.account_id, AccountChanges(language="it"), PORTAL)

    (mail,) = deliver_mails(service)

    assert "password" in text_of(mail).lower()
    assert "accedere" in text_of(mail).lower() or "accesso" in text_of(mail).lower()


def test_support_raises_the_limit_and_says_why(service: Service, company: Company) -> None:
    """The raise is an event with its reason, and there is room at once."""
    for _ in range(10):
        company.let_in()
    with pytest.raises(SubUserLimitReached):
        company.let_in()

    raised = service.accounts.raise_sub_user_limit(company.account_id, 11, SUPPORT).value

    assert raised.sub_user_limit == 11
    company.let_in()
    event: Any = next(
        e for e in service.main_accounts.events.get(company.account_id) if type(e).__name__ == "SubUserLimitRaised"
    )
    key = service.vault.entries([company.account_id])[company.account_id].key
    assert (event.actor_type, key.open("reason", event.reason)) == ("support", "asked by phone")


def test_the_limit_is_only_ever_raised(service: Service, company: Company) -> None:
    """Fewer is refused, the same again is nothing."""
    with pytest.raises(LimitNotRaised):
        service.accounts.raise_sub_user_limit(company.account_id, 9, SUPPORT)
    assert service.accounts.raise_sub_user_limit(company.account_id, 10, SUPPORT).position is None


def test_a_deleted_sub_user_makes_room(company: Company) -> None:
    """The limit is on the living."""
    first = company.let_in()
    for _ in range(9):
        company.let_in()
    first.delete()

    company.let_in()


def test_a_closed_account_is_closed_for_good(service: Service, company: Company) -> None:
    """Nobody logs in, nothing can be changed, no mail goes out; its e-mail is free; people can still be erased."""
    one, waiting = company.let_in_settled(), company.let_in_active()
    token = one.log_in().token
    mailed = len(deliver_mails(service))
    waiting.change(password="a phrase from the boss")

    service.accounts.close(company.account_id, PORTAL)

    assert not one.has_session(token)
    with pytest.raises(LoginRefused):
        one.log_in()
    assert len(deliver_mails(service)) == mailed
    commands: list[Callable[[], object]] = [
        company.let_in,
        lambda: one.change(name="Ada"),
        lambda: service.sub_users.send_credentials_again(company.account_id, one.sub_user_id, PORTAL),
        lambda: service.accounts.change(company.account_id, AccountChanges(language="it"), PORTAL),
        lambda: service.accounts.raise_sub_user_limit(company.account_id, 20, SUPPORT),
    ]
    for command in commands:
        with pytest.raises(AccountIsClosed):
            command()
    assert service.accounts.close(company.account_id, PORTAL).position is None
    assert Company.register(service, company.email).account_id != company.account_id
    one.delete()
    assert service.vault.entries([one.sub_user_id]) == {}


def test_what_is_no_account_is_not_found(service: Service, company: Company) -> None:
    """Neither an id that nobody has, nor a sub-user's, nor an activity's."""
    one = company.let_in_settled()
    activity = Activity(one.sub_user_id, "assistant.opened")
    (activity_id,) = service.activities.record(company.account_id, [activity], PORTAL).value

    commands: list[Callable[[UUID], object]] = [
        lambda wrong: service.accounts.change(wrong, AccountChanges(language="it"), PORTAL),
        lambda wrong: service.accounts.close(wrong, PORTAL),
        lambda wrong: service.accounts.raise_sub_user_limit(wrong, 20, SUPPORT),
        lambda wrong: service.activities.record(wrong, [activity], PORTAL),
        lambda wrong: service.sub_users.create(wrong, PORTAL, email="x@y.example", name="X", surname="Y"),
        lambda wrong: service.sub_users.delete(wrong, one.sub_user_id, PORTAL),
        lambda wrong: service.sub_users.sessions(wrong, one.sub_user_id),
    ]
    for wrong in (uuid4(), one.sub_user_id, activity_id):
        for command in commands:
            with pytest.raises(AccountNotFound):
                command(wrong)


def test_a_change_meant_for_an_earlier_revision_is_refused(company: Company, service: Service) -> None:
    """Whether it edits or deletes; logins and mails leave the revision alone."""
    one = company.let_in_active()
    revision = one.state().revision
    one.log_in()
    deliver_mails(service)
    assert one.state().revision == revision

    one.change(name="Ada", if_revision=revision)

    with pytest.raises(RevisionMismatch):
        one.change(name="Eve", if_revision=revision)
    with pytest.raises(RevisionMismatch):
        service.sub_users.delete(company.account_id, one.sub_user_id, PORTAL, if_revision=revision)
    service.sub_users.delete(company.account_id, one.sub_user_id, PORTAL, if_revision=revision + 1)


def test_an_edit_changes_everything_or_nothing(company: Company, service: Service) -> None:
    """Five things at once, in one go; and none of them where one is refused."""
    one = company.let_in()
    end = service.clock() + timedelta(days=3)

    after = one.change(
        name="Ada",
        surname="Lovelace",
        visible=False,
        active=True,
        password="an analytical phrase",
        expiry_given=True,
        access_expires_at=end,
    ).value

    assert (after.name, after.surname, after.visible, after.status, after.access_expires_at) == (
        "Ada",
        "Lovelace",
        False,
        "active",
        end,
    )
    before = kinds(company)
    with pytest.raises(InvalidValue):
        one.change(name="Grace", visible=True, active=False, password="short")
    assert kinds(company) == before
