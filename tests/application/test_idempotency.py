"""Idempotency keys: a request is executed once, and its response is stored for repetitions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from application.errors import IdempotentResponseExists
from application.transactional_writes import StoreIdempotentResponse, TransactionalWrite
from tests.builders import PORTAL, Company, deliver_mails, event_types
from tests.postgres import fetch
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from application.commands.resources import SubUserDetails
    from application.ports.vault import PersonKey

API_KEY = UUID(int=5)


def store_response(
    service: Service, idempotency_key: str = "key 1"
) -> Callable[[Any, PersonKey], list[TransactionalWrite]]:
    def response_writes(details: SubUserDetails, key: PersonKey) -> list[TransactionalWrite]:
        ciphertext = key.encrypt("answer", f'{{"email": "{details.email}"}}')
        person_id = details.sub_user_id
        return [
            StoreIdempotentResponse(
                API_KEY, idempotency_key, b"fingerprint", 201, "{}", ciphertext, person_id, service.clock()
            )
        ]

    return response_writes


def create(company: Company, email: str = "grace@company.example", idempotency_key: str = "key 1") -> Any:
    return company.service.commands.sub_users.create(
        company.account_id,
        PORTAL,
        email=email,
        name="Grace",
        surname="Hopper",
        password="one phrase for all",
        also_write=store_response(company.service, idempotency_key),
    )


def test_response_is_stored_with_the_command(service: Service, company: Company) -> None:
    """The response is encrypted with the sub-user's key, and has the position of the event."""
    outcome = create(company)

    stored = service.queries.idempotent_responses.find(API_KEY, "key 1")

    assert stored is not None
    assert (stored.status, stored.fingerprint, stored.position) == (201, b"fingerprint", outcome.position)
    key = service.vault.entries([stored.person_id])[stored.person_id].key
    assert key.decrypt("answer", stored.encrypted_body) == '{"email": "grace@company.example"}'


def test_second_request_with_the_key_changes_nothing(service: Service, company: Company) -> None:
    """The request itself would be valid."""
    create(company)
    before = event_types(company)

    with pytest.raises(IdempotentResponseExists):
        create(company, email="another@company.example")

    assert event_types(company) == before


def test_keys_of_different_clients_are_independent(service: Service, company: Company) -> None:
    create(company)

    assert service.queries.idempotent_responses.find(UUID(int=6), "key 1") is None
    assert service.queries.idempotent_responses.find(API_KEY, "key 2") is None


def test_concurrent_requests_with_one_key_are_executed_once(
    company: Company, build: Callable[..., Service], database_url: str
) -> None:
    """16 requests in two processes create one sub-user and store one response."""
    companies = [company, company.with_service(build())]

    results = run_concurrently([partial(create, companies[n % 2], email=f"one-{n}@company.example") for n in range(16)])

    assert sum(isinstance(result, IdempotentResponseExists) for result in results) == 15
    assert event_types(company).count("SubUserCreated") == 1
    assert fetch(database_url, "SELECT count(*) FROM kept_answers") == [(1,)]
    assert fetch(database_url, "SELECT count(*) FROM vault") == [(2,)]


def test_refused_request_stores_no_response(service: Service, company: Company) -> None:
    """The same request can succeed later."""
    sub_user = company.create_sub_user("grace@company.example")
    with pytest.raises(Exception, match="already has this e-mail"):
        create(company)
    assert service.queries.idempotent_responses.find(API_KEY, "key 1") is None

    sub_user.delete()

    assert create(company).value.email == "grace@company.example"


def test_deletion_empties_the_responses_about_a_sub_user(service: Service, company: Company) -> None:
    """The record of the request remains, so that a late retry does not create the sub-user again."""
    created = create(company).value
    service.commands.sub_users.delete(company.account_id, created.sub_user_id, PORTAL)

    stored = service.queries.idempotent_responses.find(API_KEY, "key 1")
    assert stored is not None
    assert (stored.encrypted_body, stored.fingerprint) == ("", b"")


def test_credentials_are_sent_once_per_key(service: Service, company: Company) -> None:
    """The repetition issues no password and sends no mail."""
    sub_user = company.create_active()
    deliver_mails(service)

    def send_again() -> None:
        service.commands.sub_users.send_credentials_again(
            company.account_id, sub_user.sub_user_id, PORTAL, also_write=store_response(service)
        )

    send_again()
    with pytest.raises(IdempotentResponseExists):
        send_again()

    assert len(deliver_mails(service)) == 2
