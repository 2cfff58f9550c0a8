"""Is each page of the console made in under 50 ms, for 200 sub-users and 100,000 audit rows? Exits 1 if not.

Run it with `.venv/bin/python -m benchmarks.console`: it brings a database of its own, in a folder that it removes, and
takes some minutes to fill it. Time is the service's alone, from a request that is there to an answer that is ready.
Pages come in turn, as with several people at work; the bar is for the median of each.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import TYPE_CHECKING

import psycopg
import structlog
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api import bootstrap
from api.console.cookies import SESSION, Cookie
from api.http.app import create_app
from application.activities import Activity
from application.origin import Origin
from application.sub_users import SubUserChanges
from application.usage import UsageReport
from benchmarks.long_history import ready_settings
from domain.cause import ActorType
from domain.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from flask import Flask
    from flask.testing import FlaskClient

    from api.bootstrap import Service

BAR = 50.0
"""Milliseconds."""

SUB_USERS, MAILED = 200, 20
ROWS, A_TIME = 100_000, 1_000
DAYS = 365
"""In which it all happened."""

POLL_SECONDS = 0.2

ACTIONS = [f"assistant.{verb}" for verb in ("opened", "tested", "changed", "published")]
EMAIL, PASSWORD, OWN = "owner@company.example", "seven slow barges pass", "seven quiet rivers meet"
ORIGIN = Origin(ActorType.MAIN_ACCOUNT, "the owner", ip="192.0.2.1", user_agent="Mozilla/5.0 (X11) Firefox/140.0")
HERE = "http://127.0.0.1:8000"
STATUS = re.compile(r"\((\d+)\)$")
"""At the end of a page's name, where that is not 200."""

FORM_TOKEN = re.compile(r'name="csrf" value="(\w+)"')

OWNERS = {
    "sub-users, 50 of them": "/sub-users",
    "sub-users, all 200": "/sub-users?limit=200",
    "sub-users, by last login": "/sub-users?sort=-last_login_at",
    "sub-users, searched": "/sub-users?q=hopper+7&status=active",
    "new sub-user": "/sub-users/new",
    "sub-user": "/sub-users/{one}",
    "edit": "/sub-users/{one}/edit",
    "delete": "/sub-users/{one}/delete",
    "send again": "/sub-users/{one}/send-again",
    "monitoring": "/monitoring",
    "monitoring, one person": "/monitoring?sub_user_id={one}",
    "monitoring, one action": "/monitoring?action=assistant.opened",
    "monitoring, a year": "/monitoring?from={year_ago}&until={today}",
    "usage": "/usage",
    "usage, hidden too": "/usage?hidden=on",
    "usage, an earlier month": "/usage?month={month}",
    "account": "/account",
    "account's password": "/account/password",
    "for sub-users alone (403)": "/profile",
    "no such page (404)": "/no-such-page",
}
COLLEAGUES = {
    "profile": "/profile",
    "colleagues": "/colleagues",
    "own password": "/password",
    "for owners alone (403)": "/monitoring",
}
STRANGERS = {
    "login": "/login",
    "login of sub-users": "/login?as=sub-user",
    "preferences": "/preferences",
    "mailbox": "/mailbox",
    "mail": "/mailbox/{mail}",
}


