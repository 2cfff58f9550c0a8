"""Equivalent spellings of an e-mail address are treated as one address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.clients import OWN_PASSWORD
from tests.console.conftest import OWNER_PASSWORD

if TYPE_CHECKING:
    from tests.api.clients import SubUser
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
SURROUNDINGS = ["{}", "  {} ", "\t{}\n", "\xa0{}\u3000"]

each_kind_of_domain = pytest.mark.parametrize("templates", [PLAIN, INTERNATIONAL], ids=["plain", "international"])


def spellings(templates: list[str], local_part: str) -> list[str]:
    """Return an address with each spelling of its domain, in lower and upper case, with varying white space around."""
    addresses = [template.format(part) for template in templates for part in (local_part, local_part.upper())]
    return [SURROUNDINGS[number % len(SURROUNDINGS)].format(address) for number, address in enumerate(addresses)]


def owner_local_part(console: AccountConsole) -> str:
    """Return the local part of an owner's address that no other test uses."""
    return f"boss-{console.account.account_id[:8]}"


def set_addresses(console: AccountConsole, template: str) -> SubUser:
    """Add a sub-user with their own password, change the owner's address, and return the sub-user."""
    sub_user = console.account.create_with_own_password(email=template.format("grace"))
    address = template.format(owner_local_part(console))
    changes = {"email": address, "email_verified": True}
    assert console.account.portal.patch(console.account.path, json=changes).status_code == 200
    return sub_user


@each_kind_of_domain
def test_api_login_accepts_every_spelling_of_both_emails(console: AccountConsole, templates: list[str]) -> None:
    sub_user = set_addresses(console, templates[0])
    account_emails = spellings(templates, owner_local_part(console))
    for account_email, email in zip(account_emails, spellings(templates, "grace"), strict=True):
        body: dict[str, Any] = {"account_email": account_email, "email": email, "password": OWN_PASSWORD}
        response = console.account.portal.post("/v1/sessions", json=body)
        assert response.status_code == 201, ascii(email)
        assert response.json["sub_user_id"] == sub_user.sub_user_id  # type: ignore[index]


@each_kind_of_domain
def test_every_spelling_of_a_used_email_is_refused(console: AccountConsole, templates: list[str]) -> None:
    """Surrounding spaces are ignored; tabs and line breaks make an address invalid."""
    set_addresses(console, templates[0])
    portal = console.account.portal
    for email in spellings(templates, owner_local_part(console)):
        response = portal.post("/v1/accounts", json={"email": email, "company_name": "Company"})
        assert response.status_code == (422 if "\t" in email else 409), ascii(email)
    for email in spellings(templates, "grace"):
        body = {"email": email, "name": "Grace", "surname": "Hopper"}
        response = portal.post(f"{console.account.path}/sub-users", json=body)
        assert response.status_code == (422 if "\t" in email else 409), ascii(email)


@each_kind_of_domain
def test_console_login_accepts_every_spelling(console: AccountConsole, templates: list[str]) -> None:
    set_addresses(console, templates[0])
    for template in templates:
        account_email, email = template.format(owner_local_part(console)), template.format("Grace")
        page = console.browser().log_in(f" {account_email} ", OWNER_PASSWORD)
        assert (page.status, page.path) == (200, "/sub-users"), ascii(template)
        page = console.browser().log_in_as_sub_user(account_email, f" {email} ", OWN_PASSWORD)
        assert (page.status, page.path) == (200, "/profile"), ascii(template)


def test_search_accepts_every_spelling_of_a_whole_email(console: AccountConsole) -> None:
    """This holds for the API and for the page."""
    sub_user = console.account.create_sub_user(email=INTERNATIONAL[0].format("grace"))
    browser = console.owner()
    for template in INTERNATIONAL:
        query = {"q": template.format("grace")}
        sub_users: Any = console.account.portal.get(f"{console.account.path}/sub-users", query_string=query).json
        assert [item["sub_user_id"] for item in sub_users["items"]] == [sub_user.sub_user_id], ascii(template)
    assert "grace@xn--bcher-kva.example" in browser.get("/sub-users?q=grace@b%C3%BCcher.example").text
