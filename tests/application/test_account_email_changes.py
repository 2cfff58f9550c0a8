"""Changes of the main account's e-mail: confirmation, the time in which the former one works, and undoing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.commands.accounts import AccountChanges
from application.errors import SessionEnded
from domain.mails import MAILS_PER_RECIPIENT, LinkPurpose
from domain.owner_email import MAX_FORMER_EMAILS
from domain.refusals import (
    AccountEmailTaken,
    AccountIsClosed,
    LinkInvalid,
    LoginRefused,
    TooManyEmailChanges,
    TooManyMails,
)
from tests.builders import PORTAL, Company, SubUserHandle, deliver_mails, event_types, mailed_token, plain_text
from tests.postgres import fetch
from tests.waiting import inject_after, run_concurrently

if TYPE_CHECKING:
    from email.message import EmailMessage

    from api.bootstrap.service import Service
    from application.commands.resources import AccountDetails
    from tests.conftest import TravelingClock

OWNER_PASSWORD = "the owner keeps this one"


@pytest.fixture
def owner(service: Service) -> Company:
    """A company whose owner has a password."""
    email = f"boss-{uuid4().hex[:8]}@company.example"
    details = service.commands.accounts.register(
        PORTAL, email=email, company_name="Winds & Waves", password=OWNER_PASSWORD
    ).value
    return Company(service, details.account_id, email)


def new_email() -> str:
    return f"new-{uuid4().hex[:8]}@company.example"


def change(company: Company, email: str, *, verified: bool = False) -> AccountDetails:
    changes = AccountChanges(email=email, email_verified=verified)
    return company.service.commands.accounts.change(company.account_id, changes, PORTAL).value


def mails_to(service: Service, email: str) -> list[EmailMessage]:
    return [mail for mail in deliver_mails(service) if mail["To"].addresses[0].addr_spec == email]


def request(company: Company, email: str) -> str:
    """Request another e-mail, and return the token of the link that was mailed there."""
    change(company, email)
    return mailed_token(mails_to(company.service, email)[-1])


def confirm(company: Company, token: str) -> None:
    company.service.commands.account_email_changes.confirm(token, PORTAL)


def undo(company: Company, token: str) -> None:
    company.service.commands.account_email_changes.undo(token, PORTAL)


def undo_token(company: Company, former_email: str) -> str:
    """Return the token of the link that was mailed to a former e-mail."""
    return mailed_token(mails_to(company.service, former_email)[-1])


def log_in_owner(company: Company, email: str) -> str:
    return company.service.commands.owner_sessions.log_in(email, OWNER_PASSWORD, PORTAL).value.token


def with_email(sub_user: SubUserHandle, email: str) -> SubUserHandle:
    """Return a sub-user who logs in with another e-mail of the account."""
    return replace(sub_user, company=replace(sub_user.company, email=email))


def current_email(company: Company) -> str:
    key = company.service.person_key(company.account_id)
    assert key is not None
    return key.decrypt("email", company.state().owner_email.current)


def directory_rows(company: Company) -> int:
    query = "SELECT FROM account_directory WHERE account_id = %s"
    return len(fetch(company.service.settings.owner_url, query, company.account_id))


def test_requested_email_waits_for_its_confirmation(owner: Company) -> None:
    """Only the former one works until then. The new one is mailed a link."""
    email = new_email()
    details = change(owner, email)
    assert (details.email, details.pending_email) == (owner.email, email)
    assert details.pending_email_expires_at is not None
    log_in_owner(owner, owner.email)
    with pytest.raises(LoginRefused):
        log_in_owner(owner, email)
    (mail,) = mails_to(owner.service, email)
    assert mail["Subject"].startswith("Confirm your email address")
    assert f"/email-confirmation/{mailed_token(mail)}" in plain_text(mail)


def test_confirmation_changes_the_email(owner: Company) -> None:
    """Both e-mails work, for the owner and for sub-users."""
    sub_user, email = owner.create_with_own_password(), new_email()
    session = log_in_owner(owner, owner.email)
    confirm(owner, request(owner, email))
    assert current_email(owner) == email
    state = owner.state()
    assert (state.owner_email.pending, len(state.owner_email.former)) == (None, 1)
    for works in (email, owner.email):
        log_in_owner(owner, works)
        with_email(sub_user, works).log_in()
    owner.service.commands.owner_sessions.current(session)
    names = event_types(owner)
    first = names.index("LinkUsed")
    assert names[first : first + 4] == [
        "LinkUsed",
        "MainAccountDetailsChanged",
        "MainAccountFormerEmailKept",
        "SignInEmailAnnounced",
    ]


def test_everybody_is_told_of_the_change(owner: Company) -> None:
    """The former address gets a link that undoes it, active sub-users the new address, others nothing."""
    active, inactive = owner.create_with_own_password(), owner.create_sub_user()
    email = new_email()
    confirm(owner, request(owner, email))
    (to_former,) = mails_to(owner.service, owner.email)
    assert email in plain_text(to_former)
    assert f"/email-undo/{mailed_token(to_former)}" in plain_text(to_former)
    to_active = mails_to(owner.service, active.email)[-1]
    assert email in plain_text(to_active)
    assert "/login?as=sub-user" in plain_text(to_active)
    assert mails_to(owner.service, inactive.email) == []
    assert len(mails_to(owner.service, email)) == 1  # the link that confirmed it


@pytest.mark.parametrize("language", ["en", "it"])
def test_mails_are_in_the_language_of_the_account(owner: Company, language: str) -> None:
    accounts = owner.service.commands.accounts
    accounts.change(owner.account_id, AccountChanges(language=language), PORTAL)
    sub_user = owner.create_with_own_password()
    email = new_email()
    confirm(owner, request(owner, email))
    undo(owner, undo_token(owner, owner.email))
    greeting = "Hello" if language == "en" else "Ciao"
    mails = [mail for to in (email, owner.email, sub_user.email) for mail in mails_to(owner.service, to)]
    assert len(mails) >= 6
    assert all(plain_text(mail).lstrip().startswith(greeting) for mail in mails)


def test_former_email_works_for_seven_days(owner: Company, clock: TravelingClock) -> None:
    """Then another account can have it. Until then none can, nor can its link be used afterwards."""
    sub_user, email = owner.create_with_own_password(), new_email()
    confirm(owner, request(owner, email))
    token = undo_token(owner, owner.email)
    clock.advance(days=6, hours=23)
    log_in_owner(owner, owner.email)
    with pytest.raises(AccountEmailTaken):
        Company.register(owner.service, owner.email)
    other = Company.register(owner.service)
    with pytest.raises(AccountEmailTaken):
        change(other, owner.email)
    with pytest.raises(AccountEmailTaken):
        change(other, owner.email, verified=True)
    clock.advance(hours=2)
    for log_in in (lambda: log_in_owner(owner, owner.email), with_email(sub_user, owner.email).log_in):
        with pytest.raises(LoginRefused):
            log_in()
    with pytest.raises(LinkInvalid):
        undo(owner, token)
    assert Company.register(owner.service, owner.email).account_id != owner.account_id
    log_in_owner(owner, email)


def test_expired_former_emails_are_deleted(owner: Company, clock: TravelingClock) -> None:
    confirm(owner, request(owner, new_email()))
    assert directory_rows(owner) == 2
    clock.advance(days=8)
    owner.service.delete_expired()
    assert directory_rows(owner) == 1


def test_undoing_restores_the_former_email_at_once(owner: Company) -> None:
    """It ends the owner's sessions, and tells the owner and the sub-users."""
    sub_user, email = owner.create_with_own_password(), new_email()
    confirm(owner, request(owner, email))
    token = undo_token(owner, owner.email)
    intruder, sub_users_session = log_in_owner(owner, email), with_email(sub_user, email).log_in().token
    undo(owner, token)

    assert current_email(owner) == owner.email
    assert owner.state().owner_email.former == ()
    assert directory_rows(owner) == 1
    with pytest.raises(SessionEnded):
        owner.service.commands.owner_sessions.current(intruder)
    assert sub_user.has_session(sub_users_session)
    for log_in in (lambda: log_in_owner(owner, email), with_email(sub_user, email).log_in):
        with pytest.raises(LoginRefused):
            log_in()
    log_in_owner(owner, owner.email)
    sub_user.log_in()
    assert "restored" in mails_to(owner.service, owner.email)[-1]["Subject"]
    assert owner.email in plain_text(mails_to(owner.service, sub_user.email)[-1])
    Company.register(owner.service, email)


