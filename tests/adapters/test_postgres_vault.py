"""Vault: data keys wrapped by the master key, password state, and erasure."""

from __future__ import annotations

import re
import secrets
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.bootstrap import composition_root
from api.bootstrap.config import ConfigError
from application.commands.resources import sub_user_details
from application.transactional_writes import OpenSession, ReplacePasswordHash, StoreDataKey, StorePassword
from domain.assurance_level import AssuranceLevel
from domain.events import SubUserCreated
from tests.builders import PORTAL, Company, deliver_mails
from tests.postgres import fetch
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service


def with_master_keys(settings: Settings, *keys: bytes) -> Settings:
    return replace(settings, master_keys=keys)


def test_stored_data_key_has_a_vault_entry(service: Service, company: Company) -> None:
    """The entry holds the data key, the account and the password state. Unknown ids have no entry."""
    sub_user = company.create_sub_user()
    entries = service.vault.entries([sub_user.sub_user_id, uuid4()])

    assert set(entries) == {sub_user.sub_user_id}
    entry = entries[sub_user.sub_user_id]
    assert entry.account_id == company.account_id
    assert entry.must_change
    assert entry.credentials_version == 1
    assert entry.key.decrypt("email", sub_user.state().email) == sub_user.email


def test_data_key_is_stored_only_by_its_write(service: Service) -> None:
    """`new_data_key` alone stores nothing; the transactional write that it returns does."""
    person_id = uuid4()
    _, store_data_key = service.vault.new_data_key(person_id, uuid4())
    assert service.vault.entries([person_id]) == {}

    service.main_accounts.save(writes=[store_data_key])
    assert set(service.vault.entries([person_id])) == {person_id}


def test_old_master_key_stays_readable_during_rotation(settings: Settings, build: Callable[..., Service]) -> None:
    """With [new, old], existing data is readable and new keys are wrapped by the new master key."""
    (old,), new = settings.master_keys, secrets.token_bytes(32)
    company = Company.register(build())
    earlier_sub_user = company.create_with_own_password("grace@company.example")

    service_with_both_keys = build(with_master_keys(settings, new, old))
    assert earlier_sub_user.with_service(service_with_both_keys).log_in().must_change_password is False
    assert company_name(service_with_both_keys, company) == "Winds & Waves"
    later_sub_user = company.with_service(service_with_both_keys).create_sub_user("alan@company.example")

    master_key_by_person = dict(fetch(settings.database_url or "", "SELECT person_id, master_key_id FROM vault"))
    assert master_key_by_person[later_sub_user.sub_user_id] != master_key_by_person[earlier_sub_user.sub_user_id]


def company_name(service: Service, company: Company) -> str:
    """Return the company's name, decrypted with the data key from this service's vault."""
    key = service.vault.entries([company.account_id])[company.account_id].key
    return key.decrypt("company_name", service.main_accounts.load(company.account_id).company_name)


def test_order_of_master_keys_does_not_matter_for_reading(settings: Settings, build: Callable[..., Service]) -> None:
    """Processes may list the two keys in different orders during a rotation."""
    (old,), new = settings.master_keys, secrets.token_bytes(32)
    build()
    company = Company.register(build(with_master_keys(settings, new, old)))

    assert company_name(build(with_master_keys(settings, old, new)), company) == "Winds & Waves"


def test_wrong_master_key_stops_the_service(settings: Settings, build: Callable[..., Service]) -> None:
    """The error names the setting and reveals no key."""
    build()
    wrong = secrets.token_bytes(32)

    # `build` should fail. If it does not, the stack closes the service, so that it does not leak into other tests.
    with ExitStack() as stack, pytest.raises(ConfigError) as caught:
        stack.callback(composition_root.build(with_master_keys(settings, wrong)).close)

    assert str(caught.value) == "SUBUSERS_MASTER_KEY is not the key that this database was set up with"
    assert caught.value.__cause__ is None


