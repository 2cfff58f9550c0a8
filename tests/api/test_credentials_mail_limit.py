"""Rate limit of credentials mails, per sub-user and per account."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.api.clients import ApiClients, require_problem
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service
    from tests.api.clients import Account


def test_sub_user_gets_at_most_five_credentials_mails_an_hour(account: Account) -> None:
    """The mail of the activation counts. The refusal has Retry-After, and changes nothing."""
    sub_user = account.create_active()
    for _ in range(4):
        assert account.portal.post(f"{sub_user.path}/credentials-mail").status_code == 202
    etag = sub_user.fetch_etag()

    response = account.portal.post(f"{sub_user.path}/credentials-mail")

    require_problem(response, 429, "too-many-mails")
    assert 3500 < int(response.headers["Retry-After"]) <= 3600
    assert sub_user.fetch_etag() == etag


def test_idempotent_repeats_do_not_count(account: Account) -> None:
    """They send no mail."""
    sub_user = account.create_active()
    for number in range(4):
        for _ in range(5):
            headers = {"Idempotency-Key": f"{sub_user.sub_user_id}-{number}"}
            assert account.portal.post(f"{sub_user.path}/credentials-mail", headers=headers).status_code == 202

    require_problem(account.portal.post(f"{sub_user.path}/credentials-mail"), 429, "too-many-mails")


def test_change_beyond_the_mail_limit_is_refused_completely(account: Account) -> None:
    """Each activation sends a mail; the name in the same request is not changed either."""
    sub_user = account.create_sub_user()
    for _ in range(5):
        sub_user.change(status="active")
        sub_user.change(status="inactive")

    response = account.portal.patch(sub_user.path, json={"status": "active", "name": "Ada"})

    require_problem(response, 429, "too-many-mails")
    assert (sub_user.fetch()["name"], sub_user.fetch()["status"]) == ("Grace", "inactive")
    sub_user.change(name="Ada")


def test_mail_limit_holds_across_services_on_one_database(build: Callable[..., Service]) -> None:
    """Of 12 concurrent requests, four send a mail: the activation has sent the first of five."""
    services = [ApiClients.of(build()) for _ in range(2)]
    sub_user = services[0].register_account().create_active()

    responses = run_concurrently(
        [partial(services[number % 2].portal.post, f"{sub_user.path}/credentials-mail") for number in range(12)]
    )

    statuses = [getattr(response, "status_code", response) for response in responses]
    assert (statuses.count(202), statuses.count(429)) == (4, 8)
