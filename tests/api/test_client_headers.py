"""What a request says of itself: whose browser it is for, and under which id it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.api.callers import require_problem

if TYPE_CHECKING:
    from tests.api.callers import Account, Caller, Doors


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("", None),
        (None, None),
    ],
)
def test_the_portal_says_where_its_client_is(account: Account, portal: Caller, told: str | None, kept: str) -> None:
    """Kept in one form, whatever it was told in; without the header nothing is kept, and never the portal's own."""
    headers = {} if told is None else {"X-Client-IP": told}
    portal.patch(account.path, json={"language": "it"}, headers=headers)
    assert account.rows()[0]["ip"] == kept


@pytest.mark.parametrize(
    "told",
    [
        *("localhost", "192.0.2", "192.0.2.256", "192.0.2.1, 192.0.2.2", "192.0.2.1:443", "192.0.2.0/24", "0x7f000001"),
        *("[2001:db8::1]", "fe80::1%eth0", "fe80::1%<script>", "1::2::3", "\u00e9", "'; --", "x" * 9000, "127.1"),
    ],
)
def test_what_is_no_address_is_refused(account: Account, portal: Caller, told: str) -> None:
    """422 naming the header, and nothing is done."""
    answer = portal.patch(account.path, json={"language": "it"}, headers={"X-Client-IP": told})
    require_problem(answer, 422, "invalid-input", "X-Client-IP")
    assert len(account.rows()) == 1


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"),
        ("tab\tand \x7f delete", "taband  delete"),
        ("x" * 5000, "x" * 400),
        ("\x80\x81", None),
        ("", None),
        (None, None),
    ],
)
def test_the_portal_says_what_browser_its_client_has(
    account: Account, portal: Caller, told: str | None, kept: str | None
) -> None:
    """Up to 400 printable characters are kept of it; the portal's own is nobody's business."""
    headers = {"User-Agent": "the portal's library", **({} if told is None else {"X-Client-User-Agent": told})}
    portal.patch(account.path, json={"language": "it"}, headers=headers)
    assert account.rows()[0]["user_agent"] == kept


def test_nobody_but_the_portal_is_believed(doors: Doors, account: Account) -> None:
    """Of support, what the connection shows is kept: not what it claims, be it ever so wrong."""
    body = {"limit": 12, "reason": "asked by phone"}
    headers = {"X-Client-IP": "no address", "X-Client-User-Agent": "a lie", "X-Request-Id": "a-lie"}
    headers |= {"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9", "User-Agent": "support's terminal"}
    answer = doors.support.put(f"{account.path}/sub-user-limit", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"] != "a-lie"
    row = account.rows()[0]
    assert (row["ip"], row["user_agent"]) == ("127.0.0.1", "support's terminal")


def test_proxies_headers_are_believed_of_nobody(account: Account, portal: Caller) -> None:
    """The portal says so in its own words, or not at all."""
    headers = {"X-Forwarded-For": "192.0.2.9", "X-Real-IP": "192.0.2.9", "Forwarded": "for=192.0.2.9"}
    portal.patch(account.path, json={"language": "it"}, headers=headers)
    assert account.rows()[0]["ip"] is None


@pytest.mark.parametrize("told", ["a", "0af7651916cd43dd8448eb211c80319c", "job:7.retry-2_b", "x" * 64])
def test_the_portal_s_request_id_is_the_answer_s(portal: Caller, account: Account, told: str) -> None:
    """On success and on refusal, in the header and in the problem."""
    assert portal.get(account.path, headers={"X-Request-Id": told}).headers["X-Request-Id"] == told
    refused = portal.patch(account.path, json={"language": "xx"}, headers={"X-Request-Id": told})
    assert require_problem(refused, 422, "invalid-input", "language")["request_id"] == told


@pytest.mark.parametrize("told", [None, "", "two words", "x" * 65, "caf\u00e9", "a/b", "<b>", "a\tb"])
def test_what_is_no_request_id_gets_another(portal: Caller, account: Account, told: str | None) -> None:
    """A UUID of the service's own, a new one each time."""
    headers = {} if told is None else {"X-Request-Id": told}
    ids = {portal.get(account.path, headers=headers).headers["X-Request-Id"] for _ in range(2)}
    assert len({UUID(one) for one in ids}) == 2


def test_strangers_requests_have_ids_too(doors: Doors) -> None:
    """The service's own, on 401, 404 and 405 alike, and on what is open to all."""
    headers = {"X-Request-Id": "a-lie"}
    for path in ("/v1/accounts", "/healthz", "/nowhere", "/v1/sessions"):
        answer = doors.stranger.ask("GET", path, headers=headers)
        assert str(UUID(answer.headers["X-Request-Id"])) != "a-lie"


def test_a_request_id_is_recorded_with_what_it_caused(doors: Doors, account: Account) -> None:
    """Each event holds the id of its request."""
    doors.portal.patch(account.path, json={"language": "it"}, headers={"X-Request-Id": "job-7"})
    (*_, last) = doors.service.main_accounts.events.get(UUID(account.account_id))
    assert getattr(last, "request_id", None) == "job-7"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_scheme_s_case_does_not_matter(doors: Doors, account: Account, scheme: str) -> None:
    """As RFC 9110 has it."""
    key = doors.portal.headers["Authorization"].removeprefix("Bearer ")
    answer = doors.stranger.get(account.path, headers={"Authorization": f"{scheme} {key}"})
    assert answer.status_code == 200