def test_links_to_reset_the_password_end_with_the_email(owner: Company) -> None:
    """A link that was mailed to an intruder's address is useless after the change was undone."""
    email = new_email()
    confirm(owner, request(owner, email))
    token = undo_token(owner, owner.email)
    resets = owner.service.commands.password_resets
    resets.request(email, None, PORTAL)
    reset = mailed_token(mails_to(owner.service, email)[-1])
    undo(owner, token)
    with pytest.raises(LinkInvalid):
        resets.choose_password(reset, LinkPurpose.PASSWORD_RESET, "a phrase of the intruder", PORTAL)


def test_first_former_email_can_undo_several_changes(owner: Company) -> None:
    """An intruder cannot get rid of its link by changing the e-mail again. The links of later e-mails end with it."""
    second, third = new_email(), new_email()
    confirm(owner, request(owner, second))
    first_token = undo_token(owner, owner.email)
    confirm(owner, request(owner, third))
    second_token = undo_token(owner, second)
    for email in (owner.email, second, third):
        log_in_owner(owner, email)

    undo(owner, first_token)

    assert current_email(owner) == owner.email
    for email in (second, third):
        with pytest.raises(LoginRefused):
            log_in_owner(owner, email)
    for token in (first_token, second_token):
        with pytest.raises(LinkInvalid):
            undo(owner, token)


