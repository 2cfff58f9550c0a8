"""Webhooks over HTTP: who may make them, what is shown of them, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.callers import Doors, require_problem
from tests.receiver import receiving, status
from tests.webhooks import allowing_this_machine, deliver

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from api.bootstrap import Service
    from api.config import Settings
    from tests.api.callers import Account, Caller

URL = "https://receiver.example/hook?key=1"


def create(caller: Caller, account: Account | None = None, **body: Any) -> TestResponse:
    told = {"account_id": account.account_id} if account is not None else {}
    return caller.post("/v1/webhooks", json={"url": URL, **told, **body})


def created(caller: Caller, account: Account | None = None, **body: Any) -> Any:
    answer = create(caller, account, **body)
    assert answer.status_code == 201, answer.text
    return answer.json


@pytest.fixture
def portal(doors: Doors) -> Caller:
    return doors.portal


def test_a_webhook_and_its_secret_are_shown_once(portal: Caller, account: Account) -> None:
    """Its secret in this answer alone; what else it is, again and again."""
    answer = create(portal, account, types=["subusers.sub_user.created.v1"], description="The desk's")
    made: Any = answer.json
    secret, public_key = made.pop("secret"), made.pop("public_key")
    assert secret.startswith("whsec_")
    assert public_key is None
    assert made == {
        "webhook_id": made["webhook_id"],
        "account_id": account.account_id,
        "url": URL,
        "types": ["subusers.sub_user.created.v1"],
        "description": "The desk's",
        "signature": "hmac",
        "status": "active",
        "created_at": made["created_at"],
        "position": made["position"],
        "failures": 0,
        "next_attempt_at": None,
        "disabled_at": None,
        "disabled_why": None,
    }
    assert made["position"] < int(answer.headers["Event-Position"])
    assert answer.headers["Location"] == f"/v1/webhooks/{made['webhook_id']}"
    shown = portal.get(answer.headers["Location"])
    assert shown.json == made
    assert secret not in portal.get("/v1/webhooks", query_string={"account_id": account.account_id}).text


def test_of_a_key_pair_the_public_half_is_shown(doors: Doors) -> None:
    """A webhook of all accounts, signed with Ed25519."""
    made = created(doors.analytics, signature="ed25519")
    assert (made["secret"], made["account_id"]) == (None, None)
    assert made["public_key"].startswith("whpk_")
    again: Any = doors.analytics.post(f"/v1/webhooks/{made['webhook_id']}/secrets").json
    assert again["public_key"] not in {None, made["public_key"]}
    assert again["secret"] is None
    assert doors.analytics.delete(f"/v1/webhooks/{made['webhook_id']}").status_code == 204


def test_a_portal_s_are_of_an_account_and_those_of_analytics_of_all(doors: Doors, account: Account) -> None:
    """422 naming the field."""
    require_problem(create(doors.portal), 422, "invalid-input", "account_id")
    require_problem(create(doors.analytics, account), 422, "invalid-input", "account_id")
    answer = doors.portal.post("/v1/webhooks", json={"url": URL, "account_id": str(uuid4())})
    require_problem(answer, 404, "account-not-found")
    doors.portal.delete(account.path)
    require_problem(create(doors.portal, account), 409, "account-closed")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("url", one) for one in ("http://receiver.example/", "https://10.0.0.1/", "https://u:p@receiver.example/")),
        *(("url", one) for one in ("", None, 1, "https://", "https://receiver.example/" + "x" * 2000, "https://a\0b/")),
        *(("types", one) for one in ([], ["subusers.nothing.v1"], "subusers.sub_user.created.v1", [None], [1])),
        *(("signature", one) for one in ("none", None, 1, "HMAC")),
        *(("after", one) for one in (-1, 2**63, 10**12, "1", True, 1.5)),
        *(("description", one) for one in ("", "x" * 101, "a\nb", "\ud800", 1)),
        ("account_id", "no id"),
        ("secret", "whsec_of-my-own"),
    ],
)
def test_what_cannot_be_is_refused(portal: Caller, account: Account, field: str, value: Any) -> None:
    """422 that names the field."""
    require_problem(create(portal, account, **{field: value}), 422, "invalid-input", field)


def test_there_may_be_so_many(portal: Caller, account: Account) -> None:
    for _ in range(10):
        created(portal, account)
    require_problem(create(portal, account), 409, "webhook-limit-reached")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", ""), ("DELETE", ""), ("POST", "/secrets"), ("POST", "/enable"), ("GET", "/deliveries")),
        ("POST", "/replay"),
    ],
)
def test_one_of_the_other_kind_is_not_found(doors: Doors, account: Account, method: str, path: str) -> None:
    """404 on every route, as for one that there never was."""
    of_account, of_all = created(doors.portal, account), created(doors.analytics)
    body: dict[str, Any] = {"json": {"after": 0}} if path == "/replay" else {}
    for caller, other in ((doors.portal, of_all), (doors.analytics, of_account)):
        for webhook_id in (other["webhook_id"], uuid4()):
            answer = caller.ask(method, f"/v1/webhooks/{webhook_id}{path}", **body)
            require_problem(answer, 404, "webhook-not-found")
    doors.analytics.delete(f"/v1/webhooks/{of_all['webhook_id']}")


def test_lists_have_pages(portal: Caller, account: Account) -> None:
    ids = [created(portal, account)["webhook_id"] for _ in range(3)]
    asked = {"account_id": account.account_id, "limit": "2"}
    first: Any = portal.get("/v1/webhooks", query_string=asked).json
    second: Any = portal.get("/v1/webhooks", query_string={**asked, "cursor": first["next_cursor"]}).json
    assert [one["webhook_id"] for one in (*first["items"], *second["items"])] == ids
    assert second["next_cursor"] is None
    require_problem(portal.get("/v1/webhooks", query_string={"cursor": "x"}), 422, "invalid-input", "cursor")


def test_a_deleted_one_is_gone(portal: Caller, account: Account) -> None:
    path = f"/v1/webhooks/{created(portal, account)['webhook_id']}"
    deleted = portal.delete(path)
    assert deleted.status_code == 204
    assert int(deleted.headers["Event-Position"]) > 0
    require_problem(portal.get(path), 404, "webhook-not-found")
    require_problem(portal.delete(path), 404, "webhook-not-found")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return allowing_this_machine(settings)


def test_what_became_of_each_attempt_is_listed(service: Service, own_doors: Doors) -> None:
    """Newest first, in pages, with nothing of what the receiver said but its status."""
    account = own_doors.account()
    with receiving() as receiver:
        receiver.first = [status(200), status(410, "X-Secret: theirs")]
        made = created(own_doors.portal, account, url=receiver.url)
        path = f"/v1/webhooks/{made['webhook_id']}"
        account.let_in()
        deliver(service)
        answer = own_doors.portal.get(f"{path}/deliveries", query_string={"limit": 1})
        first: Any = answer.json
        entry = first["items"][0]
        assert "theirs" not in answer.text
        assert entry == {
            "event_id": receiver.ids[1],
            "type": "subusers.sub_user.created.v1",
            "position": receiver.received[1].event["position"],
            "attempt": 1,
            "attempted_at": entry["attempted_at"],
            "status": 410,
            "error": None,
            "milliseconds": entry["milliseconds"],
        }
        query = {"limit": 1, "cursor": first["next_cursor"]}
        second: Any = own_doors.portal.get(f"{path}/deliveries", query_string=query).json
        assert [one["status"] for one in second["items"]] == [200]
        assert second["next_cursor"] is None
        require_takes_up_again(own_doors, service, path)
        assert receiver.types[2] == "subusers.sub_user.created.v1"
        receiver.received.clear()
        replayed: Any = own_doors.portal.post(f"{path}/replay", json={"after": 0}).json
        assert replayed["position"] == 0
        deliver(service)
        assert receiver.types[0] == "subusers.main_account.registered.v1"


def require_takes_up_again(doors: Doors, service: Service, path: str) -> None:
    """A disabled one says why, and goes on where it stopped once it is enabled."""
    disabled: Any = doors.portal.get(path).json
    assert (disabled["status"], disabled["disabled_why"], disabled["failures"]) == ("disabled", "gone", 1)
    assert disabled["disabled_at"] is not None
    enabled = doors.portal.post(f"{path}/enable")
    shown: Any = enabled.json
    assert (shown["status"], shown["disabled_at"], shown["failures"]) == ("active", None, 0)
    assert int(enabled.headers["Event-Position"]) > disabled["position"]
    deliver(service)


def test_the_log_has_neither_secrets_nor_urls(
    service: Service, own_doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a failed delivery there is a line, by the webhook's id."""
    account = own_doors.account()
    with receiving() as receiver:
        receiver.usually = status(500)
        made = created(own_doors.portal, account, url=f"{receiver.url}/canary?canary")
        own_doors.portal.post(f"/v1/webhooks/{made['webhook_id']}/secrets")
        deliver(service)
    said = "".join(capsys.readouterr())
    assert "webhook.failed" in said
    assert made["webhook_id"] in said
    for secret in ("canary", receiver.url, made["secret"], receiver.received[0].signatures[0]):
        assert secret not in said


@pytest.mark.parametrize("path", ["/secrets", "/enable"])
def test_what_takes_no_body_does_not_mind_one(portal: Caller, account: Account, path: str) -> None:
    made = created(portal, account)
    answer = portal.post(f"/v1/webhooks/{made['webhook_id']}{path}", json={"any": "thing"})
    assert answer.status_code in {200, 201}


def test_building_needs_no_certificates(build: Callable[..., Service]) -> None:
    """Only who sends reads the system's authorities: it takes as long as everything else together."""
    service = build()
    assert "_context" not in vars(service.webhook_deliveries._sender)  # noqa: SLF001  # nobody else could tell
