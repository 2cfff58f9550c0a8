"""Roles and grants for tests of the console: created through the portal, and read from pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.api.clients import Account, SubUser
    from tests.console.browsing import Browser, Page

FRONT_DESK = {"type": "assistant", "id": "asst-1041", "label": "Front desk"}


def create_role(
    account: Account, name: str = "Account manager", permissions: tuple[str, ...] = ("assistants",), **details: Any
) -> str:
    """Create a role, and return its id."""
    body = {"name": name, "permissions": permissions, **details}
    response = account.portal.post(f"{account.path}/roles", json=body)
    assert response.status_code == 201, response.text
    role_id: str = response.json["role_id"]  # type: ignore[index]
    return role_id


def set_grants(sub_user: SubUser, *grants: dict[str, Any], reason: str | None = None) -> list[str]:
    """Replace the grants of a sub-user, and return the ids of their grants."""
    body = {"grants": grants, "reason": reason}
    response = sub_user.account.portal.put(f"{sub_user.path}/grants", json=body)
    assert response.status_code == 200, response.text
    return [grant["grant_id"] for grant in response.json["items"]]  # type: ignore[index]


def grants_of(sub_user: SubUser) -> list[dict[str, Any]]:
    """Return the grants of a sub-user."""
    response = sub_user.account.portal.get(f"{sub_user.path}/grants")
    assert response.status_code == 200, response.text
    grants: list[dict[str, Any]] = response.json["items"]  # type: ignore[index]
    return grants


def roles_of(account: Account) -> dict[str, dict[str, Any]]:
    """Return the roles of an account by name."""
    roles: Any = account.portal.get(f"{account.path}/roles").json
    return {role["name"]: role for role in roles["items"]}


def page_of(browser: Browser, sub_user: SubUser) -> Page:
    return browser.get(f"/sub-users/{sub_user.sub_user_id}")


def chips(page: Page) -> list[str]:
    """Return the texts of the roles on a page."""
    return [" ".join(item.select("div")[0].get_text(" ").split()) for item in page.soup.select(".grants > li")]


def abilities_on(page: Page) -> tuple[list[str], dict[str, str]]:
    """Return what the sub-user can do on everything, and on single resources."""
    card = page.find(".card:has(> .abilities), .card:has(> .grants):not(:has(> .abilities))")
    on_everything = [item.get_text(strip=True) for item in card.select("ul:not(.grants):not(.muted) li")]
    on_resources = {
        " ".join(row.select("dt")[0].get_text(" ").split()): row.select("dd")[0].get_text(strip=True)
        for row in card.select(".abilities > div")
    }
    return on_everything, on_resources
