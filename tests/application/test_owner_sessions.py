"""The owner of an account logs in: with a password, or by a link of the portal's, good once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher

from adapters.passwords import Argon2Passwords
from adapters.postgres.throttle import PostgresThrottle
from application.accounts import AccountChanges
from application.attempts import owner_attempt_keys
from application.errors import InvalidValue, SessionEnded, TooManyAttempts
from application.main_accounts import Outcome
from application.new_session import SESSION_LIFETIME
from application.owner_sessions import LINK_LIFETIME, OpenedOwnerSession
from application.records import PasswordSet
from domain.refusals import AccountIsClosed, AccountNotFound, LoginRefused
from tests.people import PORTAL, Company, client, kinds
from tests.postgres import ask
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from application.origin import Origin
    from tests.conftest import TravelingClock

HERE, THERE = client("192.0.2.1"), client("192.0.2.2")
PASSWORD = "seven wet umbrellas under a lamp"
ANOTHER = "eight dry umbrellas in the sun"


@dataclass(frozen=True)
class Owner:
    """The owner of an account, and the password that they know."""

    company: Company
    password: str = field(default=PASSWORD, repr=False)

    @property
    def service(self) -> Service:
        return self.company.service

    def log_in(self, password: str | None = None, origin: Origin = HERE) -> OpenedOwnerSession:
        return self.service.owner_sessions.log_in(self.company.email, password or self.password, origin).value

    def follow(self, secret: str, service: Service | None = None) -> OpenedOwnerSession:
        return (service or self.service).owner_sessions.log_in_by_link(secret, HERE).value

    def link(self) -> str:
        return self.service.owner_sessions.offer_link(self.company.account_id)

    def fail(self, times: int = 1, origin: Origin = HERE) -> None:
        for _ in range(times):
            with pytest.raises(LoginRefused):
                self.log_in("not the right one", origin)

    def fail_from_everywhere(self, times: int) -> None:
        """Count failures as logins from so many clients would, without the work of verifying a password each time."""
        fingerprints, throttle = self.service.fingerprints, PostgresThrottle(self.service.database)
        for n in range(times):
            keys = owner_attempt_keys(fingerprints, fingerprints.email(self.company.email), f"10.2.0.{n}")
            throttle.failed(keys, self.service.clock())

    def set_password(self, password: str) -> None:
        self.change(password=password)

    def change(self, **changes: Any) -> None:
        self.service.accounts.change(self.company.account_id, AccountChanges(**changes), PORTAL)

    def has_session(self, token: str, service: Service | None = None) -> bool:
        try:
            session = (service or self.service).owner_sessions.current(token)
        except SessionEnded:
            return False
        return session.account_id == self.company.account_id

    def events(self) -> list[Any]:
        return list(self.service.main_accounts.events.get(self.company.account_id))

    def why_refused(self) -> list[str]:
        return [event.why for event in self.events() if type(event).__name__ == "MainAccountLoginRefused"]


@pytest.fixture
def owner(service: Service) -> Owner:
    """Give the owner of an account that was registered with a password."""
    email = f"boss-{uuid4().hex[:8]}@company.example"
    made = service.accounts.register(PORTAL, email=email, company_name="Winds & Waves", password=PASSWORD).value
    return Owner(Company(service, made.account_id, email))


def test_the_right_password_opens_a_session(owner: Owner) -> None:
    """Whatever the case of the e-mail; recorded, with where it came from."""
    outcome = owner.service.owner_sessions.log_in(owner.company.email.upper(), PASSWORD, client("192.0.2.10"))

    opened, event = outcome.value, owner.events()[-1]
    session = owner.service.owner_sessions.current(opened.token)
    assert opened.account_id == session.account_id == session.person_id == owner.company.account_id
    assert not session.restricted
    assert abs(opened.expires_at - owner.service.clock() - SESSION_LIFETIME) < timedelta(seconds=30)
    assert outcome.position is not None
    assert (type(event).__name__, event.via, event.session_id) == (
        "MainAccountLoggedIn",
        "password",
        session.session_id,
    )
    assert (event.actor_type, event.actor_id) == ("main_account", str(owner.company.account_id))
    key = owner.service.person_key(owner.company.account_id)
    assert key is not None
    assert key.open("ip", event.ip) == "192.0.2.10"


def wrong_password(owner: Owner) -> tuple[str, str]:
    return owner.company.email, "not the right one"


def unknown_account(_: Owner) -> tuple[str, str]:
    return "nobody@company.example", PASSWORD


def without_password(owner: Owner) -> tuple[str, str]:
    return Company.register(owner.service).email, PASSWORD


def sub_user(owner: Owner) -> tuple[str, str]:
    one = owner.company.let_in_settled()
    return one.email, one.password


def closed(owner: Owner) -> tuple[str, str]:
    owner.service.accounts.close(owner.company.account_id, PORTAL)
    return owner.company.email, PASSWORD


def locked(owner: Owner) -> tuple[str, str]:
    owner.fail_from_everywhere(100)
    return owner.company.email, PASSWORD


REASONS: dict[Callable[[Owner], tuple[str, str]], list[str]] = {
    wrong_password: ["wrong_password"],
    unknown_account: [],
    without_password: [],
    sub_user: [],
    closed: [],
    locked: [],
}
"""What each leaves in the account's history. The 101st failure in a row is none that is recorded."""


