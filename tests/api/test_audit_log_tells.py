"""What the audit log tells of each thing that can happen: who did what to whom, when, from where, and what it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from application.attempts import attempt_keys
from application.mail import MailRefused
from application.origin import Origin
from application.webhooks import Why
from domain.cause import ActorType
from domain.refusals import LoginRefused
from projections.audit_actions import ACTIONS
from tests.api.callers import OWN, Account, SubUser
from tests.people import deliver_mails

if TYPE_CHECKING:
    from application.mail import Mail
    from tests.api.callers import Doors

OWNER = ("192.0.2.1", "the owner's browser")
COLLEAGUE = ("2001:db8::2", "the colleague's browser")
SUPPORT = ("127.0.0.1", "support's terminal")
NOWHERE = (None, None)
RESET = "another phrase for now"
OWNERS = "a password for the console"
WRONG = "not what it is"
REACHED = "main_account.usage_threshold_reached"


class RefusingMailServer:
    """Takes no mail."""

    def send(self, mail: Mail) -> str:
        raise MailRefused(f"550 no such user: {mail.to}")


@dataclass(frozen=True)
class Story:
    """All that happened to an account and a sub-user, newest first: told while they were there, and afterwards."""

    actors: dict[str, dict[str, Any]]
    sub_user_id: str
    rows: list[dict[str, Any]]
    rows_afterwards: list[dict[str, Any]]
    began: datetime
    ended: datetime

    def only(self, action: str) -> dict[str, Any]:
        """Return the one row of this action, the last one where there are several."""
        return next(row for row in self.rows_afterwards if row["action"] == action)


@pytest.fixture(scope="module")
def story(doors: Doors) -> Story:
    """Have one of each kind of event happen."""
    began = datetime.now(UTC)
    owner = doors.portal.sending(X_Client_IP=OWNER[0], X_Client_User_Agent=OWNER[1])
    account = replace(doors, portal=owner).account(password=OWNERS)
    one = account.let_in()
    there = replace(account, portal=doors.portal.sending(X_Client_IP=COLLEAGUE[0], X_Client_User_Agent=COLLEAGUE[1]))

    manage(doors, account, one)
    come_in_person(doors, account)
    send_events(doors, account)
    colleague = work(replace(one, account=there))
    use_up(doors, colleague)
    deliver_mails(doors.service)
    lock_out(doors, colleague)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(doors.service.mailing, "_transport", RefusingMailServer())
        one.change(password=RESET)
        deliver_mails(doors.service)
    replace(colleague, password=RESET).token()
    one.change(active=False)
    audit(doors, account)
    rows = account.rows()
    assert owner.delete(one.path).status_code == 204
    assert owner.delete(account.path).status_code == 204

    support = next(key for key in doors.service.api_keys.list() if key.scope == "support")
    actors: dict[str, dict[str, Any]] = {
        "owner": {"type": "main_account", "id": account.account_id, "name": "Winds & Waves"},
        "colleague": {"type": "sub_user", "id": one.sub_user_id, "name": "Grace Hopper"},
        "support": {"type": "support", "id": str(support.api_key_id), "name": "the support's key"},
        "mailer": {"type": "system", "id": "mailer", "name": None},
        "sender of events": {"type": "system", "id": "webhooks", "name": None},
        "counter": {"type": "system", "id": "usage", "name": None},
        "nobody known": {"type": "anonymous", "id": None, "name": None},
    }
    return Story(actors, one.sub_user_id, rows, account.rows(), began, datetime.now(UTC))


def manage(doors: Doors, account: Account, one: SubUser) -> None:
    """Have the owner, and support, change whatever can be changed."""
    account.portal.patch(account.path, json={"language": "it"})
    body = {"limit": 12, "reason": "They opened a second office."}
    doors.support.put(f"{account.path}/sub-user-limit", json=body, headers={"User-Agent": SUPPORT[1]})
    one.change(surname="Murray", visible=False, access_expires_at="2099-01-01T00:00:00Z")
    one.change(surname="Hopper", active=True)
    deliver_mails(doors.service)


def come_in_person(doors: Doors, account: Account) -> None:
    """Have the owner mistype their password, log in, and go."""
    by = Origin(ActorType.MAIN_ACCOUNT, ip=OWNER[0], user_agent=OWNER[1])
    with pytest.raises(LoginRefused):
        doors.service.owner_sessions.log_in(account.email, WRONG, by)
    opened = doors.service.owner_sessions.log_in(account.email, OWNERS, by).value
    doors.service.owner_sessions.log_out(opened.token, by)


def send_events(doors: Doors, account: Account) -> None:
    """Have a receiver of events come and go."""
    body = {"account_id": account.account_id, "url": "https://receiver.example/"}
    made: Any = account.portal.post("/v1/webhooks", json=body).json
    doors.service.webhooks.disable(UUID(made["webhook_id"]), Why.FAILING)
    path = f"/v1/webhooks/{made['webhook_id']}"
    assert account.portal.post(f"{path}/enable").status_code == 200
    assert account.portal.delete(path).status_code == 204


def work(one: SubUser) -> SubUser:
    """Have the sub-user come, do something, and go."""
    one = one.choosing(OWN)
    activity = {"sub_user_id": one.sub_user_id, "action": "tool.used", "target": "a tool", "details": {"times": 3}}
    one.account.portal.post(f"{one.account.path}/activities", json={"activities": [activity]})
    one.account.portal.delete("/v1/sessions/current", headers={"Session-Token": one.token()})
    return one


def use_up(doors: Doors, one: SubUser) -> None:
    """Have all that the plan includes of conversation used."""
    plan = {"included_minutes": 5, "included_tokens": 0, "period_start": "2026-01-01"}
    assert doors.portal.put(f"{one.account.path}/plan", json=plan, headers=told(OWNER)).status_code == 200
    usage = {"sub_user_id": one.sub_user_id, "conversation_minutes": 5}
    assert one.account.portal.post(f"{one.account.path}/usage", json={"usage": [usage]}).status_code == 201
    while not any(row["action"] == REACHED for row in one.account.rows()):
        doors.service.usage.check_next()


def audit(doors: Doors, account: Account) -> None:
    """Have an auditor read what is recorded, and take a copy."""
    for accepted in ("application/json", "text/csv"):
        assert doors.auditor.get(f"{account.path}/audit-log", headers={"Accept": accepted}).status_code == 200


def told(where: tuple[str, str]) -> dict[str, str]:
    """Return what a portal tells of its client."""
    return {"X-Client-IP": where[0], "X-Client-User-Agent": where[1]}


def lock_out(doors: Doors, one: SubUser) -> None:
    """Have a hundred logins fail, of which two are tried: the others would take half a minute."""
    one.log_in(password=WRONG)
    prints = doors.service.fingerprints
    keys = attempt_keys(prints, prints.email(one.account.email), prints.email(one.email), None)
    with doors.service.database.get_connection() as connection:
        connection.execute("UPDATE throttle SET failures = 99 WHERE key = %s", [keys.counted])
    one.log_in(password=WRONG)


def test_everything_that_can_happen_is_told(story: Story) -> None:
    """There is a row for each kind of event, under its action, and for what the portal reported."""
    assert {row["action"] for row in story.rows_afterwards} == {*ACTIONS.values(), "tool.used"}


@pytest.mark.parametrize(
    ("action", "who", "where", "what"),
    [
        ("main_account.registered", "owner", OWNER, {"company_name": "Winds & Waves", "sub_user_limit": 10}),
        ("main_account.details_changed", "owner", OWNER, {"language": "it", "password_changed": False}),
        ("main_account.sub_user_limit_raised", "support", SUPPORT, {"sub_user_limit": 12}),
        ("main_account.login_refused", "nobody known", OWNER, {"why": "wrong_password", "failures": 1}),
        ("main_account.logged_in", "owner", OWNER, {"via": "password"}),
        ("main_account.logged_out", "owner", OWNER, {}),
        ("webhook.created", "owner", OWNER, {}),
        ("webhook.disabled", "sender of events", NOWHERE, {"why": "failing", "failures": 0}),
        ("webhook.enabled", "owner", OWNER, {}),
        ("webhook.deleted", "owner", OWNER, {}),
        ("main_account.plan_set", "owner", OWNER, {"included_minutes": 5, "period_start": "2026-01-01"}),
        (REACHED, "counter", NOWHERE, {"resource": "conversation_ms", "used": 300_000, "included": 300_000}),
        ("sub_user.usage_recorded", "colleague", COLLEAGUE, {"conversation_ms": 300_000, "llm_tokens": 0}),
        ("sub_user.created", "owner", OWNER, {"name": "Grace", "surname": "Hopper", "visible": True}),
        ("sub_user.details_changed", "owner", OWNER, {"surname": "Hopper"}),
        ("sub_user.visibility_changed", "owner", OWNER, {"visible": False}),
        ("sub_user.access_expiry_set", "owner", OWNER, {"access_expires_at": "2099-01-01T00:00:00Z"}),
        ("sub_user.activated", "owner", OWNER, {"notice": "activation"}),
        ("sub_user.credentials_mailed", "mailer", NOWHERE, {"notice": "password_changed"}),
        ("sub_user.logged_in", "colleague", COLLEAGUE, {"with_temporary_password": True}),
        ("sub_user.password_changed", "colleague", COLLEAGUE, {}),
        ("tool.used", "colleague", COLLEAGUE, {"times": 3}),
        ("sub_user.logged_out", "colleague", COLLEAGUE, {}),
        ("sub_user.login_refused", "nobody known", COLLEAGUE, {"why": "wrong_password", "failures": 1}),
        ("sub_user.locked_out", "nobody known", COLLEAGUE, {"failures": 100}),
        ("sub_user.password_reset", "owner", OWNER, {"notice": "reset"}),
        ("sub_user.unlocked", "owner", OWNER, {}),
        ("sub_user.credentials_mail_failed", "mailer", NOWHERE, {"notice": "reset"}),
        ("sub_user.deactivated", "owner", OWNER, {}),
    ],
)
def test_each_row_tells_who_did_what_from_where(
    story: Story, action: str, who: str, where: tuple[str | None, str | None], what: dict[str, Any]
) -> None:
    """The actor by type, id and name; address and browser as the portal told them; what only this kind has."""
    row = next(row for row in story.rows if row["action"] == action)
    assert row["actor"] == story.actors[who]
    assert (row["ip"], row["user_agent"]) == where
    assert what.items() <= row["details"].items()
    assert row["sub_user_id"] == (None if action.startswith(("main_account.", "webhook.")) else story.sub_user_id)
    assert row["target"] == ("a tool" if action == "tool.used" else None)


def test_a_raise_of_the_limit_tells_its_reason(story: Story) -> None:
    """Nothing else has one."""
    with_reason = {row["action"]: row["reason"] for row in story.rows if row["reason"] is not None}
    assert with_reason == {"main_account.sub_user_limit_raised": "They opened a second office."}


def test_each_row_tells_when(story: Story) -> None:
    """Within the time that the story took, in its order, in UTC."""
    times = [row["recorded_at"] for row in story.rows_afterwards]
    assert all(time.endswith("Z") for time in times)
    moments = [datetime.fromisoformat(time) for time in times]
    assert moments == sorted(moments, reverse=True)
    assert story.began <= moments[-1] <= moments[0] <= story.ended
    assert [row["occurred_at"] for row in story.rows_afterwards] == times


def test_what_the_mail_server_said_is_told(story: Story) -> None:
    """Of a mail that it took, and of one that it refused."""
    failed = next(row for row in story.rows if row["action"] == "sub_user.credentials_mail_failed")
    assert failed["details"]["reply"].startswith("550 no such user: someone-")
    mailed = next(row for row in story.rows if row["action"] == "sub_user.credentials_mailed")
    assert mailed["details"]["reply"]


def test_nothing_inside_is_told(story: Story) -> None:
    """No hash, no key, no version: what means nothing outside is in no row."""
    inside = {"email_hash", "originator_id", "originator_version", "originator_topic", "timestamp", "request_id"}
    assert not [row for row in story.rows if inside & set(row["details"])]


def test_of_somebody_deleted_everything_personal_is_erased(story: Story) -> None:
    """The rows stay, with who did it where the owner did; names, addresses, browsers, details are unreadable."""
    created, logged_in = story.only("sub_user.created"), story.only("sub_user.logged_in")
    assert created["details"]["email"] == created["details"]["name"] == created["details"]["surname"] == "[erased]"
    assert created["actor"] == story.actors["owner"]
    assert (created["ip"], created["user_agent"]) == OWNER
    assert logged_in["actor"] == {"type": "sub_user", "id": story.sub_user_id, "name": "[erased]"}
    assert (logged_in["ip"], logged_in["user_agent"]) == ("[erased]", "[erased]")
    activity = story.only("tool.used")
    assert (activity["target"], activity["details"]) == ("[erased]", "[erased]")
    text = str(story.rows_afterwards)
    assert "Grace" not in text
    assert "someone-" not in text
    assert COLLEAGUE[0] not in text
    assert len(story.rows_afterwards) == len(story.rows) + 3


def test_a_deletion_and_a_closing_are_told(story: Story) -> None:
    """By whom and from where, as anything else."""
    for action in ("sub_user.deleted", "sub_user.personal_data_erased", "main_account.closed"):
        row = story.only(action)
        assert row["actor"] == story.actors["owner"]
        assert (row["ip"], row["user_agent"]) == OWNER


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        ({"password": WRONG}, "wrong_password"),
        ({"email": "nobody@company.example"}, "unknown"),
    ],
)
def test_a_refused_login_is_told_with_the_reason(account: Account, instead: dict[str, str], why: str) -> None:
    """Which the one who tried does not learn."""
    one = account.let_in_active()
    assert one.log_in(**instead).status_code == 401
    row = account.rows()[0]
    assert row["action"] == "sub_user.login_refused"
    assert row["details"] == {"why": why, "failures": 1}
    assert row["sub_user_id"] == (one.sub_user_id if why == "wrong_password" else None)


@pytest.mark.parametrize(
    ("change", "why"),
    [({"active": False}, "inactive"), ({"access_expires_at": "2020-01-01T00:00:00Z"}, "expired")],
)
def test_a_login_without_access_is_told_with_the_reason(account: Account, change: dict[str, Any], why: str) -> None:
    """Though the password was right."""
    one = account.let_in_active()
    one.change(**change)
    assert one.log_in().status_code == 401
    assert account.rows()[0]["details"] == {"why": why, "failures": 1}


def test_of_many_refused_logins_in_a_row_ever_fewer_are_told(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first five, then each time their number has doubled: an attacker cannot flood the history."""
    monkeypatch.setattr("api.http.sessions.REFUSALS_TAKE", 0.001)
    one = account.let_in_active()
    for number in range(33):
        body = {**one.credentials, "password": WRONG}
        account.portal.post("/v1/sessions", json=body, headers={"X-Client-IP": f"198.51.100.{number}"})
    told = [row["details"]["failures"] for row in account.rows(action="sub_user.login_refused")]
    assert told == [32, 16, 8, 5, 4, 3, 2, 1]
