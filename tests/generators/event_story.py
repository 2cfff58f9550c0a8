"""A story that records events of almost every type, and the events as consumers get them."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyotp

from projections.feed.event_catalog import CATALOG
from tests.processes.canaries import mails_of
from tests.processes.portal import Portal
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.processes.deployment import Deployment
    from tests.processes.portal import Company
    from tests.receiver import ReceivedRequest, Receiver

FACTORS, VERIFICATION = "/v1/sessions/current/second-factors", "/v1/sessions/current/second-factor"
MAILED_LINK = re.compile(r"/(?:email-confirmation|email-undo|password-reset)/(\S+)")
UNUSED_URL = "https://receiver.example/"
OTHER_PASSWORD = "eight calm oceans rest"

MISSING = {
    *("main_account.logged_in", "main_account.login_refused", "main_account.logged_out"),  # need the console
    *("sub_user.locked_out", "sub_user.unlocked"),  # need minutes
    *("sub_user.credentials_mail_failed", "person.notice_mail_failed"),  # need minutes
}
"""Types of events that the story does not record."""

TYPES = {event_type.type for event_type in CATALOG if event_type.name not in MISSING}


@dataclass
class EventStory:
    """The story, and the events that it recorded."""

    deployment: Deployment
    receiver: Receiver
    start: int = 0
    feed: list[dict[str, Any]] = field(default_factory=list)

    def play(self) -> None:
        """Record the events, and read them from the feed."""
        with (
            self._client("portal") as portal,
            self._client("support") as support,
            self._client("auditor") as auditor,
        ):
            self.start = self._end()
            self.analytics.call(201, "POST", "/v1/webhooks", {"url": self.receiver.url, "after": self.start})
            activity_type = {"action": "call", "labels": {"en": "Call", "it": "Chiamata"}}
            portal.call(200, "PUT", "/v1/activity-types", {"activity_types": [activity_type]})
            company = portal.register()
            self._account(company, support)
            self._sub_users(company)
            self._email(portal)
            self._password(portal)
            self._roles(company)
            self._second_factors(company)
            self._webhooks(company)
            self._audits(company, auditor)
            portal.call(204, "DELETE", portal.register().path)
        eventually(lambda: {event["type"] for event in self._read_feed()} >= TYPES, within=60)
        self.feed = self._read_feed()

    @cached_property
    def analytics_key(self) -> str:
        """An API key that reads all events."""
        return self.deployment.api_key("analytics")

    @cached_property
    def analytics(self) -> Portal:
        """A client with this key."""
        return Portal(self.deployment.url, self.analytics_key)

    def deliveries(self) -> list[ReceivedRequest]:
        """Return the requests that delivered the events of the feed to the webhook, in order."""
        ids = [event["id"] for event in self.feed]
        eventually(lambda: {*ids} <= {*self.receiver.ids}, within=60)
        request_by_id = {request.headers["webhook-id"]: request for request in self.receiver.received}
        return [request_by_id[event_id] for event_id in ids]

    def stream(self) -> list[str]:
        """Return the data of the stream's first events, of as many as the feed has."""
        data: list[str] = []
        with self.analytics.stream("GET", f"/v1/events/stream?after={self.start}") as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    data.append(line.removeprefix("data: "))
                if len(data) == len(self.feed):
                    break
        return data

    def _client(self, scope: str) -> Portal:
        return Portal(self.deployment.url, self.deployment.api_key(scope))

    def _end(self) -> int:
        page = self.analytics.call(200, "GET", "/v1/events?limit=1000").json()
        while page["has_more"]:
            page = self.analytics.call(200, "GET", f"/v1/events?limit=1000&after={page['next_after']}").json()
        return int(page["next_after"])

    def _read_feed(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.analytics.call(
            200, "GET", f"/v1/events?limit=1000&after={self.start}"
        ).json()["items"]
        return items

    def _account(self, company: Company, support: Portal) -> None:
        portal = company.portal
        portal.call(200, "PATCH", company.path, {"company_name": "Other", "external_id": company.email})
        support.call(200, "PUT", f"{company.path}/sub-user-limit", {"limit": 25, "reason": "they asked"})
        plan = {"included_minutes": 1, "included_tokens": 10, "period_start": f"{datetime.now(UTC):%Y-%m-01}"}
        portal.call(200, "PUT", f"{company.path}/plan", plan)
        sub_user = company.add_with_own_password()
        usage = {"sub_user_id": sub_user.sub_user_id, "conversation_ms": 60_000, "llm_tokens": 9}
        portal.call(201, "POST", f"{company.path}/usage", {"usage": [usage]})
        activity = {"sub_user_id": sub_user.sub_user_id, "action": "tool.used", "details": {"n": 1.5}}
        portal.call(201, "POST", f"{company.path}/activities", {"activities": [activity]})

    def _sub_users(self, company: Company) -> None:
        portal = company.portal
        sub_user = company.add_with_own_password()
        portal.call(401, "POST", "/v1/sessions", {**sub_user.login_body, "password": "not their password"})
        portal.call(204, "DELETE", "/v1/sessions/current", Session_Token=sub_user.log_in())
        sub_user.change(name="Ada", visible=False, access_expires_at="2999-01-01T00:00:00Z")
        sub_user.change(email=f"other-{sub_user.email}")
        sub_user.change(password=OTHER_PASSWORD)
        sub_user.change(active=False)
        sub_user.delete()

    def _second_factors(self, company: Company) -> None:
        """Add an app, send a wrong code, remove the app, add another one, reset it, and set the policy."""
        portal, sub_user = company.portal, company.add_with_own_password()
        for ending in ("remove", "reset"):
            token = sub_user.log_in()
            offer = portal.call(201, "POST", f"{FACTORS}/totp", Session_Token=token).json()
            code = pyotp.TOTP(offer["secret"]).at(datetime.now(UTC))
            body = {"challenge_id": offer["challenge_id"], "name": "My phone", "code": code}
            added = portal.call(201, "POST", FACTORS, body, Session_Token=token).json()
            token = added["session"]["token"]
            if ending == "remove":
                portal.call(401, "POST", VERIFICATION, {"code": "wrong"}, Session_Token=token)
                path = f"{FACTORS}/{added['factor']['factor_id']}"
                portal.call(204, "DELETE", path, Session_Token=token)
        portal.call(204, "DELETE", f"{sub_user.path}/second-factors")
        for policy in ("required", "optional"):
            portal.call(200, "PATCH", company.path, {"second_factor_policy": policy})

    def _email(self, portal: Portal) -> None:
        """Log in from a new device, change the e-mail of an account, and undo the change."""
        company = portal.register()
        sub_user = company.add_with_own_password()
        portal.call(201, "POST", "/v1/sessions", {**sub_user.login_body, "device_id": "a laptop"})
        portal.call(200, "PATCH", company.path, {"email": f"new-{company.email}"})
        for path, kind in (("confirm", "email_confirmation"), ("undo", "owner_email_changed")):
            portal.call(204, "POST", f"/v1/email-changes/{path}", {"token": self._mailed_token(kind)})

    def _password(self, portal: Portal) -> None:
        """Ask for a new password while the account forbids it, then again, and choose one with the mailed link."""
        company = portal.register()
        sub_user = company.add_with_own_password()
        for allowed in (False, True):
            portal.call(200, "PATCH", company.path, {"sub_user_password_reset": allowed})
            body = {"account_email": company.email, "email": sub_user.email}
            portal.call(202, "POST", "/v1/password-resets", body)
        body = {"token": self._mailed_token("password_reset"), "new_password": OTHER_PASSWORD}
        portal.call(204, "POST", "/v1/password-resets/complete", body)

    def _mailed_token(self, kind: str) -> str:
        """Return the token of the link in the first mail of a kind."""
        link = MAILED_LINK.search(mails_of(self.deployment, kind)[0])
        assert link is not None
        return link[1]

    def _roles(self, company: Company) -> None:
        """Create a role, grant it and revoke it, delete it, and show the permissions of the portal in another order."""
        portal = company.portal
        sub_user = company.add_with_own_password()
        role = portal.call(201, "POST", f"{company.path}/roles", {"name": "Editor", "permissions": []}).json()
        path = f"{company.path}/roles/{role['role_id']}"
        portal.call(200, "PATCH", path, {"permissions": ["assistants"]})
        body = {"role_id": role["role_id"], "resource": {"type": "assistant", "id": "a-1"}}
        grant = portal.call(201, "POST", f"{sub_user.path}/grants", body).json()
        portal.call(204, "DELETE", f"{sub_user.path}/grants/{grant['grant_id']}")
        portal.call(204, "DELETE", path)
        permissions = portal.call(200, "GET", "/v1/permissions").json()["permissions"]
        portal.call(200, "PUT", "/v1/permissions", {"permissions": permissions[::-1]})

    def _webhooks(self, company: Company) -> None:
        """Let a webhook be disabled with its key, adopted, enabled and deleted."""
        with closing(Portal(self.deployment.url, self.deployment.api_key())) as former:
            body = {"url": UNUSED_URL, "account_id": company.path.rpartition("/")[2], "event_types": [min(TYPES)]}
            path = former.call(201, "POST", "/v1/webhooks", body).headers["Location"]
            former.call(201, "POST", f"{path}/secrets")
            former.call(200, "POST", f"{path}/replay", {"after": self.start})
            key_id = former.call(200, "GET", "/v1/api-keys/current").json()["api_key_id"]
        for command in (("limit", key_id, "--expires", "2999-01-01"), ("revoke", key_id)):
            assert self.deployment.run("api-key", *command).process.returncode == 0
        company.portal.call(200, "POST", f"{path}/adopt")
        company.portal.call(200, "POST", f"{path}/enable")
        company.portal.call(204, "DELETE", path)

    def _audits(self, company: Company, auditor: Portal) -> None:
        auditor.call(200, "GET", f"{company.path}/audit-log")
        auditor.call(200, "GET", f"{company.path}/export?format=csv")