@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_is_the_same_to_the_caller(
    owner: Owner, reason: Callable[[Owner], tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error with one message, after one password was verified, whatever was wrong."""
    verified: list[str | None] = []
    verify = Argon2Passwords.verify

    def count(self: Argon2Passwords, password_hash: str | None, password: str) -> bool:
        verified.append(password_hash)
        return verify(self, password_hash, password)

    email, password = reason(owner)
    monkeypatch.setattr(Argon2Passwords, "verify", count)
    with pytest.raises(LoginRefused) as refused:
        owner.service.owner_sessions.log_in(email, password, THERE)

    assert str(refused.value) == str(LoginRefused("anything"))
    assert len(verified) == 1
    assert owner.why_refused() == REASONS[reason]


@pytest.mark.parametrize("odd", ["", "\x00", "\ud800", "x" * 100_000, "a@b@c", "'; DROP TABLE vault; --"])
def test_odd_input_is_refused_like_any_other(owner: Owner, odd: str) -> None:
    """As an e-mail, as a password, as a link, and as a token."""
    for email, password in ((odd, PASSWORD), (owner.company.email, odd)):
        with pytest.raises(LoginRefused):
            owner.service.owner_sessions.log_in(email, password, HERE)
    with pytest.raises(LoginRefused):
        owner.follow(odd)
    assert not owner.has_session(odd)


def test_an_outdated_hash_is_made_anew_at_login(owner: Owner) -> None:
    """As a sub-user's is, and the password stays the same."""
    account_id = owner.company.account_id
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    owner.service.main_accounts.save(records=[PasswordSet.chosen(account_id, weak, 1)])

    owner.log_in()

    made_anew = owner.service.vault.entries([account_id])[account_id].password_hash
    assert made_anew is not None
    assert not Argon2Passwords(1).is_outdated(made_anew)
    assert owner.log_in().token


def test_from_the_fifth_failure_on_the_owner_waits(owner: Owner, clock: TravelingClock) -> None:
    """As a sub-user does: from that client alone, and a success ends the row."""
    clock.stand_still()
    owner.fail(5)
    with pytest.raises(TooManyAttempts) as too_many:
        owner.log_in()
    assert 0 < too_many.value.retry_after <= 1
    assert owner.log_in(origin=THERE).token
    clock.advance(seconds=1.001)
    assert owner.log_in().token
    owner.fail(4)

    assert owner.log_in().token


def test_waiting_is_the_same_for_an_account_that_does_not_exist(service: Service, clock: TravelingClock) -> None:
    """It tells nothing."""
    clock.stand_still()
    for _ in range(5):
        with pytest.raises(LoginRefused):
            service.owner_sessions.log_in("nobody@company.example", "a guess", HERE)
    with pytest.raises(TooManyAttempts):
        service.owner_sessions.log_in("nobody@company.example", "a guess", HERE)


def test_guesses_at_the_same_moment_count_one_after_the_other(owner: Owner, clock: TravelingClock) -> None:
    """Twelve at once from one client are five guesses, and then a wait."""
    clock.stand_still()
    came_to = at_once([lambda: owner.log_in("not the right one")] * 12)

    assert sum(isinstance(answer, LoginRefused) for answer in came_to) == 5
    assert sum(isinstance(answer, TooManyAttempts) for answer in came_to) == 7


def test_thirty_failures_a_minute_close_the_door_to_an_address(owner: Owner, clock: TravelingClock) -> None:
    """To owners and sub-users alike: the address is one."""
    clock.stand_still()
    one = owner.company.let_in_settled()
    for n in range(30):
        with pytest.raises(LoginRefused):
            owner.service.owner_sessions.log_in(f"guess-{n}@company.example", "a guess", HERE)

    with pytest.raises(TooManyAttempts):
        owner.log_in()
    with pytest.raises(TooManyAttempts):
        one.log_in(origin=HERE)
    assert owner.log_in(origin=THERE).token


def test_an_owner_and_a_sub_user_of_one_address_are_counted_apart(owner: Owner) -> None:
    """Who guesses at the one does not hold up the other."""
    one = owner.company.let_in_settled(email=owner.company.email)
    owner.fail(5)

    assert one.log_in(origin=HERE).token


def test_a_hundred_failures_keep_the_password_out(owner: Owner) -> None:
    """From wherever they came; sessions go on, and ninety-nine do not."""
    token = owner.log_in().token
    owner.fail_from_everywhere(99)
    assert owner.log_in(origin=THERE).token
    owner.fail_from_everywhere(100)

    with pytest.raises(LoginRefused) as refused:
        owner.log_in(origin=THERE)

    assert refused.value.why == "locked"
    assert owner.has_session(token)


def by_link(owner: Owner) -> str:
    owner.follow(owner.link())
    return PASSWORD


def by_the_portal(owner: Owner) -> str:
    owner.set_password(ANOTHER)
    return ANOTHER


@pytest.mark.parametrize("way_out", [by_link, by_the_portal])
def test_the_portal_lets_a_locked_owner_in_again(owner: Owner, way_out: Callable[[Owner], str]) -> None:
    """And it takes a hundred failures anew to keep the password out."""
    owner.fail_from_everywhere(100)

    password = way_out(owner)

    assert owner.log_in(password, THERE).token


def test_guesses_at_an_address_do_not_lock_the_account_that_is_registered_with_it_later(service: Service) -> None:
    """Or anybody could keep owners-to-be out."""
    email = f"boss-{uuid4().hex[:8]}@company.example"
    Owner(Company(service, uuid4(), email)).fail_from_everywhere(100)
    service.accounts.register(PORTAL, email=email, company_name="Winds & Waves", password=PASSWORD)

    assert service.owner_sessions.log_in(email, PASSWORD, THERE).value.token


def test_the_history_of_refusals_is_bounded(owner: Owner) -> None:
    """The first five, the 8th, the 16th, and so on."""
    for n in range(20):
        owner.fail(origin=client(f"10.0.1.{n}"))

    assert [e.failures for e in owner.events() if hasattr(e, "why")] == [1, 2, 3, 4, 5, 8, 16]


def test_a_link_opens_a_session_once(owner: Owner, database_url: str) -> None:
    """Recorded as what it is, and then it is gone."""
    secret = owner.link()
    opened = owner.follow(secret)

    assert owner.has_session(opened.token)
    assert owner.events()[-1].via == "link"
    assert ask(database_url, "SELECT count(*) FROM console_links") == [(0,)]
    with pytest.raises(LoginRefused):
        owner.follow(secret)
    assert kinds(owner.company).count("MainAccountLoggedIn") == 1


def test_links_are_never_the_same(owner: Owner) -> None:
    """Each of 256 bits, and each good by itself."""
    secrets = {owner.link() for _ in range(5)}

    assert {len(secret) for secret in secrets} == {43}
    assert len({owner.follow(secret).token for secret in secrets}) == 5


def test_of_many_who_use_a_link_at_once_one_gets_in(owner: Owner, build: Callable[..., Service]) -> None:
    """Through several processes at the same moment."""
    services = [owner.service, build(), build()]
    for _ in range(5):
        secret = owner.link()
        came_to = at_once([partial(owner.follow, secret, service) for service in services * 4])

        assert sum(isinstance(answer, OpenedOwnerSession) for answer in came_to) == 1
        assert sum(isinstance(answer, LoginRefused) for answer in came_to) == 11
    assert kinds(owner.company).count("MainAccountLoggedIn") == 5


def test_a_link_is_good_for_a_minute(owner: Owner, clock: TravelingClock) -> None:
    """And then it is not."""
    clock.stand_still()
    early, late = owner.link(), owner.link()
    assert timedelta(seconds=60) == LINK_LIFETIME
    clock.advance(seconds=58)
    assert owner.follow(early).token
    clock.advance(seconds=2)

    with pytest.raises(LoginRefused):
        owner.follow(late)


def test_a_closed_account_has_no_way_in(owner: Owner) -> None:
    """Its sessions end, no link is offered, and one that was is good no more."""
    token, secret = owner.log_in().token, owner.link()
    owner.service.accounts.close(owner.company.account_id, PORTAL)

    assert not owner.has_session(token)
    with pytest.raises(LoginRefused):
        owner.follow(secret)
    with pytest.raises(AccountIsClosed):
        owner.link()


def test_there_is_no_link_to_an_account_that_does_not_exist(owner: Owner) -> None:
    """Nor to a sub-user's."""
    for nobody in (uuid4(), owner.company.let_in().sub_user_id):
        with pytest.raises(AccountNotFound):
            owner.service.owner_sessions.offer_link(nobody)


def test_an_idle_session_ends_after_an_hour(owner: Owner, clock: TravelingClock) -> None:
    """As a sub-user's does."""
    used, idle = owner.log_in().token, owner.log_in().token
    for _ in range(2):
        clock.advance(minutes=59)
        assert owner.has_session(used)

    assert not owner.has_session(idle)


def test_no_session_lasts_longer_than_a_day(owner: Owner, clock: TravelingClock) -> None:
    """However much it is used."""
    opened = owner.log_in()
    for _ in range(47):
        clock.advance(minutes=30)
        assert owner.has_session(opened.token)
    clock.advance(minutes=31)

    assert opened.expires_at <= clock()
    assert not owner.has_session(opened.token)


def set_by_the_portal(owner: Owner, _: str) -> None:
    owner.set_password(ANOTHER)


def chosen(owner: Owner, token: str) -> None:
    owner.service.owner_sessions.change_password(token, PASSWORD, ANOTHER, HERE)


def logged_out_everywhere(owner: Owner, token: str) -> None:
    owner.service.owner_sessions.log_out(token, HERE, everywhere=True)


def account_closed(owner: Owner, _: str) -> None:
    owner.service.accounts.close(owner.company.account_id, PORTAL)


@pytest.mark.parametrize("ending", [set_by_the_portal, chosen, logged_out_everywhere, account_closed])
def test_every_session_of_the_owner_ends_everywhere(
    owner: Owner, build: Callable[..., Service], ending: Callable[[Owner, str], None]
) -> None:
    """In every process at once, and those of sub-users only where the account is closed."""
    tokens = [owner.log_in().token for _ in range(3)]
    one = owner.company.let_in_settled()
    theirs, elsewhere = one.log_in().token, build()

    ending(owner, tokens[0])

    for service in (owner.service, elsewhere):
        assert not any(owner.has_session(token, service) for token in tokens)
        assert one.seen_by(service).has_session(theirs) == (ending is not account_closed)


def test_other_changes_of_the_account_end_no_session(owner: Owner) -> None:
    """Neither a name nor an e-mail is what a session was opened with."""
    token = owner.log_in().token
    owner.change(company_name="Winds", email=f"boss-{uuid4().hex[:8]}@company.example")

    assert owner.has_session(token)


def test_logging_out_ends_one_session(owner: Owner) -> None:
    """The one of the token, and no other; once."""
    first, second = owner.log_in().token, owner.log_in().token

    owner.service.owner_sessions.log_out(first, HERE)

    assert not owner.has_session(first)
    assert owner.has_session(second)
    with pytest.raises(SessionEnded):
        owner.service.owner_sessions.log_out(first, HERE)
    assert kinds(owner.company).count("MainAccountLoggedOut") == 1


def test_another_password_is_chosen_with_the_current_one(owner: Owner) -> None:
    """The answer holds a new session, the old password opens nothing, and the history has both events together."""
    token = owner.log_in().token

    opened = owner.service.owner_sessions.change_password(token, PASSWORD, ANOTHER, HERE).value

    assert owner.has_session(opened.token)
    assert kinds(owner.company)[-2:] == ["MainAccountDetailsChanged", "MainAccountLoggedIn"]
    owner.fail()
    with pytest.raises(LoginRefused):
        owner.log_in(PASSWORD)
    assert owner.log_in(ANOTHER).token


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (PASSWORD, "must differ from the current password"),
        ("short", "must have 15 to 128 characters"),
        ("passwordpassword", "is too common or too easily guessed"),
        ("we are the winds & waves of it", "must not contain the e-mail address or the name"),
    ],
)
def test_a_password_that_will_not_do_is_refused(owner: Owner, new: str, reason: str) -> None:
    """And nothing has changed."""
    token = owner.log_in().token

    with pytest.raises(InvalidValue) as refused:
        owner.service.owner_sessions.change_password(token, PASSWORD, new, HERE)

    assert (refused.value.field, refused.value.reason) == ("new_password", reason)
    assert owner.has_session(token)


