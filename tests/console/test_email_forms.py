"""Equivalent spellings of an email address are treated as one address."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.callers import OWN_PASSWORD
from tests.console.conftest import OWNER_PASSWORD

if TYPE_CHECKING:
    from tests.console.conftest import AccountConsole

INTERNATIONAL = [
    "{}@bücher.example",
    "{}@BÜCHER.example",
    "{}@bu\u0308cher.example",
    "{}@xn--bcher-kva.example",
    "{}@XN--BCHER-KVA.Example",
    "{}@bücher\u3002example",
]
PLAIN = ["{}@company.example", "{}@COMPANY.example", "{}@\uff43ompany.example"]
SPACES = ["{}", "  {} ", "\t{}\n", "\xa0{}\u3000"]


def spellings(templates: list[str], name: str) -> list[str]:
    addresses = [template.format(part) for template in templates for part in (name, name.upper())]
    return [space.format(address) for address, space in zip(addresses, cycle(SPACES))]  # `cycle` is endless


@pytest.mark.parametrize("templates", [PLAIN, INTERNATIONAL], ids=["plain", "international"])
def test_api_login_accepts_every_spelling_of_both_emails(console: AccountConsole, templates: list[str]) -> None:
    owner = f"boss-{console.account.account_id[:8]}"
    sub_user = console.account.create_with_own_password(email=templates[0].format("grace"))
    console.account.portal.patch(console.account.path, json={"email": templates[0].format(owner)})
    for account_email, email in zip(spellings(templates, owner), spellings(templates, "grace"), strict=True):
        body: dict[str, Any] = {"account_email": account_email, "email": email, "password": OWN_PASSWORD}
        response = console.account.portal.post("/v1/sessions", json=body)
        assert response.status_code == 201, ascii(email)
        assert response.json["sub_user_id"] == sub_user.sub_user_id  # type: ignore[index]


@pytest.mark.parametrize("templates", [PLAIN, INTERNATIONAL], ids=["plain", "international"])
def test_every_spelling_of_a_used_email_is_refused(console: AccountConsole, templates: list[str]) -> None:
    """For sub-users and accounts. Whitespace other than spaces is invalid."""
    owner = f"boss-{console.account.account_id[:8]}"
    console.account.portal.patch(console.account.path, json={"email": templates[0].format(owner)})
    console.account.create_sub_user(email=templates[0].format("grace"))
    for address in (*spellings(templates, "grace"), *spellings(templates, owner)):
        if "boss" in address.lower():
            response = console.account.portal.post("/v1/accounts", json={"email": address, "company_name": "Company"})
        else:
            body = {"email": address, "name": "Grace", "surname": "Hopper"}
            response = console.account.portal.post(f"{console.account.path}/sub-users", json=body)
        assert response.status_code == (422 if "\t" in address else 409), ascii(address)


@pytest.mark.parametrize("templates", [PLAIN, INTERNATIONAL], ids=["plain", "international"])
def test_console_login_accepts_every_spelling(console: AccountConsole, templates: list[str]) -> None:
    owner = f"boss-{console.account.account_id[:8]}"
    sub_user = console.account.create_with_own_password(email=templates[0].format("grace"))
    console.account.portal.patch(console.account.path, json={"email": templates[0].format(owner)})
    for template in templates:
        assert console.browser().log_in(f" {template.format(owner)} ", OWNER_PASSWORD).path.startswith("/sub-users")
        page = console.browser().log_in_as_sub_user(
            template.format(owner), f" {template.format('Grace')} ", OWN_PASSWORD
        )
        assert page.path != "/login?as=sub-user", ascii(template)
    assert sub_user.fetch()["status"] == "active"


def test_search_accepts_every_spelling_of_a_whole_email(console: AccountConsole) -> None:
    """In the API and on the page."""
    sub_user = console.account.create_sub_user(email=INTERNATIONAL[0].format("grace"))
    owner = console.owner()
    for template in INTERNATIONAL:
        query = {"q": template.format("grace")}
        sub_users: Any = console.account.portal.get(f"{console.account.path}/sub-users", query_string=query).json
        assert [item["sub_user_id"] for item in sub_users["items"]] == [sub_user.sub_user_id], ascii(template)
    assert "grace@xn--bcher-kva.example" in owner.get("/sub-users?q=grace@b%C3%BCcher.example").text
