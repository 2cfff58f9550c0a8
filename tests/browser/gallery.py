"""Every page, in each state that looks different, and for whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from playwright.sync_api import expect

from tests.browser.people import log_in, log_in_as_sub_user
from tests.browser.service import OWNERS
from tests.processes.portal import OWN, TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.browser.chromium import Visits
    from tests.browser.service import Shown
    from tests.processes.portal import Person

NOBODY, OWNER, NEW_OWNER, DEMO = "nobody", "owner", "new owner", "owner of the demo"
SUB_USER, RESTRICTED = "sub-user", "restricted"


@dataclass(frozen=True)
class Sight:
    """A page as one kind of visitor sees it; `typed` is sent with its form, and `path` is a template of ids."""

    name: str
    path: str
    whose: str = NOBODY
    status: int = 200
    typed: dict[str, str] = field(default_factory=dict)
    form: str = "main form[method=post]"
    then: int = 200

    def __str__(self) -> str:
        """Return what it is called."""
        return self.name


SIGHTS = (
    Sight("login", "/login"),
    Sight("login of sub-users", "/login?as=sub-user"),
    Sight("login refused", "/login", typed={"email": "a@b.example", "password": "x"}, then=401),
    Sight("login after the session's end", "/login?why=ended"),
    Sight("preferences", "/preferences"),
    Sight("console link", "/console/link/no-such-link"),
    Sight("mailbox", "/mailbox"),
    Sight("mail", "/mailbox/{mail_id}"),
    Sight("no such page", "/no-such-page", status=404),
    Sight("nobody yet", "/sub-users", NEW_OWNER),
    Sight("nothing yet", "/monitoring", NEW_OWNER),
    Sight("demo's sub-users", "/sub-users", DEMO),
    Sight("demo's month", "/monitoring", DEMO),
    Sight("sub-users", "/sub-users", OWNER),
    Sight("no sub-user found", "/sub-users?q=nobody-at-all", OWNER),
    Sight("new sub-user", "/sub-users/new", OWNER),
    Sight(
        "new sub-user refused",
        "/sub-users/new",
        OWNER,
        typed={"email": "a@b.example", "name": "A", "surname": "B", "password": "short"},
        then=422,
    ),
    Sight("sub-user", "/sub-users/{sub_user_id}", OWNER),
    Sight("edit", "/sub-users/{sub_user_id}/edit", OWNER),
    Sight("edit refused", "/sub-users/{sub_user_id}/edit", OWNER, typed={"password": "short"}, then=422),
    Sight(
        "edit that meets another",
        "/sub-users/{sub_user_id}/edit",
        OWNER,
        typed={"revision": "0", "name": "Zoe"},
        then=409,
    ),
    Sight("delete", "/sub-users/{sub_user_id}/delete", OWNER),
    Sight("send again", "/sub-users/{sub_user_id}/send-again", OWNER),
    Sight("send again to somebody inactive", "/sub-users/{inactive_id}/send-again", OWNER, status=409),
    Sight("monitoring", "/monitoring", OWNER),
    Sight("no usage yet", "/usage", NEW_OWNER),
    Sight("usage", "/usage?hidden=on", OWNER),
    Sight("no such month of usage", "/usage?month=soon", OWNER, status=422),
    Sight("account", "/account", OWNER),
    Sight("owner's password", "/account/password", OWNER),
    Sight("for sub-users", "/profile", OWNER, status=403),
    Sight("profile", "/profile", SUB_USER),
    Sight("colleagues", "/colleagues", SUB_USER),
    Sight("own password", "/password", SUB_USER),
    Sight(
        "own password refused",
        "/password",
        SUB_USER,
        typed={"current_password": "wrong", "new_password": "short"},
        then=422,
    ),
    Sight("for owners", "/sub-users", SUB_USER, status=403),
    Sight("first password", "/password", RESTRICTED),
)


class Gallery:
    """An account with somebody in it of every kind, and visitors of every kind, logged in once."""

    def __init__(self, service: Shown, visits: Visits) -> None:
        company = service.company(company_name="Winds & Waves")
        soon = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        settled = company.add_settled(name="Grace", surname="Hopper")
        restricted = company.add(name="Ada", surname="Lovelace", access_expires_at=soon)
        restricted.change(active=True)
        inactive = company.add(name="Katherine", surname="Johnson")
        inactive.change(visible=False)
        self._use(settled, inactive)
        new = service.company(company_name="Nobody Yet")
        self.ids = {"sub_user_id": settled.sub_user_id, "inactive_id": inactive.sub_user_id, "unknown": uuid4()}
        self.states: dict[str, Any] = {NOBODY: None}
        owners = (
            (OWNER, company.email, OWNERS),
            (NEW_OWNER, new.email, OWNERS),
            (DEMO, service.email, service.password),
        )
        for whose, email, password in owners:
            page = visits.new()
            log_in(page, email, password)
            self._keep(whose, page)
        for whose, person, password in ((SUB_USER, settled, OWN), (RESTRICTED, restricted, TEMPORARY)):
            page = visits.new()
            log_in_as_sub_user(page, company.email, person.email, password)
            expect(page).not_to_have_url(re.compile("/login"))
            self._keep(whose, page)
        self.ids["mail_id"] = self._newest_mail(visits.new())

    def _use(self, *people: Person) -> None:
        """Have people use most of a plan's minutes, and some of its tokens."""
        company, now = people[0].company, datetime.now(UTC)
        plan = {"included_minutes": 100, "included_tokens": 1_000_000, "period_start": now.date().isoformat()}
        company.portal.ask(200, "PUT", f"{company.path}/plan", plan)
        used = {"conversation_minutes": 42.5, "llm_tokens": 123_456, "occurred_at": now.isoformat()}
        rows = [{"sub_user_id": one.sub_user_id, **used} for one in people]
        company.portal.ask(201, "POST", f"{company.path}/usage", {"usage": rows})

    def show(self, sight: Sight, visits: Visits, **how: Any) -> Page:
        """Return a page that shows this."""
        page = visits.new(storage_state=self.states[sight.whose], **how)
        answer = page.goto(sight.path.format(**self.ids))
        assert answer
        assert answer.status == sight.status, (sight, answer.status)
        if sight.typed:
            self._send(page, sight)
        return page

    def _send(self, page: Page, sight: Sight) -> None:
        form = page.locator(sight.form)
        for name, value in sight.typed.items():
            form.locator(f"[name={name}]").evaluate("(field, value) => { field.value = value; }", value)
        with page.expect_navigation() as sent:
            form.locator("button:not([type=button])").first.click()
        assert sent.value.status == sight.then, (sight, sent.value.status)

    def _keep(self, whose: str, page: Page) -> None:
        self.states[whose] = page.context.storage_state()
        page.context.close()

    def _newest_mail(self, page: Page) -> str:
        page.goto("/mailbox")
        while page.get_by_role("row").count() == 0:
            page.reload()
        path = page.get_by_role("row").get_by_role("link").first.get_attribute("href")
        page.context.close()
        return str(path).rpartition("/")[2]


def paths() -> Iterator[str]:
    """Return the paths, as templates, without their queries."""
    yield from (sight.path.partition("?")[0] for sight in SIGHTS)
