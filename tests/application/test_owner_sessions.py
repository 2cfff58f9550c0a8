"""Owner sign-in, with a password or a single-use link from the portal, and the owner's sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher

from adapters.passwords import Argon2Passwords
from application.commands.accounts import AccountChanges
from application.errors import InvalidValue, SessionEnded, TooManyAttempts
from application.repository import Outcome
from application.sign_in.new_session import SESSION_LIFETIME, NewSession
from application.sign_in.owner_sign_in import LINK_LIFETIME
from application.transactional_writes import StorePassword
from domain.assurance_level import AssuranceLevel
from domain.refusals import AccountIsClosed, AccountNotFound, LoginRefused
from tests.builders import PORTAL, Company, context_from, event_types
from tests.postgres import fetch
from tests.throttling import fail_as_owner
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from application.command_context import CommandContext
    from tests.conftest import TravelingClock

CLIENT_A, CLIENT_B = context_from("192.0.2.1"), context_from("192.0.2.2")
PASSWORD = "seven wet umbrellas under a lamp"
NEW_PASSWORD = "eight dry umbrellas in the sun"


@dataclass(frozen=True)
class Owner:
    """The owner of an account and their password."""

    company: Company
    password: str = field(default=PASSWORD, repr=False)

    @property
    def service(self) -> Service:
        return self.company.service

    def log_in(self, password: str | None = None, context: CommandContext = CLIENT_A) -> NewSession:
        return self.service.commands.owner_sessions.log_in(self.company.email, password or self.password, context).value

    def follow(self, secret: str, service: Service | None = None) -> NewSession:
        return (service or self.service).commands.owner_sessions.log_in_by_link(secret, CLIENT_A).value

    def link(self) -> str:
        return self.service.commands.owner_sessions.create_link(self.company.account_id)

    def fail(self, times: int = 1, context: CommandContext = CLIENT_A) -> None:
        for _ in range(times):
            with pytest.raises(LoginRefused):
                self.log_in("not the right one", context)

    def fail_from_many_networks(self, times: int) -> None:
        """Count failures from different networks, without the cost of verifying passwords."""
        fail_as_owner(self.service, self.company.email, times)

    def set_password(self, password: str) -> None:
        self.change(password=password)

    def change(self, **changes: Any) -> None:
        self.service.commands.accounts.change(self.company.account_id, AccountChanges(**changes), PORTAL)

    def has_session(self, token: str, service: Service | None = None) -> bool:
        try:
            session = (service or self.service).commands.owner_sessions.current(token)
        except SessionEnded:
            return False
        return session.account_id == self.company.account_id

    def events(self) -> list[Any]:
        return list(self.service.main_accounts.events.get(self.company.account_id))

    def refusal_reasons(self) -> list[str]:
        return [event.why for event in self.events() if type(event).__name__ == "MainAccountLoginRefused"]


@pytest.fixture
def owner(service: Service) -> Owner:
    """The owner of an account that was registered with a password."""
    email = f"boss-{uuid4().hex[:8]}@company.example"
    account = service.commands.accounts.register(
        PORTAL, email=email, company_name="Winds & Waves", password=PASSWORD
    ).value
    return Owner(Company(service, account.account_id, email))


def test_correct_password_opens_a_session(owner: Owner) -> None:
    """The e-mail is case-insensitive, and the event has the origin."""
    outcome = owner.service.commands.owner_sessions.log_in(
        owner.company.email.upper(), PASSWORD, context_from("192.0.2.10")
    )

    new_session, event = outcome.value, owner.events()[-1]
    session = owner.service.commands.owner_sessions.current(new_session.token)
    assert new_session.account_id == session.account_id == session.person_id == owner.company.account_id
    assert session.assurance is AssuranceLevel.PASSWORD
    assert abs(new_session.expires_at - owner.service.clock() - SESSION_LIFETIME) < timedelta(seconds=30)
    assert outcome.position is not None
    assert (type(event).__name__, event.via, event.session_id) == (
        "MainAccountLoggedIn",
        "password",
        session.session_id,
    )
    assert (event.actor_type, event.actor_id) == ("main_account", str(owner.company.account_id))
    key = owner.service.person_key(owner.company.account_id)
    assert key is not None
    assert key.decrypt("ip", event.ip) == "192.0.2.10"


def wrong_password(owner: Owner) -> tuple[str, str]:
    return owner.company.email, "not the right one"


def unknown_account(_: Owner) -> tuple[str, str]:
    return "nobody@company.example", PASSWORD


def without_password(owner: Owner) -> tuple[str, str]:
    return Company.register(owner.service).email, PASSWORD


def credentials_of_a_sub_user(owner: Owner) -> tuple[str, str]:
    sub_user = owner.company.create_with_own_password()
    return sub_user.email, sub_user.password


def closed(owner: Owner) -> tuple[str, str]:
    owner.service.commands.accounts.close(owner.company.account_id, PORTAL)
    return owner.company.email, PASSWORD


def locked(owner: Owner) -> tuple[str, str]:
    owner.fail_from_many_networks(100)
    return owner.company.email, PASSWORD


RECORDED_REASONS_BY_CASE: dict[Callable[[Owner], tuple[str, str]], list[str]] = {
    wrong_password: ["wrong_password"],
    unknown_account: [],
    without_password: [],
    credentials_of_a_sub_user: [],
    closed: [],
    locked: [],
}
"""Refusals that each case records. The 101st consecutive failure is not recorded."""


@pytest.mark.parametrize("prepare", RECORDED_REASONS_BY_CASE)
def test_every_refusal_looks_the_same_to_the_client(
    owner: Owner, prepare: Callable[[Owner], tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error and its message are the same, after exactly one password verification."""
    verified: list[str | None] = []
    verify = Argon2Passwords.verify

    def count(self: Argon2Passwords, password_hash: str | None, password: str) -> bool:
        verified.append(password_hash)
        return verify(self, password_hash, password)

    email, password = prepare(owner)
    monkeypatch.setattr(Argon2Passwords, "verify", count)
    with pytest.raises(LoginRefused) as refused:
        owner.service.commands.owner_sessions.log_in(email, password, CLIENT_B)

    assert str(refused.value) == str(LoginRefused("anything"))
    assert len(verified) == 1
    assert owner.refusal_reasons() == RECORDED_REASONS_BY_CASE[prepare]


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "x" * 100_000, "a@b@c", "'; DROP TABLE vault; --"])
def test_malformed_input_is_refused_like_any_other(owner: Owner, text: str) -> None:
    """The text is sent as e-mail, password, link secret and token."""
    for email, password in ((text, PASSWORD), (owner.company.email, text)):
        with pytest.raises(LoginRefused):
            owner.service.commands.owner_sessions.log_in(email, password, CLIENT_A)
    with pytest.raises(LoginRefused):
        owner.follow(text)
    assert not owner.has_session(text)


