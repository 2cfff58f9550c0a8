"""A request with an idempotency key is carried out once, and its answer kept for the next time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from application.errors import AnswerAlreadyKept
from application.records import AnswerKept, Record
from tests.people import PORTAL, Company, deliver_mails, kinds
from tests.postgres import ask
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap import Service
    from application.ports import PersonKey
    from application.resources import SubUserDetails

API_KEY = UUID(int=5)


def keep(service: Service, idempotency_key: str = "key 1") -> Callable[[Any, PersonKey], list[Record]]:
    def record(details: SubUserDetails, key: PersonKey) -> list[Record]:
        sealed = key.seal("answer", f'{{"email": "{details.email}"}}')
        person_id = details.sub_user_id
        return [AnswerKept(API_KEY, idempotency_key, b"fingerprint", 201, "{}", sealed, person_id, service.clock())]

    return record


def create(company: Company, email: str = "grace@company.example", idempotency_key: str = "key 1") -> Any:
    return company.service.sub_users.create(
        company.account_id,
        PORTAL,
        email=email,
        name="Grace",
        surname="Hopper",
        password="one phrase for all",
        keep=keep(company.service, idempotency_key),
    )


def test_the_answer_is_kept_with_what_it_answers(service: Service, company: Company) -> None:
    """Sealed for the person it is about, with the position of the event it came with."""
    outcome = create(company)

    kept = service.answers.find(API_KEY, "key 1")

    assert kept is not None
    assert (kept.status, kept.fingerprint, kept.position) == (201, b"fingerprint", outcome.position)
    key = service.vault.entries([kept.person_id])[kept.person_id].key
    assert key.open("answer", kept.sealed_body) == '{"email": "grace@company.example"}'


def test_a_second_request_with_the_key_changes_nothing(service: Service, company: Company) -> None:
    """Even when what it asks for would be possible."""
    create(company)
    before = kinds(company)

    with pytest.raises(AnswerAlreadyKept):
        create(company, email="another@company.example")

    assert kinds(company) == before


def test_keys_of_different_clients_are_different_keys(service: Service, company: Company) -> None:
    """What one backend chose is nothing to another."""
    create(company)

    assert service.answers.find(UUID(int=6), "key 1") is None
    assert service.answers.find(API_KEY, "key 2") is None


def test_of_many_at_the_same_moment_one_is_carried_out(
    company: Company, build: Callable[..., Service], database_url: str
) -> None:
    """Sixteen requests with one key through two processes make one sub-user and keep one answer."""
    doors = [company, company.seen_by(build())]

    came_to = at_once([partial(create, doors[n % 2], email=f"one-{n}@company.example") for n in range(16)])

    assert sum(isinstance(one, AnswerAlreadyKept) for one in came_to) == 15
    assert kinds(company).count("SubUserCreated") == 1
    assert ask(database_url, "SELECT count(*) FROM kept_answers") == [(1,)]
    assert ask(database_url, "SELECT count(*) FROM vault") == [(2,)]


def test_a_refused_request_keeps_nothing(service: Service, company: Company) -> None:
    """It is decided anew when it comes again."""
    one = company.let_in("grace@company.example")
    with pytest.raises(Exception, match="already has this e-mail"):
        create(company)
    assert service.answers.find(API_KEY, "key 1") is None

    one.delete()

    assert create(company).value.email == "grace@company.example"


def test_deleting_a_person_empties_the_answers_about_them(service: Service, company: Company) -> None:
    """That there was an answer is kept, so that a late retry does not bring the person back; what it said is not."""
    made = create(company).value
    service.sub_users.delete(company.account_id, made.sub_user_id, PORTAL)

    kept = service.answers.find(API_KEY, "key 1")
    assert kept is not None
    assert (kept.sealed_body, kept.fingerprint) == ("", b"")


def test_access_data_is_sent_again_once(service: Service, company: Company) -> None:
    """The repeated request issues no second password, and mails nothing."""
    one = company.let_in_active()
    deliver_mails(service)

    def again() -> None:
        service.sub_users.send_credentials_again(company.account_id, one.sub_user_id, PORTAL, keep=keep(service))

    again()
    with pytest.raises(AnswerAlreadyKept):
        again()

    assert len(deliver_mails(service)) == 2