def test_guessing_the_current_password_gets_slower_too(owner: Owner, clock: TravelingClock) -> None:
    """Who took over a session cannot try passwords without end."""
    clock.stand_still()
    token = owner.log_in().token

    def guess() -> None:
        owner.service.owner_sessions.change_password(token, "a wrong guess", ANOTHER, HERE)

    for _ in range(5):
        with pytest.raises(InvalidValue, match="current_password: is wrong"):
            guess()
    with pytest.raises(TooManyAttempts):
        guess()
    clock.advance(seconds=2)
    assert owner.service.owner_sessions.change_password(token, PASSWORD, ANOTHER, HERE).value.token


def test_of_two_changes_of_a_password_at_once_one_counts(owner: Owner, build: Callable[..., Service]) -> None:
    """Its session is the only one that is left, and its password the only one that is right."""
    services = [owner.service, build()]
    tokens = [owner.log_in().token for _ in services]
    chosen = [ANOTHER, "nine old umbrellas at the door"]
    changes = [
        partial(service.owner_sessions.change_password, token, PASSWORD, new, HERE)
        for service, token, new in zip(services, tokens, chosen, strict=True)
    ]
    came_to = at_once(changes)

    (winner,) = [n for n in range(2) if isinstance(came_to[n], Outcome)]
    assert isinstance(came_to[1 - winner], (SessionEnded, LoginRefused))
    assert owner.log_in(chosen[winner]).token
    with pytest.raises(LoginRefused):
        owner.log_in(chosen[1 - winner])


