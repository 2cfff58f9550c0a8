"""Every page in each state that looks different, for each kind of visitor."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from playwright.sync_api import expect

from domain.roles import VIEWER
from tests.browser.actors import log_in, log_in_as_sub_user
from tests.browser.service import OWNER_PASSWORD
from tests.processes.portal import OWN, TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.browser.chromium import Visits
    from tests.browser.service import RunningService
    from tests.processes.portal import SubUserHandle

ANONYMOUS, OWNER, NEW_OWNER, DEMO = "anonymous", "owner", "new owner", "owner of the demo"
SUB_USER, RESTRICTED, OPERATOR = "sub-user", "restricted", "operator"


@dataclass(frozen=True)
class View:
    """A page as one kind of visitor sees it, after its form has been submitted if there are `form_values`.

    `path` and the values are templates for ids. `checked` is the name of radio buttons, the last of which is chosen.
    `status_after` is the status of the response to the form.
    """

    name: str
    path: str
    visitor: str = ANONYMOUS
    status: int = 200
    form_values: dict[str, str] = field(default_factory=dict)
    checked: str | None = None
    form: str = "main form[method=post]"
    status_after: int = 200

    def __str__(self) -> str:
        """Return the name."""
        return self.name


VIEWS = (
    View("login", "/login"),
    View("login of sub-users", "/login?as=sub-user"),
    View("login refused", "/login", form_values={"email": "a@b.example", "password": "x"}, status_after=401),
    View("login after the session's end", "/login?why=ended"),
    View("preferences", "/preferences"),
    View("console link", "/console/link/no-such-link"),
    View("forgotten password", "/forgotten-password"),
    View("forgotten password of a sub-user", "/forgotten-password?as=sub-user"),
    View(
        "forgotten password refused",
        "/forgotten-password?as=sub-user",
        form_values={"account_email": "owner@company.example", "email": f"{'x' * 1000}@company.example"},
        status_after=422,
    ),
    View("password reset requested", "/forgotten-password/requested"),
    View("password reset requested by a sub-user", "/forgotten-password/requested?as=sub-user"),
    View("link to reset a password", "/password-reset/no-such-link"),
    View("invitation", "/invitation/no-such-link"),
    View("invitation refused", "/invitation/no-such-link", form_values={"new_password": "x" * 1001}, status_after=422),
    View(
        "link that no longer works",
        "/password-reset/no-such-link",
        form_values={"new_password": "seven quiet rivers meet"},
        status_after=410,
    ),
    View(
        "invitation that no longer works",
        "/invitation/no-such-link",
        form_values={"new_password": "seven quiet rivers meet"},
        status_after=410,
    ),
    View("invitation while logged in", "/invitation/no-such-link", OWNER),
    View("mailbox", "/mailbox", OPERATOR),
    View("mail", "/mailbox/{mail_id}", OPERATOR),
    View("no such page", "/no-such-page", status=404),
    View("nobody yet", "/sub-users", NEW_OWNER),
    View("nothing yet", "/monitoring", NEW_OWNER),
    View("demo's sub-users", "/sub-users", DEMO),
    View("demo's month", "/monitoring", DEMO),
    View("sub-users", "/sub-users", OWNER),
    View("no sub-user found", "/sub-users?q=nobody-at-all", OWNER),
    View("new sub-user", "/sub-users/new", OWNER),
    View(
        "new sub-user refused",
        "/sub-users/new",
        OWNER,
        form_values={"email": "a@b.example", "name": "A", "surname": "B", "password": "short"},
        status_after=422,
    ),
    View("sub-user", "/sub-users/{sub_user_id}", OWNER),
    View("edit", "/sub-users/{sub_user_id}/edit", OWNER),
    View("edit refused", "/sub-users/{sub_user_id}/edit", OWNER, form_values={"password": "short"}, status_after=422),
    View(
        "edit that meets another",
        "/sub-users/{sub_user_id}/edit",
        OWNER,
        form_values={"base_name": "Somebody else", "name": "Zoe"},
        status_after=409,
    ),
    View("delete", "/sub-users/{sub_user_id}/delete", OWNER),
    View("activate", "/sub-users/{inactive_id}/activate", OWNER),
    View("deactivate", "/sub-users/{sub_user_id}/deactivate", OWNER),
    View("import", "/sub-users/import", OWNER),
    View("end all sessions", "/sub-users/{sub_user_id}/end-sessions", OWNER),
    View("send again", "/sub-users/{sub_user_id}/send-again", OWNER),
    View("send again to somebody inactive", "/sub-users/{inactive_id}/send-again", OWNER, status=409),
    View("no roles of one's own", "/roles", NEW_OWNER),
    View("roles", "/roles", OWNER),
    View("new role", "/roles/new", OWNER),
    View("new role refused", "/roles/new", OWNER, form_values={"name": "Operator"}, status_after=422),
    View("edit role", "/roles/{role_id}/edit", OWNER),
    View(
        "edited role that meets another",
        "/roles/{role_id}/edit",
        OWNER,
        form_values={"fingerprint": "0", "name": "Editor"},
        status_after=409,
    ),
    View("delete role", "/roles/{unused_role_id}/delete", OWNER),
    View("delete role in use", "/roles/{role_id}/delete", OWNER, status=409),
    View("roles of a sub-user", "/sub-users/{sub_user_id}/roles", OWNER),
    View("give a role", "/sub-users/{sub_user_id}/roles/new", OWNER),
    View(
        "role not given",
        "/sub-users/{sub_user_id}/roles/new",
        OWNER,
        form_values={"role_id": "{role_id}", "resource_label_0": "Front desk"},
        checked="scope",
        status_after=422,
    ),
    View("take a role away", "/sub-users/{sub_user_id}/roles/{grant_id}/revoke", OWNER),
    View("activity", "/monitoring", OWNER),
    View("activity of one group", "/monitoring?group=sign_in&q=a", OWNER),
    View("activity of nobody", "/monitoring?person=nobody", OWNER, status=422),
    View("activity until a day before the first", "/monitoring?from=2026-05-02&until=2026-05-01", OWNER, status=422),
    View("no usage yet", "/usage", NEW_OWNER),
    View("usage", "/usage?hidden=on", OWNER),
    View("no such month of usage", "/usage?month=soon", OWNER, status=422),
    View("account", "/account", OWNER),
    View("devices", "/devices", OWNER),
    View("sign-in security", "/sign-in-security", OWNER),
    View("sign-in security of a sub-user", "/sign-in-security", SUB_USER),
    View("owner's password", "/account/password", OWNER),
    View("for sub-users", "/profile", OWNER, status=403),
    View("profile", "/profile", SUB_USER),
    View("own activity", "/activity", SUB_USER),
    View("devices of a sub-user", "/devices", SUB_USER),
    View("colleagues", "/colleagues", SUB_USER),
    View("own password", "/password", SUB_USER),
    View(
        "own password refused",
        "/password",
        SUB_USER,
        form_values={"current_password": "wrong", "new_password": "short"},
        status_after=422,
    ),
    View("for owners", "/sub-users", SUB_USER, status=403),
    View("first password", "/password", RESTRICTED),
)


class Gallery:
    """An account with sub-users of every kind, and the logged-in state of every kind of visitor."""

    def __init__(self, service: RunningService, visits: Visits) -> None:
        company = service.register_company(company_name="Winds & Waves")
        soon = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        active = company.add_with_own_password(name="Grace", surname="Hopper")
        restricted = company.add(name="Ada", surname="Lovelace", access_expires_at=soon)
        restricted.change(status="active")
        inactive = company.add(name="Katherine", surname="Johnson")
        inactive.change(visible=False)
        self._record_usage(active, inactive)
        role_ids = self._give_roles(active, soon)
        new = service.register_company(company_name="Nobody Yet")
        self.ids = {"sub_user_id": active.sub_user_id, "inactive_id": inactive.sub_user_id, "unknown": uuid4()}
        self.ids |= role_ids
        self.states: dict[str, Any] = {ANONYMOUS: None}
        owners = (
            (OWNER, company.email, OWNER_PASSWORD),
            (NEW_OWNER, new.email, OWNER_PASSWORD),
            (DEMO, service.email, service.password),
        )
        for visitor, email, password in owners:
            page = visits.new_page()
            log_in(page, email, password)
            self._save_state(visitor, page)
        for visitor, person, password in ((SUB_USER, active, OWN), (RESTRICTED, restricted, TEMPORARY)):
            page = visits.new_page()
            log_in_as_sub_user(page, company.email, person.email, password)
            expect(page).not_to_have_url(re.compile("/login"))
            self._save_state(visitor, page)
        for each in (company, new):
            each.portal.call(200, "PATCH", each.path, {"language": "it"})
        self.ids["mail_id"] = self._newest_mail(visits.new_page(), service.mailbox_link)

    def _record_usage(self, *people: SubUserHandle) -> None:
        """Report usage of most of a plan's minutes and some of its tokens."""
        company, now = people[0].company, datetime.now(UTC)
        plan = {"included_minutes": 100, "included_tokens": 1_000_000, "period_start": now.date().isoformat()}
        company.portal.call(200, "PUT", f"{company.path}/plan", plan)
        usage = {"conversation_ms": 2_550_000, "llm_tokens": 123_456, "occurred_at": now.isoformat()}
        rows = [{"sub_user_id": person.sub_user_id, **usage} for person in people]
        company.portal.call(201, "POST", f"{company.path}/usage", {"usage": rows})

    def _give_roles(self, person: SubUserHandle, soon: str) -> dict[str, str]:
        """Give a sub-user a role on one assistant, and another one on everything. Return the ids of the pages."""
        company = person.company
        portal, path = company.portal, f"{company.path}/roles"
        role, unused = (
            portal.call(
                201, "POST", path, {"name": name, "description": "Of clients", "permissions": permissions}
            ).json()
            for name, permissions in (("Account manager", ["assistants", "reports"]), ("Consultant", ["tools"]))
        )
        resource = {"type": "assistant", "id": "asst-1041", "label": "Front desk"}
        grants = [{"role_id": role["role_id"], "resource": resource, "expires_at": soon}, {"role_id": str(VIEWER)}]
        body = {"grants": grants, "reason": "Looks after this client"}
        given = portal.call(200, "PUT", f"{person.path}/grants", body).json()["items"]
        return {"role_id": role["role_id"], "unused_role_id": unused["role_id"], "grant_id": given[0]["grant_id"]}

    def show(self, view: View, visits: Visits, language: str = "it", **options: Any) -> Page:
        """Return a page that shows the view, in a language that the visitor chose."""
        page = visits.new_page(storage_state=self.states[view.visitor], language=language, **options)
        page.context.add_cookies([{"name": "subusers-language", "value": language, "url": visits.base_url}])
        response = page.goto(view.path.format(**self.ids))
        assert response
        assert response.status == view.status, (view, response.status)
        if view.form_values:
            self._submit(page, view)
        return page

    def _submit(self, page: Page, view: View) -> None:
        form = page.locator(view.form)
        if view.checked is not None:
            form.locator(f"[name={view.checked}]").last.check()
        for name, value in view.form_values.items():
            text = value.format(**self.ids)
            form.locator(f"[name={name}]").evaluate("(field, value) => { field.value = value; }", text)
        with page.expect_navigation() as sent:
            form.locator("button:not([type=button])").first.click()
        assert sent.value.status == view.status_after, (view, sent.value.status)

    def _save_state(self, visitor: str, page: Page) -> None:
        self.states[visitor] = page.context.storage_state()
        page.context.close()

    def _newest_mail(self, page: Page, mailbox_link: str) -> str:
        page.goto(mailbox_link)
        while page.get_by_role("row").count() == 0:
            page.reload()
        path = page.get_by_role("row").get_by_role("link").first.get_attribute("href")
        self._save_state(OPERATOR, page)
        return str(path).rpartition("/")[2]


def paths() -> Iterator[str]:
    """Return the path templates without query strings."""
    yield from (view.path.partition("?")[0] for view in VIEWS)
