"""Is every console page rendered within 50 ms, with 200 sub-users and 100,000 audit rows? Exits 1 if not.

Run `.venv/bin/python -m benchmarks.console`. It creates its own database in a temporary folder, and takes some minutes
to fill it. The time is the service's alone, from the parsed request to the finished response. Pages are requested in
turn, as by several users at work. The bar is for the median of each page.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import TYPE_CHECKING
from unittest.mock import patch

import psycopg
import structlog
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.bootstrap import composition_root
from api.bootstrap.testing.followers import running_followers
from api.console.cookies import SESSION, Cookie
from api.flask_application import create_app
from application.command_context import CommandContext
from application.commands.activities import Activity
from application.commands.sub_users import SubUserChanges
from application.commands.usage import UsageReport
from benchmarks.servers import temporary_database
from domain import mails
from domain.event_metadata import ActorType
from domain.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from flask import Flask
    from flask.testing import FlaskClient

    from api.bootstrap.service import Service

BAR_MS = 50.0

SUB_USERS = 200
ROWS, BATCH_SIZE = 100_000, 1_000
DAYS = 365
"""Period over which the activities are distributed."""

POLL_SECONDS = 0.2

ACTIONS = [f"assistant.{verb}" for verb in ("opened", "tested", "changed", "published")]
EMAIL, PASSWORD, OWN_PASSWORD = "owner@company.example", "seven slow barges pass", "seven quiet rivers meet"
OWNER_CONTEXT = CommandContext(
    ActorType.MAIN_ACCOUNT, "the owner", ip="192.0.2.1", user_agent="Mozilla/5.0 (X11) Firefox/140.0"
)
BASE_URL = "http://127.0.0.1:8000"
EXPECTED_STATUS = re.compile(r"\((\d+)\)$")
"""At the end of a page's name, if the expected status is not 200."""

CSRF_TOKEN = re.compile(r'name="csrf" value="(\w+)"')

OWNER_PAGES = {
    "sub-users, 50 of them": "/sub-users",
    "sub-users, all 200": "/sub-users?limit=200",
    "sub-users, by last login": "/sub-users?sort=-last_login_at",
    "sub-users, searched": "/sub-users?q=hopper+7&status=active",
    "new sub-user": "/sub-users/new",
    "sub-user": "/sub-users/{sub_user_id}",
    "edit": "/sub-users/{sub_user_id}/edit",
    "delete": "/sub-users/{sub_user_id}/delete",
    "send again": "/sub-users/{sub_user_id}/send-again",
    "monitoring": "/monitoring",
    "monitoring, one person": "/monitoring?sub_user_id={sub_user_id}",
    "monitoring, one action": "/monitoring?action=assistant.opened",
    "monitoring, one group": "/monitoring?group=people",
    "monitoring, searched": "/monitoring?q=front",
    "monitoring, a year": "/monitoring?from={year_ago}&until={today}",
    "usage": "/usage",
    "usage, hidden too": "/usage?hidden=on",
    "usage, an earlier month": "/usage?month={month}",
    "account": "/account",
    "account's password": "/account/password",
    "only for sub-users (403)": "/profile",
    "no such page (404)": "/no-such-page",
}
SUB_USER_PAGES = {
    "profile": "/profile",
    "colleagues": "/colleagues",
    "own password": "/password",
    "only for owners (403)": "/monitoring",
}
PUBLIC_PAGES = {
    "login": "/login",
    "login of sub-users": "/login?as=sub-user",
    "preferences": "/preferences",
}


@dataclass(frozen=True)
class Visit:
    """A page, the browser that requests it, and the milliseconds of each request. `form_data` is sent as a form."""

    name: str
    path: str
    browser: FlaskClient
    form_data: dict[str, str] | None = None
    durations: list[float] = field(default_factory=list)

    def request(self) -> None:
        """Request the page once more."""
        started_at = time.perf_counter()
        response = self.browser.open(
            self.path,
            base_url=BASE_URL,
            headers={"Accept": "text/html"},
            method="POST" if self.form_data else "GET",
            data=self.form_data,
        )
        self.durations.append(1000 * (time.perf_counter() - started_at))
        expected_status = EXPECTED_STATUS.search(self.name)
        if response.status_code != int(expected_status[1] if expected_status else 200):
            sys.exit(f"{self.path}: {response.status}")