def test_undoing_the_last_change_keeps_the_earlier_former_email(owner: Company) -> None:
    second, third = new_email(), new_email()
    confirm(owner, request(owner, second))
    first_token = undo_token(owner, owner.email)
    confirm(owner, request(owner, third))
    undo(owner, undo_token(owner, second))
    assert current_email(owner) == second
    log_in_owner(owner, owner.email)
    with pytest.raises(LoginRefused):
        log_in_owner(owner, third)
    undo(owner, first_token)
    assert current_email(owner) == owner.email


def test_change_back_to_a_former_email(owner: Company) -> None:
    """It is the account's e-mail again, and the other one is the former one."""
    email = new_email()
    confirm(owner, request(owner, email))
    confirm(owner, request(owner, owner.email))
    assert current_email(owner) == owner.email
    for works in (email, owner.email):
        log_in_owner(owner, works)
    assert directory_rows(owner) == 2
    undo(owner, undo_token(owner, email))
    assert current_email(owner) == email
    with pytest.raises(LoginRefused):
        log_in_owner(owner, owner.email)


def test_verified_email_changes_at_once(owner: Company) -> None:
    """The rest is as after a confirmation."""
    sub_user, email = owner.create_with_own_password(), new_email()
    details = change(owner, email, verified=True)
    assert (details.email, details.pending_email) == (email, None)
    for works in (email, owner.email):
        log_in_owner(owner, works)
    assert email in plain_text(mails_to(owner.service, sub_user.email)[-1])
    undo(owner, undo_token(owner, owner.email))
    assert current_email(owner) == owner.email


def test_second_request_replaces_the_first(owner: Company) -> None:
    """Its link dies, also by a change to a verified e-mail."""
    first, second, third = (new_email() for _ in range(3))
    tokens = [request(owner, first), request(owner, second)]
    with pytest.raises(LinkInvalid):
        confirm(owner, tokens[0])
    change(owner, third, verified=True)
    with pytest.raises(LinkInvalid):
        confirm(owner, tokens[1])
    assert (current_email(owner), owner.state().owner_email.pending) == (third, None)


def test_link_to_confirm_is_good_for_a_day(owner: Company, clock: TravelingClock) -> None:
    token = request(owner, new_email())
    clock.advance(hours=24, seconds=1)
    with pytest.raises(LinkInvalid):
        confirm(owner, token)


def test_links_have_one_purpose(owner: Company) -> None:
    email = new_email()
    token = request(owner, email)
    with pytest.raises(LinkInvalid):
        undo(owner, token)
    confirm(owner, token)
    with pytest.raises(LinkInvalid):
        confirm(owner, undo_token(owner, owner.email))
    for secret in ("", "x", "\ud800", token):
        with pytest.raises(LinkInvalid):
            confirm(owner, secret)


def test_email_that_another_account_took_meanwhile(owner: Company) -> None:
    """The link is not used up."""
    email = new_email()
    token = request(owner, email)
    other = Company.register(owner.service, email)
    with pytest.raises(AccountEmailTaken):
        confirm(owner, token)
    with pytest.raises(AccountEmailTaken):
        change(owner, email)
    owner.service.commands.accounts.close(other.account_id, PORTAL)
    confirm(owner, token)
    assert current_email(owner) == email


def test_other_spelling_is_the_same_email(owner: Company) -> None:
    """It changes at once, and nobody is told."""
    details = change(owner, owner.email.upper())
    assert (details.email, details.pending_email) == (owner.email.upper(), None)
    assert deliver_mails(owner.service) == []
    log_in_owner(owner, owner.email)
    assert change(owner, owner.email.upper()).email == owner.email.upper()
    assert event_types(owner).count("MainAccountDetailsChanged") == 1


