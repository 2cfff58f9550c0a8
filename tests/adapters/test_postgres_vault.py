"""The vault keeps what opens personal data, under the master key; what it forgets is gone."""

from __future__ import annotations

import re
import secrets
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api import bootstrap
from api.config import ConfigError
from application.records import PasswordRehashed, PasswordSet, PersonAdded, SessionOpened
from application.resources import sub_user_details
from domain.events import SubUserCreated
from tests.people import PORTAL, Company, deliver_mails
from tests.postgres import ask
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from api.config import Settings


def rewrapped(settings: Settings, *keys: bytes) -> Settings:
    return replace(settings, master_keys=keys)


def test_a_person_is_known_once_recorded(service: Service, company: Company) -> None:
    """The entry holds the key that was handed out, the account, and the password's state; others have none."""
    one = company.let_in()
    entries = service.vault.entries([one.sub_user_id, uuid4()])

    assert set(entries) == {one.sub_user_id}
    entry = entries[one.sub_user_id]
    assert entry.account_id == company.account_id
    assert entry.must_change
    assert entry.credentials == 1
    assert entry.key.open("email", one.state().email) == one.email


def test_a_key_is_not_kept_before_it_is_recorded(service: Service) -> None:
    """Making a person is a promise that only the record keeps."""
    person_id = uuid4()
    service.vault.new_person(person_id, uuid4())

    assert service.vault.entries([person_id]) == {}


def test_a_new_master_key_opens_what_the_old_one_wrapped(settings: Settings, build: Callable[..., Service]) -> None:
    """With [new, old] everything from before can be read, and what is added needs the new key alone."""
    (old,), new = settings.master_keys, secrets.token_bytes(32)
    before = Company.register(build())
    one = before.let_in_settled("grace@company.example")

    both = build(rewrapped(settings, new, old))
    assert one.seen_by(both).log_in().must_change_password is False
    assert service_name(both, before) == "Winds & Waves"
    added = before.seen_by(both).let_in("alan@company.example")

    wrapped_by = dict(ask(settings.database_url or "", "SELECT person_id, master_key_id FROM vault"))
    assert wrapped_by[added.sub_user_id] != wrapped_by[one.sub_user_id]


def service_name(service: Service, company: Company) -> str:
    """Return the company's name, opened with the key that this service gets for it."""
    key = service.vault.entries([company.account_id])[company.account_id].key
    return key.open("company_name", service.main_accounts.load(company.account_id).company_name)


def test_the_order_of_master_keys_does_not_matter_for_reading(
    settings: Settings, build: Callable[..., Service]
) -> None:
    """A process that was not restarted yet reads what one with the new key wrote, once it has both."""
    (old,), new = settings.master_keys, secrets.token_bytes(32)
    build()
    company = Company.register(build(rewrapped(settings, new, old)))

    assert service_name(build(rewrapped(settings, old, new)), company) == "Winds & Waves"


def test_a_wrong_master_key_stops_the_service(settings: Settings, build: Callable[..., Service]) -> None:
    """A service that could read nothing does not start; it says which setting is wrong, in one line, and no more."""
    build()
    wrong = secrets.token_bytes(32)

    with ExitStack() as stack, pytest.raises(ConfigError) as caught:
        stack.callback(bootstrap.build(rewrapped(settings, wrong)).close)

    assert str(caught.value) == "SUBUSERS_MASTER_KEY is not the key that this database was set up with"
    assert caught.value.__cause__ is None


def test_processes_that_start_together_agree_on_the_service_keys(
    settings: Settings, build: Callable[..., Service]
) -> None:
    """Whoever comes first makes the key of the fingerprints; all of eight find an e-mail under the same."""
    services = at_once([build] * 8)

    assert not [error for error in services if isinstance(error, Exception)]
    found = {one.fingerprints.email("grace@company.example") for one in services if not isinstance(one, Exception)}
    assert len(found) == 1


def test_a_forgotten_person_cannot_be_read_again(service: Service, company: Company) -> None:
    """With the key goes every way to read what the history holds of them; the history itself stays."""
    one = company.let_in_settled("grace@company.example")
    held = one.state()
    one.delete()

    assert service.vault.entries([one.sub_user_id]) == {}
    assert service.person_key(one.sub_user_id) is None
    (created,) = [
        event for event in service.main_accounts.events.get(company.account_id) if isinstance(event, SubUserCreated)
    ]
    assert created.email == held.email
    owner = service.vault.entries([company.account_id])[company.account_id].key
    with pytest.raises(ValueError, match="cannot be opened"):
        sub_user_details(company.account_id, held, owner)


def test_a_forgotten_person_leaves_nothing_in_the_primary_tables(
    service: Service, company: Company, database_url: str
) -> None:
    """Vault and sessions hold no row of somebody who was deleted, and stored answers nothing of them."""
    one = company.let_in_settled()
    one.log_in()
    one.delete()

    for query in (
        "SELECT FROM vault WHERE person_id = %s",
        "SELECT FROM sessions WHERE person_id = %s",
        "SELECT FROM kept_answers WHERE person_id = %s AND (sealed_body <> '' OR fingerprint <> '')",
    ):
        assert ask(database_url, query, one.sub_user_id) == []


def test_the_vault_keeps_the_plain_password_no_longer_than_the_mail_needs(service: Service, company: Company) -> None:
    """Sealed until the mail has been accepted; not kept at all of a password that no mail carries."""
    mailed = company.let_in(password=None)
    assert service.vault.entries([mailed.sub_user_id])[mailed.sub_user_id].sealed_password is not None
    mailed.change(active=True)
    deliver_mails(service)
    assert service.vault.entries([mailed.sub_user_id])[mailed.sub_user_id].sealed_password is None

    own = company.let_in_settled()
    assert service.vault.entries([own.sub_user_id])[own.sub_user_id].sealed_password is None


def test_nothing_secret_shows(service: Service, company: Company, settings: Settings) -> None:
    """No key, hash or token is in the repr of an entry, a record, a session, a command's outcome, or the settings."""
    one = company.let_in_settled()
    session = service.sessions.log_in(company.email, one.email, one.password, PORTAL)
    entry = service.vault.entries([one.sub_user_id])[one.sub_user_id]
    records = [
        PersonAdded(uuid4(), uuid4(), b"CANARY", "id"),
        PasswordSet(uuid4(), "CANARY", must_change=True, expires_at=None, credentials=1, sealed_password="CANARY"),
        PasswordRehashed(uuid4(), "CANARY", "CANARY"),
        SessionOpened(
            session_id=uuid4(),
            token_hash=b"CANARY",
            account_id=uuid4(),
            person_id=uuid4(),
            restricted=False,
            opened_at=service.clock(),
            expires_at=service.clock(),
            access_expires_at=None,
            ip=None,
            user_agent=None,
        ),
    ]
    shown = " ".join(repr(thing) for thing in [*records, entry, session, one, settings, service])

    assert "CANARY" not in shown
    assert "$argon2" not in shown
    assert session.value.token not in shown
    assert one.password not in shown
    password = re.search(r":([^:@]+)@", settings.database_url or "")
    assert password is None or password[1] not in shown
    assert repr(settings.master_keys[0]) not in shown
