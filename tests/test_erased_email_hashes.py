"""After erasure, a guessed e-mail cannot be confirmed, even with the database, the master key and the code."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from adapters.encryption import MasterKeys
from adapters.keyed_hashes import HmacHasher
from adapters.postgres.database import Database
from adapters.postgres.tables.vault import PostgresVault
from application.ports.throttle import ThrottleScope
from application.throttle_keys import identity_key, owner_identity_key, sub_user_keys, unknown_sub_users_key
from domain.refusals import LoginRefused, SubUserEmailTaken
from tests.builders import PORTAL, Company, catch_up, deliver_mails
from tests.postgres import connect, fetch
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.conftest import TravelingClock

SUB_USER_EMAIL = "grace.hopper@company.example"
FORMER_EMAIL = "grace.murray@company.example"
OWNER_EMAIL = "the.boss@company.example"
GUESSES = 10_000
HEX = re.compile(rb"[0-9a-f]{16,}")


def stored_hashes(url: str) -> set[str]:
    """Return every hexadecimal string in any table that is long enough for the first 64 bits of a hash."""
    hashes: set[bytes] = set()
    with connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(table))
            for (row,) in connection.execute(rows):
                text = row.encode()
                hashes.update(HEX.findall(text))
                for encoded in HEX.findall(text):
                    if len(encoded) % 2 == 0:  # a bytea may contain text with a hash
                        hashes.update(HEX.findall(bytes.fromhex(encoded.decode())))
    return {encoded.decode() for encoded in hashes}


class Attacker:
    """An attacker with a database dump, the master key and the code."""

    def __init__(self, url: str, master_keys: tuple[bytes, ...], account_id: str) -> None:
        self.database = Database(url, pool_size=1)
        self.vault = PostgresVault(self.database, MasterKeys(master_keys))
        self.keyed_hasher = HmacHasher(self.vault.service_key("fingerprints"))
        self.stored_hashes = stored_hashes(url)
        self.account_id = account_id
        person_ids = [row[0] for row in fetch(url, "SELECT person_id FROM vault")]
        self.keys = [entry.key for entry in self.vault.entries(person_ids).values()]

    def confirms(self, guess: str) -> bool:
        """Return whether any hash of the e-mail that the attacker can compute is in the database."""
        return any(
            hashed.hex() in self.stored_hashes or hashed.hex()[:32] in self.stored_hashes
            for hashed in self.hashes(guess)
        )

    def hashes(self, guess: str) -> Iterator[bytes]:
        keyed_hasher = self.keyed_hasher
        hashed = keyed_hasher.email(guess)
        yield bytes.fromhex(hashed)
        yield bytes.fromhex(keyed_hasher.sub_user_email(self.account_id, guess))  # type: ignore[arg-type]
        for owner_email in (OWNER_EMAIL, guess):
            account_hash = keyed_hasher.email(owner_email)
            yield identity_key(keyed_hasher, account_hash, hashed)
            for ip in (PORTAL.ip, None):
                counters = sub_user_keys(keyed_hasher, account_hash, hashed, ip).counters
                yield from (counter.key for counter in counters if counter.scope is not ThrottleScope.CLIENT)
        yield owner_identity_key(keyed_hasher, hashed)
        yield unknown_sub_users_key(keyed_hasher, hashed).key
        yield from (keyed_hasher.hash(purpose, guess) for purpose in ("email", "sub-user email", "login", "ip"))
        yield from (hashlib.new(name, guess.encode()).digest() for name in ("sha256", "sha1", "md5"))
        yield from (bytes.fromhex(key.email_hash(guess)) for key in self.keys)


def confirmed_emails(url: str, settings: Settings, company: Company, guesses: int = 100) -> list[str]:
    """Return those of `guesses` e-mails, which include the real ones, that the attacker can confirm."""
    attacker = Attacker(url, settings.master_keys, str(company.account_id))
    real_emails = [FORMER_EMAIL, SUB_USER_EMAIL, OWNER_EMAIL]
    other_emails = [f"someone-{number}@company.example" for number in range(guesses - len(real_emails))]
    try:
        return [guess for guess in [*other_emails, *real_emails] if attacker.confirms(guess)]
    finally:
        attacker.database.close()


def store_all_email_hashes(company: Company) -> None:
    """Run every operation that stores a hash of a sub-user's e-mail."""
    former = company.create_with_own_password(FORMER_EMAIL)
    former.change(surname="Murray")
    catch_up(company.service)
    deliver_mails(company.service)
    with pytest.raises(LoginRefused):
        former.log_in("a wrong password")
    former.change(email=SUB_USER_EMAIL)
    sub_user = replace(former, email=SUB_USER_EMAIL)
    for handle in (former, sub_user, former, sub_user):
        with pytest.raises(LoginRefused):
            handle.log_in("a wrong password")
    for number in range(100):  # until a snapshot is taken
        sub_user.change(visible=bool(number % 2))
    with pytest.raises(LoginRefused):
        sub_user.log_in("a wrong password")
    catch_up(company.service)
    deliver_mails(company.service)