def test_outdated_hash_is_replaced_at_login(owner: Owner) -> None:
    account_id = owner.company.account_id
    outdated_hash = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    owner.service.main_accounts.save(writes=[StorePassword.chosen(account_id, outdated_hash, 1)])

    owner.log_in()

    new_hash = owner.service.vault.entries([account_id])[account_id].password_hash
    assert new_hash is not None
    assert not Argon2Passwords(1).is_outdated(new_hash)
    assert owner.log_in().token


def test_failures_delay_the_owner_from_the_fifth_on(owner: Owner, clock: TravelingClock) -> None:
    """As for sub-users, the delay applies to that client only, until a success."""
    clock.freeze()
    owner.fail(5)
    with pytest.raises(TooManyAttempts) as too_many:
        owner.log_in()
    assert 0 < too_many.value.retry_after <= 1
    assert owner.log_in(context=CLIENT_B).token
    clock.advance(seconds=1.001)
    assert owner.log_in().token
    owner.fail(4)

    assert owner.log_in().token


def test_unknown_account_has_the_same_delay(service: Service, clock: TravelingClock) -> None:
    """The delay does not reveal whether the account exists."""
    clock.freeze()
    for _ in range(5):
        with pytest.raises(LoginRefused):
            service.commands.owner_sessions.log_in("nobody@company.example", "a guess", CLIENT_A)
    with pytest.raises(TooManyAttempts):
        service.commands.owner_sessions.log_in("nobody@company.example", "a guess", CLIENT_A)


def test_concurrent_guesses_are_counted_in_sequence(owner: Owner, clock: TravelingClock) -> None:
    """Of twelve concurrent guesses from one client, five are verified and the others throttled."""
    clock.freeze()
    results = run_concurrently([lambda: owner.log_in("not the right one")] * 12)

    assert sum(isinstance(result, LoginRefused) for result in results) == 5
    assert sum(isinstance(result, TooManyAttempts) for result in results) == 7