@pytest.mark.parametrize("way", [set_by_the_portal, chosen])
def test_a_password_replaced_while_it_was_verified_opens_nothing(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, way: Callable[[Owner, str], None]
) -> None:
    """Once the command that replaced it has been answered, the old password is wrong."""
    token = owner.log_in().token
    verify = Argon2Passwords.verify

    def replace_meanwhile(self: Argon2Passwords, password_hash: str | None, password: str) -> bool:
        monkeypatch.setattr(Argon2Passwords, "verify", verify)
        verified = verify(self, password_hash, password)
        way(owner, token)
        return verified

    monkeypatch.setattr(Argon2Passwords, "verify", replace_meanwhile)
    with pytest.raises(LoginRefused):
        owner.log_in()
    assert owner.log_in(ANOTHER).token


def test_the_tokens_of_owners_and_sub_users_are_not_taken_for_each_other(owner: Owner) -> None:
    """Neither to look up, nor to log out, nor to change a password."""
    one = owner.company.let_in_settled()
    owners, theirs = owner.log_in().token, one.log_in().token
    sub_users, owners_own = owner.service.sessions, owner.service.owner_sessions

    for refused in (
        lambda: sub_users.current(owners),
        lambda: sub_users.log_out(owners, HERE),
        lambda: sub_users.change_own_password(owners, PASSWORD, ANOTHER, HERE),
        lambda: owners_own.current(theirs),
        lambda: owners_own.log_out(theirs, HERE),
        lambda: owners_own.change_password(theirs, one.password, ANOTHER, HERE),
    ):
        with pytest.raises(SessionEnded):
            refused()
    assert owner.has_session(owners)
    assert one.has_session(theirs)