@pytest.mark.parametrize(
    ("erasure", "guesses"), [("deleted", 100), ("after a legal hold", 100), ("with their account", GUESSES)]
)
def test_no_guess_is_confirmed_after_erasure(
    build: Callable[..., Service],
    settings: Settings,
    database_url: str,
    clock: TravelingClock,
    erasure: str,
    guesses: int,
) -> None:
    """Sub-users are erased when deleted, after a legal hold, or by `erase-account`, which also erases the owner."""
    delay = timedelta(days=30) if erasure == "after a legal hold" else timedelta()
    service = build(replace(settings, erasure_delay=delay))
    company = Company.register(service, OWNER_EMAIL)
    store_all_email_hashes(company)
    real_emails = {FORMER_EMAIL, SUB_USER_EMAIL, OWNER_EMAIL}
    assert set(confirmed_emails(database_url, settings, company)) == real_emails, "the attack does not work"

    if erasure == "with their account":
        assert service.commands.erasures.erase_account(company.account_id) == 2
    else:
        (sub_user_id,) = company.state().sub_users
        service.commands.sub_users.delete(company.account_id, sub_user_id, PORTAL)
    if erasure == "after a legal hold":
        clock.advance(days=31)
        assert service.commands.erasures.erase_next()
    catch_up(service)

    expected = [] if erasure == "with their account" else [OWNER_EMAIL]
    assert confirmed_emails(database_url, settings, company, guesses) == expected


def test_concurrent_creations_with_one_email_create_one_sub_user(
    build: Callable[..., Service], settings: Settings
) -> None:
    """64 concurrent commands in four services. No unique index can help: stored hashes of one e-mail differ."""
    services = [build(settings) for _ in range(4)]
    company = Company.register(services[0])

    def create(service: Service) -> bool:
        try:
            company.with_service(service).create_sub_user("Grace@Company.example")
        except SubUserEmailTaken:
            return False
        return True

    results = run_concurrently([lambda service=services[number % 4]: create(service) for number in range(64)])  # type: ignore[misc]
    assert (results.count(True), results.count(False)) == (1, 63)
    assert len(company.state().sub_users) == 1


def test_emails_hashed_by_earlier_releases_are_still_found(service: Service, database_url: str) -> None:
    """Sub-users whose e-mail was hashed without a personal key can log in, and their e-mail stays unique."""
    company = Company.register(service)
    sub_user = company.create_with_own_password(SUB_USER_EMAIL)
    former_hash = service.keyed_hasher.sub_user_email(company.account_id, SUB_USER_EMAIL)
    fetch(
        database_url,
        "UPDATE stored_events SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'), "
        "'\"email_hash\":\"[0-9a-f]+\"', %s), 'UTF8') WHERE topic = 'SubUserCreated'",
        f'"email_hash":"{former_hash}"',
    )
    fetch(database_url, "DELETE FROM stored_snapshots")
    assert sub_user.log_in().person_id == sub_user.sub_user_id
    with pytest.raises(SubUserEmailTaken):
        company.create_sub_user(SUB_USER_EMAIL.upper())
    sub_user.delete()
    assert company.create_sub_user(SUB_USER_EMAIL).state().email