def test_thirty_failures_a_minute_block_an_address(owner: Owner, clock: TravelingClock) -> None:
    """Owners and sub-users are blocked, except those who logged in from the address before."""
    clock.freeze()
    sub_user = owner.company.create_with_own_password()
    clock.advance(days=31)
    known_sub_user = owner.company.create_with_own_password()
    for n in range(30):
        with pytest.raises(LoginRefused):
            owner.service.commands.owner_sessions.log_in(f"guess-{n}@company.example", "a guess", CLIENT_A)

    with pytest.raises(TooManyAttempts):
        owner.log_in()
    with pytest.raises(TooManyAttempts):
        sub_user.log_in(context=CLIENT_A)
    assert known_sub_user.log_in(context=CLIENT_A).token
    assert owner.log_in(context=CLIENT_B).token


def test_owner_and_sub_user_with_one_email_are_counted_separately(owner: Owner) -> None:
    sub_user = owner.company.create_with_own_password(email=owner.company.email)
    owner.fail(5)

    assert sub_user.log_in(context=CLIENT_A).token


def test_a_hundred_failures_lock_the_password_for_an_hour(owner: Owner, clock: TravelingClock) -> None:
    """The lock applies to unknown networks only. Sessions stay open, and 99 failures lock nothing."""
    clock.freeze()
    token = owner.log_in(context=CLIENT_A).token
    owner.fail_from_many_networks(99)
    assert owner.log_in(context=CLIENT_A).token
    owner.fail_from_many_networks(100)

    with pytest.raises(LoginRefused) as refused:
        owner.log_in(context=CLIENT_B)

    assert refused.value.why == "locked"
    assert owner.has_session(token)
    assert owner.log_in(context=CLIENT_A).token
    owner.fail_from_many_networks(100)
    clock.advance(hours=1, seconds=1)
    assert owner.has_session(token) is False  # idle for an hour
    assert owner.log_in(context=CLIENT_B).token


def log_in_by_link(owner: Owner) -> str:
    owner.follow(owner.link())
    return PASSWORD


def reset_through_the_portal(owner: Owner) -> str:
    owner.set_password(NEW_PASSWORD)
    return NEW_PASSWORD


@pytest.mark.parametrize("unlock", [log_in_by_link, reset_through_the_portal])
def test_portal_unlocks_the_owner(owner: Owner, unlock: Callable[[Owner], str]) -> None:
    """After that, another hundred failures are needed for a lock."""
    owner.fail_from_many_networks(100)

    password = unlock(owner)

    assert owner.log_in(password, CLIENT_B).token


def test_failures_before_the_registration_do_not_lock_the_account(service: Service) -> None:
    """Otherwise anyone could lock future owners out."""
    email = f"boss-{uuid4().hex[:8]}@company.example"
    Owner(Company(service, uuid4(), email)).fail_from_many_networks(100)
    service.commands.accounts.register(PORTAL, email=email, company_name="Winds & Waves", password=PASSWORD)

    assert service.commands.owner_sessions.log_in(email, PASSWORD, CLIENT_B).value.token


def test_recorded_refusals_are_bounded(owner: Owner) -> None:
    """The first five are recorded, then the 8th, the 16th, and so on."""
    for n in range(20):
        owner.fail(context=context_from(f"10.0.1.{n}"))

    assert [event.failures for event in owner.events() if hasattr(event, "why")] == [1, 2, 3, 4, 5, 8, 16]


def test_link_opens_one_session(owner: Owner, database_url: str) -> None:
    """The login is recorded with the method `link`, and the link is deleted."""
    secret = owner.link()
    new_session = owner.follow(secret)

    assert owner.has_session(new_session.token)
    assert owner.events()[-1].via == "link"
    assert fetch(database_url, "SELECT count(*) FROM console_links") == [(0,)]
    with pytest.raises(LoginRefused):
        owner.follow(secret)
    assert event_types(owner.company).count("MainAccountLoggedIn") == 1


def test_links_are_unique(owner: Owner) -> None:
    """Each has 256 random bits, and using one does not affect the others."""
    secrets = {owner.link() for _ in range(5)}

    assert {len(secret) for secret in secrets} == {43}
    assert len({owner.follow(secret).token for secret in secrets}) == 5


def test_concurrent_uses_of_a_link_open_one_session(owner: Owner, build: Callable[..., Service]) -> None:
    """Three services get four requests each."""
    services = [owner.service, build(), build()]
    for _ in range(5):
        secret = owner.link()
        results = run_concurrently([partial(owner.follow, secret, service) for service in services * 4])

        assert sum(isinstance(result, NewSession) for result in results) == 1
        assert sum(isinstance(result, LoginRefused) for result in results) == 11
    assert event_types(owner.company).count("MainAccountLoggedIn") == 5