def test_closing_ends_pending_changes_and_former_emails(owner: Company) -> None:
    email = new_email()
    confirm(owner, request(owner, email))
    tokens = [undo_token(owner, owner.email), request(owner, new_email())]
    owner.service.commands.accounts.close(owner.account_id, PORTAL)
    with pytest.raises(LinkInvalid):
        undo(owner, tokens[0])
    with pytest.raises(LinkInvalid):
        confirm(owner, tokens[1])
    with pytest.raises(AccountIsClosed):
        change(owner, new_email())
    assert directory_rows(owner) == 0
    Company.register(owner.service, owner.email)


def test_erasing_ends_pending_changes(owner: Company) -> None:
    confirm(owner, request(owner, new_email()))
    token = request(owner, new_email())
    owner.service.commands.erasures.erase_account(owner.account_id)
    with pytest.raises(LinkInvalid):
        confirm(owner, token)
    assert directory_rows(owner) == 0


def test_requests_are_limited_like_other_mails(owner: Company) -> None:
    """They could be abused for spam."""
    for _ in range(MAILS_PER_RECIPIENT):
        change(owner, new_email())
    with pytest.raises(TooManyMails):
        change(owner, new_email())


def test_changes_are_limited(owner: Company, clock: TravelingClock) -> None:
    """Each mails all sub-users, and keeps a former e-mail."""
    token = request(owner, new_email())
    for number in range(MAX_FORMER_EMAILS):
        if number:
            change(owner, new_email(), verified=True)
        else:
            confirm(owner, token)
    for verified in (True, False):
        with pytest.raises(TooManyEmailChanges):
            change(owner, new_email(), verified=verified)
    clock.advance(days=8)
    change(owner, new_email(), verified=True)
    assert len(owner.state().owner_email.former) == 1


def require_one_winner(outcomes: list[Any]) -> None:
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, LinkInvalid) for outcome in outcomes) == 63


def test_confirmation_is_used_once_under_concurrency(owner: Company) -> None:
    """Of 64 parallel confirmations, exactly one wins. So does one of 64 parallel attempts to undo it."""
    email = new_email()
    token = request(owner, email)
    require_one_winner(run_concurrently([lambda: confirm(owner, token)] * 64))
    token_to_undo = undo_token(owner, owner.email)
    require_one_winner(run_concurrently([lambda: undo(owner, token_to_undo)] * 64))
    assert event_types(owner).count("LinkUsed") == 2


def test_one_of_two_accounts_gets_an_email(owner: Company) -> None:
    """Of two accounts that confirm the same e-mail at the same time, and a third that registers it."""
    email, other = new_email(), Company.register(owner.service)
    token, others_token = request(owner, email), request(other, email)
    outcomes: list[Any] = run_concurrently(
        [
            lambda: confirm(owner, token),
            lambda: confirm(other, others_token),
            lambda: Company.register(owner.service, email),
        ]
    )
    assert sum(isinstance(outcome, AccountEmailTaken) for outcome in outcomes) == 2


@pytest.mark.parametrize("is_owner", [True, False])
def test_login_by_an_email_that_stops_working_meanwhile(
    owner: Company, monkeypatch: pytest.MonkeyPatch, is_owner: bool
) -> None:
    """The login is decided on the current version of the account, not on the one by which it was found."""
    sub_user, email = owner.create_with_own_password(), new_email()
    confirm(owner, request(owner, email))
    token = undo_token(owner, owner.email)
    sessions = owner.service.commands.owner_sessions if is_owner else owner.service.commands.sub_user_sessions
    inject_after(monkeypatch, type(sessions), "find_claimed", lambda: undo(owner, token))
    log_in = partial(log_in_owner, owner, email) if is_owner else with_email(sub_user, email).log_in
    with pytest.raises(LoginRefused):
        log_in()


def test_email_changes_survive_a_snapshot(owner: Company) -> None:
    first, second = new_email(), new_email()
    confirm(owner, request(owner, first))
    token = request(owner, second)
    state = owner.state()
    sub_user = owner.create_sub_user()
    for number in range(25):
        sub_user.change(name=f"Name {number}")
    assert owner.state().owner_email == state.owner_email
    confirm(owner, token)
    (former, _) = owner.state().owner_email.former
    assert (former,) == state.owner_email.former
    assert current_email(owner) == second
