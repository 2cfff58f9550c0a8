"""Takes the pictures in docs/screenshots: a service is started, a company fills it, and somebody looks at its pages.

Run by `make screenshots`; needs a Chromium, as the tests do.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser import chromium
from tests.browser.people import log_in, log_in_as_sub_user
from tests.browser.service import OWNERS, Shown, shown
from tests.processes.deployment import an_open_folder
from tests.processes.portal import OWN, Company, Person

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
LARGEST = 200_000
"""Bytes that a picture in the README may have."""

COMPANY = {"email": "owner@winds-and-waves.example", "company_name": "Winds & Waves"}
DAYS = 30
DONE = (
    ("assistant.opened", "Front desk"),
    ("assistant.changed", "Front desk"),
    ("tool.used", "Calendar"),
    ("collection.searched", "Opening hours"),
    ("report.downloaded", "Calls of the week"),
)
BUSY = {"Ada Lovelace": 5, "Grace Hopper": 3, "Katherine Johnson": 2, "Margherita Hack": 1}
"""Who does something, and about how often a day."""


def fill(service: Shown) -> tuple[Company, Person]:
    """Have a company with sub-users in every state, and return it with the one who is edited."""
    company = service.company(**COMPANY)
    until = (datetime.now(UTC) + timedelta(days=60)).replace(hour=17, minute=0, second=0, microsecond=0).isoformat()
    settled = {who: company.add_settled(**named(who)) for who in BUSY}
    settled["Grace Hopper"].change(access_expires_at=until)
    settled["Margherita Hack"].change(visible=False)
    company.add(**named("Alan Turing")).change(active=True)
    company.add(**named("Rita Levi-Montalcini"))
    company.add_settled(**named("Hedy Lamarr")).change(active=False)
    report(company, settled)
    return company, settled["Ada Lovelace"]


def named(who: str) -> dict[str, str]:
    """Return the details of somebody."""
    name, surname = who.split(" ", 1)
    return {"email": f"{name.lower()}@winds-and-waves.example", "name": name, "surname": surname}


def report(company: Company, settled: dict[str, Person]) -> None:
    """Have the portal report what they did in a month, on working days: the same at every run, but for the dates."""
    chance = random.Random(7)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [day for ago in range(1, DAYS) if (day := today - timedelta(days=ago)).weekday() < 5]
    activities: list[dict[str, Any]] = []
    for day in days:
        for who, often in BUSY.items():
            for _ in range(chance.randint(0, 2 * often)):
                action, target = chance.choice(DONE)
                occurred_at = (day + timedelta(hours=8, seconds=chance.randint(0, 9 * 3600))).isoformat()
                about = {"sub_user_id": settled[who].sub_user_id, "action": action, "target": target}
                activities.append(about | {"occurred_at": occurred_at})
    company.portal.ask(201, "POST", f"{company.path}/activities", {"activities": activities})


def take(page: Page, name: str, path: str) -> None:
    """Take the picture of a page in each of its looks."""
    page.goto(path)
    for look, dark, size in (
        ("light", False, chromium.WIDE),
        ("dark", True, chromium.WIDE),
        ("phone", False, chromium.PHONE),
    ):
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of the library's own
        file = FOLDER / f"{name}-{look}.png"
        picture = page.screenshot(path=file, animations="disabled", caret="hide")
        assert len(picture) < LARGEST, (file, len(picture))
        print(file.name, len(picture))


def main() -> None:
    """Take them all."""
    browser_path = chromium.installed()
    if browser_path is None:
        sys.exit(f"needs a Chromium on the PATH, or one that {chromium.GIVEN} names")
    FOLDER.mkdir(exist_ok=True)
    with an_open_folder() as folder, shown(folder) as service, chromium.launched(browser_path) as browser:
        company, edited = fill(service)
        visits = chromium.Visits(browser, service.url)
        for who in ("ada", "grace"):
            visitor = visits.new()
            log_in_as_sub_user(visitor, company.email, f"{who}@winds-and-waves.example", OWN)
            visitor.wait_for_url("**/profile")
        take(visits.new(), "login", "/login?as=sub-user")
        owner = visits.new()
        log_in(owner, company.email, OWNERS)
        take(owner, "list", "/sub-users")
        take(owner, "edit", f"/sub-users/{edited.sub_user_id}/edit")
        take(owner, "monitoring", "/monitoring")
        visits.close()


if __name__ == "__main__":
    main()