@dataclass(frozen=True)
class Visit:
    """A page, whose browser it is looked at in, and the milliseconds that each look took. `typed` is sent as a form."""

    name: str
    path: str
    browser: FlaskClient
    typed: dict[str, str] | None = None
    took: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Have the page made once more."""
        began = time.perf_counter()
        answer = self.browser.open(
            self.path,
            base_url=HERE,
            headers={"Accept": "text/html"},
            method="POST" if self.typed else "GET",
            data=self.typed,
        )
        self.took.append(1000 * (time.perf_counter() - began))
        told = STATUS.search(self.name)
        if answer.status_code != int(told[1] if told else 200):
            sys.exit(f"{self.path}: {answer.status}")


@contextmanager
def followers_of(service: Service) -> Iterator[None]:
    """Have views follow meanwhile."""
    stop = threading.Event()
    threads = [threading.Thread(target=follower.run, args=[stop]) for follower in service.followers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def fill(service: Service) -> Sequence[UUID]:
    """Make the account, with people in it who did a lot; return them, the one who can log in first."""
    account = service.accounts.register(ORIGIN, email=EMAIL, company_name="Winds & Waves", password=PASSWORD).value
    account_id = account.account_id
    service.accounts.raise_sub_user_limit(account_id, SUB_USERS + 1, ORIGIN)
    people = [let_in(service, account_id, number) for number in track(range(SUB_USERS), "sub-users")]
    temporary = service.sessions.log_in(EMAIL, "grace-0@company.example", PASSWORD, ORIGIN).value.token
    service.sessions.change_own_password(temporary, PASSWORD, OWN, ORIGIN)
    chance, now = random.Random(1), datetime.now(UTC)
    for step in track(range(ROWS // A_TIME), f"{ROWS:,} rows"):
        moments = [now - timedelta(days=DAYS) * chance.random() for _ in range(A_TIME)]
        if step % 5:
            did = [Activity(chance.choice(people), chance.choice(ACTIONS), "Front desk", None, one) for one in moments]
            service.activities.record(account_id, did, ORIGIN)
        else:
            used = [UsageReport(chance.choice(people), 90_000, 4_000, one) for one in moments]
            service.usage.record(account_id, used, ORIGIN)
    service.usage.set_plan(account_id, Plan(20_000, 40_000_000, now.date() - timedelta(days=20)), ORIGIN)
    return people


def vacuum(url: str) -> None:
    """Do what a server does by itself within a minute or so: plans are poor before."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def let_in(service: Service, account_id: UUID, number: int) -> UUID:
    """Create a sub-user; one in ten is hidden, one in ten inactive."""
    made = service.sub_users.create(
        account_id,
        ORIGIN,
        email=f"grace-{number}@company.example",
        name="Grace",
        surname=f"Hopper {number}",
        password=PASSWORD,
        visible=number % 10 != 1,
    ).value
    if number % 10 != 2:
        service.sub_users.change(account_id, made.sub_user_id, SubUserChanges(active=True), ORIGIN)
    return made.sub_user_id


def visits(service: Service, app: Flask, one: UUID) -> list[Visit]:
    """Return every page, in the browser of whoever looks at it."""
    while service.mailbox is not None and len(service.mailbox.newest()) < MAILED:
        service.mailing.send_next()
    mail = service.mailbox.newest()[0].mail_id if service.mailbox else ""
    today = datetime.now(UTC).date()
    year_ago = today - timedelta(days=DAYS)
    known = {"one": one, "mail": mail, "today": today, "year_ago": year_ago, "month": f"{year_ago:%Y-%m}"}
    owner = logged_in(app, service.owner_sessions.log_in(EMAIL, PASSWORD, ORIGIN).value.token)
    colleague = logged_in(app, service.sessions.log_in(EMAIL, "grace-0@company.example", OWN, ORIGIN).value.token)
    whose = ((owner, OWNERS), (colleague, COLLEAGUES), (app.test_client(), STRANGERS))
    every = [Visit(name, path.format_map(known), browser) for browser, pages in whose for name, path in pages.items()]
    return [*every, conflict(owner, one)]


def logged_in(app: Flask, token: str) -> FlaskClient:
    """Return the browser of somebody who is."""
    browser = app.test_client()
    with app.app_context():
        cookie: Cookie = SESSION
        browser.set_cookie(cookie.name, token, domain="127.0.0.1")
    return browser


def conflict(owner: FlaskClient, one: UUID) -> Visit:
    """Return an edit that meets another."""
    path = f"/sub-users/{one}/edit"
    form = owner.get(path, base_url=HERE, headers={"Accept": "text/html"}).text
    token = FORM_TOKEN.search(form)
    typed = {"csrf": token[1] if token else "", "revision": "0", "name": "Zoe", "surname": "Hopper 0", "active": "on"}
    return Visit("edit that meets another (409)", path, owner, typed)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--looks", type=int, default=30, help="at each page")
    given = parser.parse_args()
    with ready_settings() as settings:
        service = bootstrap.build(settings)
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        with followers_of(service):
            people = fill(service)
            while any(follower.behind for follower in service.progress.followers()):
                time.sleep(POLL_SECONDS)
            vacuum(settings.owner_url)
            every = visits(service, create_app(service), people[0])
            for number in track(range(given.looks + 2), "looks"):
                for visit in every:
                    visit.look()
                    if number < 2:  # what is kept from then on is made
                        visit.took.clear()
        service.close()
    show(every)
    return int(any(median(visit.took) >= BAR for visit in every))


def show(every: Sequence[Visit]) -> None:
    """Print how long each page took."""
    table = Table("page", f"median ms (bar {BAR:.0f})", "95 % within", "longest")
    for visit in sorted(every, key=lambda one: -median(one.took)):
        most = quantiles(visit.took, n=20, method="inclusive")[-1]
        table.add_row(visit.name, f"{median(visit.took):.1f}", f"{most:.1f}", f"{max(visit.took):.1f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