def populate(service: Service) -> Sequence[UUID]:
    """Create the account, its sub-users and their activities; return their ids. Only the first can log in."""
    account = service.commands.accounts.register(
        OWNER_CONTEXT, email=EMAIL, company_name="Winds & Waves", password=PASSWORD
    ).value
    account_id = account.account_id
    service.commands.accounts.raise_sub_user_limit(account_id, SUB_USERS + 1, OWNER_CONTEXT)
    with patch.object(mails, "MAILS_PER_ACCOUNT", SUB_USERS):  # an owner needs hours to activate as many
        sub_user_ids = [create_sub_user(service, account_id, number) for number in track(range(SUB_USERS), "sub-users")]
    temporary = service.commands.sub_user_sessions.log_in(
        EMAIL, "grace-0@company.example", PASSWORD, OWNER_CONTEXT
    ).value.token
    service.commands.sub_user_sessions.change_password(temporary, PASSWORD, OWN_PASSWORD, OWNER_CONTEXT)
    rng, now = random.Random(1), datetime.now(UTC)
    for step in track(range(ROWS // BATCH_SIZE), f"{ROWS:,} rows"):
        moments = [now - timedelta(days=DAYS) * rng.random() for _ in range(BATCH_SIZE)]
        if step % 5:
            activities = [
                Activity(rng.choice(sub_user_ids), rng.choice(ACTIONS), "Front desk", None, moment)
                for moment in moments
            ]
            service.commands.activities.record(account_id, activities, OWNER_CONTEXT)
        else:
            reports = [UsageReport(rng.choice(sub_user_ids), 90_000, 4_000, moment) for moment in moments]
            service.commands.usage.record(account_id, reports, OWNER_CONTEXT)
    service.commands.usage.set_plan(
        account_id, Plan(20_000, 40_000_000, now.date() - timedelta(days=20)), OWNER_CONTEXT
    )
    return sub_user_ids


def vacuum(url: str) -> None:
    """Vacuum and analyze, which a server does by itself within about a minute. Plans are poor before."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def create_sub_user(service: Service, account_id: UUID, number: int) -> UUID:
    """Create a sub-user; one in ten is hidden, one in ten inactive."""
    sub_user = service.commands.sub_users.create(
        account_id,
        OWNER_CONTEXT,
        email=f"grace-{number}@company.example",
        name="Grace",
        surname=f"Hopper {number}",
        password=PASSWORD,
        visible=number % 10 != 1,
    ).value
    if number % 10 != 2:
        service.commands.sub_users.change(account_id, sub_user.sub_user_id, SubUserChanges(active=True), OWNER_CONTEXT)
    return sub_user.sub_user_id


def visits(service: Service, app: Flask, sub_user_id: UUID) -> list[Visit]:
    """Return every page, with the browser of the user that may open it."""
    today = datetime.now(UTC).date()
    year_ago = today - timedelta(days=DAYS)
    values = {
        "sub_user_id": sub_user_id,
        "today": today,
        "year_ago": year_ago,
        "month": f"{year_ago:%Y-%m}",
    }
    owner = log_in(app, service.commands.owner_sessions.log_in(EMAIL, PASSWORD, OWNER_CONTEXT).value.token)
    sub_user = log_in(
        app,
        service.commands.sub_user_sessions.log_in(
            EMAIL, "grace-0@company.example", OWN_PASSWORD, OWNER_CONTEXT
        ).value.token,
    )
    pages_by_browser = ((owner, OWNER_PAGES), (sub_user, SUB_USER_PAGES), (app.test_client(), PUBLIC_PAGES))
    all_visits = [
        Visit(name, path.format_map(values), browser)
        for browser, pages in pages_by_browser
        for name, path in pages.items()
    ]
    return [*all_visits, conflicting_edit(owner, sub_user_id)]


def log_in(app: Flask, token: str) -> FlaskClient:
    """Return a browser with a session cookie."""
    browser = app.test_client()
    with app.app_context():
        cookie: Cookie = SESSION
        browser.set_cookie(cookie.name, token, domain="127.0.0.1")
    return browser


def conflicting_edit(owner: FlaskClient, sub_user_id: UUID) -> Visit:
    """Return an edit of a name that somebody else has changed meanwhile."""
    path = f"/sub-users/{sub_user_id}/edit"
    form = owner.get(path, base_url=BASE_URL, headers={"Accept": "text/html"}).text
    token = CSRF_TOKEN.search(form)
    form_data = {
        "csrf": token[1] if token else "",
        "revision": "0",
        "email": "grace-0@company.example",
        "base_name": "Somebody else",
        "name": "Zoe",
        "surname": "Hopper 0",
        "expiry": "none",
        "active": "on",
    }
    return Visit("conflicting edit (409)", path, owner, form_data)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=30, help="requests per page")
    args = parser.parse_args()
    with temporary_database() as settings:
        service = composition_root.build(settings)
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        with running_followers(service):
            sub_user_ids = populate(service)
            while any(follower.behind for follower in service.queries.progress.followers()):
                time.sleep(POLL_SECONDS)
            vacuum(settings.owner_url)
            all_visits = visits(service, create_app(service), sub_user_ids[0])
            for number in track(range(args.requests + 2), "requests"):
                for visit in all_visits:
                    visit.request()
                    if number < 2:  # warm-up
                        visit.durations.clear()
        service.close()
    show(all_visits)
    return int(any(median(visit.durations) >= BAR_MS for visit in all_visits))


def show(all_visits: Sequence[Visit]) -> None:
    """Print the times of each page."""
    table = Table("page", f"median ms (bar {BAR_MS:.0f})", "95 % within", "longest")
    for visit in sorted(all_visits, key=lambda visit: -median(visit.durations)):
        percentile_95 = quantiles(visit.durations, n=20, method="inclusive")[-1]
        table.add_row(
            visit.name, f"{median(visit.durations):.1f}", f"{percentile_95:.1f}", f"{max(visit.durations):.1f}"
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