def test_link_is_valid_for_a_minute(owner: Owner, clock: TravelingClock) -> None:
    clock.freeze()
    early, late = owner.link(), owner.link()
    assert timedelta(seconds=60) == LINK_LIFETIME
    clock.advance(seconds=58)
    assert owner.follow(early).token
    clock.advance(seconds=2)

    with pytest.raises(LoginRefused):
        owner.follow(late)


def test_closed_account_cannot_be_signed_in_to(owner: Owner) -> None:
    """Its sessions end, existing links stop working, and no link is issued."""
    token, secret = owner.log_in().token, owner.link()
    owner.service.commands.accounts.close(owner.company.account_id, PORTAL)

    assert not owner.has_session(token)
    with pytest.raises(LoginRefused):
        owner.follow(secret)
    with pytest.raises(AccountIsClosed):
        owner.link()


def test_no_link_to_an_unknown_account(owner: Owner) -> None:
    """There is no link to a sub-user, either."""
    for invalid_id in (uuid4(), owner.company.create_sub_user().sub_user_id):
        with pytest.raises(AccountNotFound):
            owner.service.commands.owner_sessions.create_link(invalid_id)


def test_idle_session_ends_after_an_hour(owner: Owner, clock: TravelingClock) -> None:
    used, idle = owner.log_in().token, owner.log_in().token
    for _ in range(2):
        clock.advance(minutes=59)
        assert owner.has_session(used)

    assert not owner.has_session(idle)


def test_session_lasts_a_day_at_most(owner: Owner, clock: TravelingClock) -> None:
    """Using it does not extend it."""
    new_session = owner.log_in()
    for _ in range(47):
        clock.advance(minutes=30)
        assert owner.has_session(new_session.token)
    clock.advance(minutes=31)

    assert new_session.expires_at <= clock()
    assert not owner.has_session(new_session.token)


def reset_password(owner: Owner, _: str) -> None:
    owner.set_password(NEW_PASSWORD)


def change_password(owner: Owner, token: str) -> None:
    owner.service.commands.owner_sessions.change_password(token, PASSWORD, NEW_PASSWORD, CLIENT_A)


def log_out_everywhere(owner: Owner, token: str) -> None:
    owner.service.commands.owner_sessions.log_out(token, CLIENT_A, everywhere=True)


def close_account(owner: Owner, _: str) -> None:
    owner.service.commands.accounts.close(owner.company.account_id, PORTAL)


@pytest.mark.parametrize("command", [reset_password, change_password, log_out_everywhere, close_account])
def test_every_session_of_the_owner_ends(
    owner: Owner, build: Callable[..., Service], command: Callable[[Owner, str], None]
) -> None:
    """They end in every process. Sub-users keep their sessions, unless the account is closed."""
    tokens = [owner.log_in().token for _ in range(3)]
    sub_user = owner.company.create_with_own_password()
    sub_user_token, other_service = sub_user.log_in().token, build()

    command(owner, tokens[0])

    for service in (owner.service, other_service):
        assert not any(owner.has_session(token, service) for token in tokens)
        assert sub_user.with_service(service).has_session(sub_user_token) == (command is not close_account)


def test_other_account_changes_end_no_session(owner: Owner) -> None:
    token = owner.log_in().token
    owner.change(company_name="Winds", email=f"boss-{uuid4().hex[:8]}@company.example")

    assert owner.has_session(token)


def test_logout_ends_one_session(owner: Owner) -> None:
    """A second logout with its token is refused."""
    first, second = owner.log_in().token, owner.log_in().token

    owner.service.commands.owner_sessions.log_out(first, CLIENT_A)

    assert not owner.has_session(first)
    assert owner.has_session(second)
    with pytest.raises(SessionEnded):
        owner.service.commands.owner_sessions.log_out(first, CLIENT_A)
    assert event_types(owner.company).count("MainAccountLoggedOut") == 1