def test_processes_that_start_together_share_the_service_keys(
    settings: Settings, build: Callable[..., Service]
) -> None:
    """The first process creates the key of the hashes; all eight compute the same hash of an e-mail address."""
    services = run_concurrently([build] * 8)

    assert not [error for error in services if isinstance(error, Exception)]
    hashes = {
        service.keyed_hasher.email("grace@company.example")
        for service in services
        if not isinstance(service, Exception)
    }
    assert len(hashes) == 1


def test_personal_data_of_a_deleted_sub_user_cannot_be_decrypted(service: Service, company: Company) -> None:
    """Events stay stored, but their personal data can no longer be decrypted."""
    sub_user = company.create_with_own_password("grace@company.example")
    state = sub_user.state()
    sub_user.delete()

    assert service.vault.entries([sub_user.sub_user_id]) == {}
    assert service.person_key(sub_user.sub_user_id) is None
    (created,) = [
        event for event in service.main_accounts.events.get(company.account_id) if isinstance(event, SubUserCreated)
    ]
    assert created.email == state.email
    owner = service.vault.entries([company.account_id])[company.account_id].key
    with pytest.raises(ValueError, match="cannot be decrypted"):
        sub_user_details(company.account_id, state, owner)


def test_deleted_sub_user_leaves_no_rows_in_the_primary_tables(
    service: Service, company: Company, database_url: str
) -> None:
    """The vault and sessions hold no row of a deleted sub-user; idempotent responses hold no data of theirs."""
    sub_user = company.create_with_own_password()
    sub_user.log_in()
    sub_user.delete()

    for query in (
        "SELECT FROM vault WHERE person_id = %s",
        "SELECT FROM sessions WHERE person_id = %s",
        "SELECT FROM kept_answers WHERE person_id = %s AND (sealed_body <> '' OR fingerprint <> '')",
    ):
        assert fetch(database_url, query, sub_user.sub_user_id) == []


def test_vault_keeps_the_encrypted_password_only_until_the_mail_is_accepted(service: Service, company: Company) -> None:
    """The encrypted password is deleted once the mail is accepted, and never stored if no mail carries it."""
    mailed = company.create_sub_user(password=None)
    assert service.vault.entries([mailed.sub_user_id])[mailed.sub_user_id].encrypted_password is not None
    mailed.change(active=True)
    deliver_mails(service)
    assert service.vault.entries([mailed.sub_user_id])[mailed.sub_user_id].encrypted_password is None

    own = company.create_with_own_password()
    assert service.vault.entries([own.sub_user_id])[own.sub_user_id].encrypted_password is None


def test_repr_reveals_no_secrets(service: Service, company: Company, settings: Settings) -> None:
    """Covers vault entries, transactional writes, sessions, command results, settings and the service."""
    sub_user = company.create_with_own_password()
    session = service.commands.sub_user_sessions.log_in(company.email, sub_user.email, sub_user.password, PORTAL)
    entry = service.vault.entries([sub_user.sub_user_id])[sub_user.sub_user_id]
    writes = [
        StoreDataKey(uuid4(), uuid4(), b"CANARY", "id"),
        StorePassword(
            uuid4(), "CANARY", must_change=True, expires_at=None, credentials_version=1, encrypted_password="CANARY"
        ),
        ReplacePasswordHash(uuid4(), "CANARY", "CANARY"),
        OpenSession(
            session_id=uuid4(),
            token_hash=b"CANARY",
            account_id=uuid4(),
            person_id=uuid4(),
            assurance=AssuranceLevel.PASSWORD,
            opened_at=service.clock(),
            expires_at=service.clock(),
            access_expires_at=None,
            ip=None,
            user_agent=None,
        ),
    ]
    text = " ".join(repr(value) for value in [*writes, entry, session, sub_user, settings, service])

    assert "CANARY" not in text
    assert "$argon2" not in text
    assert session.value.token not in text
    assert sub_user.password not in text
    password = re.search(r":([^:@]+)@", settings.database_url or "")
    assert password is None or password[1] not in text
    assert repr(settings.master_keys[0]) not in text
