"""E-mails in requests: invalid and deceptive ones are refused, and domains are stored in ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.clients import require_problem

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClients


@pytest.mark.parametrize(
    "email",
    [
        *("", " ", "@", "grace", "grace@", "@company.example", "grace@company"),
        *("grace@@company.example", "a@b@c.example", "grace@company..example", "grace@company.example."),
        *(".grace@company.example", "grace.@company.example", "gr ace@company.example", "grace@-company.example"),
        *("grace@[192.0.2.1]", '"grace"@company.example', "grace@192.0.2.1", "Grace <grace@company.example>"),
        *("grace(comment)@company.example", "grace@company.example,x@y.example"),
        *("grace@company.example\r\nBcc: x@y.example", "grace@company.example\0", "grace@\ud800.example"),
        *("gr\u0430ce@company.example", "\uff47race@company.example", "gra\u200bce@company.example"),
        "gräce@company.example",
        *("grace@localhost", "grace@company.local", f"{'x' * 65}@company.example", f"grace@{'x.' * 130}example"),
    ],
    ids=ascii,
)
def test_invalid_or_deceptive_email_is_refused(clients: ApiClients, account: Account, email: str) -> None:
    """Deceptive addresses have look-alike letters of other scripts, full-width letters, or invisible ones."""
    sub_user = account.create_sub_user()
    body = {"email": email, "name": "Grace", "surname": "Hopper"}
    require_problem(account.portal.post(f"{account.path}/sub-users", json=body), 422, "invalid-input", "email")
    require_problem(account.portal.patch(sub_user.path, json={"email": email}), 422, "invalid-input", "email")
    require_problem(account.portal.patch(account.path, json={"email": email}), 422, "invalid-input", "email")
    body = {"email": email, "company_name": "Company"}
    require_problem(clients.portal.post("/v1/accounts", json=body), 422, "invalid-input", "email")


@pytest.mark.parametrize(
    ("email", "stored"),
    [
        ("grace@c\u043empany.example", "grace@xn--cmpany-wqf.example"),
        ("grace@BÜCHER.example", "grace@xn--bcher-kva.example"),
        ("grace@\uff43ompany.example", "grace@company.example"),
    ],
)
def test_domain_is_stored_in_ascii(clients: ApiClients, email: str, stored: str) -> None:
    """A Cyrillic o becomes visible in Punycode, and full-width letters become plain ones."""
    account = clients.register_account()
    assert account.create_sub_user(email=email).fetch()["email"] == stored
    sub_user = clients.register_account().create_sub_user()
    assert sub_user.change(email=email).json["email"] == stored  # type: ignore[index]