def test_password_change_requires_the_current_password(owner: Owner) -> None:
    """It opens a new session, the old password stops working, and both events are recorded together."""
    token = owner.log_in().token

    new_session = owner.service.commands.owner_sessions.change_password(token, PASSWORD, NEW_PASSWORD, CLIENT_A).value

    assert owner.has_session(new_session.token)
    assert event_types(owner.company)[-2:] == ["MainAccountDetailsChanged", "MainAccountLoggedIn"]
    owner.fail()
    with pytest.raises(LoginRefused):
        owner.log_in(PASSWORD)
    assert owner.log_in(NEW_PASSWORD).token


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (PASSWORD, "must differ from the current password"),
        ("short", "must have 15 to 128 characters"),
        ("passwordpassword", "is too common or too easily guessed"),
        ("we are the winds & waves of it", "must not contain the e-mail address or the name"),
    ],
)
def test_new_password_must_meet_the_policy(owner: Owner, new: str, reason: str) -> None:
    """A refused change keeps the session."""
    token = owner.log_in().token

    with pytest.raises(InvalidValue) as refused:
        owner.service.commands.owner_sessions.change_password(token, PASSWORD, new, CLIENT_A)

    assert (refused.value.field, refused.value.reason) == ("new_password", reason)
    assert owner.has_session(token)


def test_guesses_at_the_current_password_are_throttled(owner: Owner, clock: TravelingClock) -> None:
    """A stolen session does not allow unlimited guesses."""
    clock.freeze()
    token = owner.log_in().token

    def guess() -> None:
        owner.service.commands.owner_sessions.change_password(token, "a wrong guess", NEW_PASSWORD, CLIENT_A)

    for _ in range(5):
        with pytest.raises(InvalidValue, match="current_password: is wrong"):
            guess()
    with pytest.raises(TooManyAttempts):
        guess()
    clock.advance(seconds=2)
    assert owner.service.commands.owner_sessions.change_password(token, PASSWORD, NEW_PASSWORD, CLIENT_A).value.token


def test_one_of_two_concurrent_password_changes_succeeds(owner: Owner, build: Callable[..., Service]) -> None:
    """Its password is valid, and the other change is refused."""
    services = [owner.service, build()]
    tokens = [owner.log_in().token for _ in services]
    new_passwords = [NEW_PASSWORD, "nine old umbrellas at the door"]
    changes = [
        partial(service.commands.owner_sessions.change_password, token, PASSWORD, new, CLIENT_A)
        for service, token, new in zip(services, tokens, new_passwords, strict=True)
    ]
    results = run_concurrently(changes)

    (winner,) = [n for n in range(2) if isinstance(results[n], Outcome)]
    assert isinstance(results[1 - winner], (SessionEnded, LoginRefused))
    assert owner.log_in(new_passwords[winner]).token
    with pytest.raises(LoginRefused):
        owner.log_in(new_passwords[1 - winner])


@pytest.mark.parametrize("replace_password", [reset_password, change_password])
def test_password_replaced_during_verification_is_refused(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, replace_password: Callable[[Owner, str], None]
) -> None:
    """Once the change is answered, the old password is wrong, even for a login that began before."""
    token = owner.log_in().token
    verify = Argon2Passwords.verify

    def replace_concurrently(self: Argon2Passwords, password_hash: str | None, password: str) -> bool:
        monkeypatch.setattr(Argon2Passwords, "verify", verify)
        verified = verify(self, password_hash, password)
        replace_password(owner, token)
        return verified

    monkeypatch.setattr(Argon2Passwords, "verify", replace_concurrently)
    with pytest.raises(LoginRefused):
        owner.log_in()
    assert owner.log_in(NEW_PASSWORD).token


def test_tokens_of_owners_and_sub_users_are_not_interchangeable(owner: Owner) -> None:
    """They cannot be used to look up the other's session, to log out, or to change a password."""
    sub_user = owner.company.create_with_own_password()
    owner_token, sub_user_token = owner.log_in().token, sub_user.log_in().token
    sub_user_sessions, owner_sessions = owner.service.commands.sub_user_sessions, owner.service.commands.owner_sessions

    for command in (
        lambda: sub_user_sessions.current(owner_token),
        lambda: sub_user_sessions.log_out(owner_token, CLIENT_A),
        lambda: sub_user_sessions.change_password(owner_token, PASSWORD, NEW_PASSWORD, CLIENT_A),
        lambda: owner_sessions.current(sub_user_token),
        lambda: owner_sessions.log_out(sub_user_token, CLIENT_A),
        lambda: owner_sessions.change_password(sub_user_token, sub_user.password, NEW_PASSWORD, CLIENT_A),
    ):
        with pytest.raises(SessionEnded):
            command()
    assert owner.has_session(owner_token)
    assert sub_user.has_session(sub_user_token)
