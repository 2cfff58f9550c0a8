"""Activity types over HTTP: how they are replaced, and the descriptions that have their names."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from application.commands.activity_types import ACTIVITY_TYPES_ID, ActivityType
from application.commands.api_keys import Limits, Scope
from tests.api.clients import ApiClient, require_problem
from tests.api_keys import BY_OPERATOR
from tests.builders import PORTAL

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import ApiClients

PATH = "/v1/activity-types"
GROUP = {"name": "assistants", "labels": {"en": "Assistants", "it": "Assistenti"}}
EDITED: dict[str, Any] = {
    "action": "assistant.edited",
    "labels": {"en": "Assistant changed", "it": "Assistente modificato"},
    "sentences": {"en": "changed the assistant {target}", "it": "ha modificato l'assistente {target}"},
    "group": "assistants",
    "effect": "change",
}
PLAIN: dict[str, Any] = {"action": "call.made", "labels": {"en": "Call", "it": "Chiamata"}}


def replace(
    clients: ApiClients, *activity_types: dict[str, Any], groups: Any = (GROUP,), **headers: str
) -> TestResponse:
    body = {"groups": list(groups), "activity_types": list(activity_types)}
    return clients.portal.put(PATH, json=body, headers=headers)


def test_at_first_there_are_none_and_every_key_may_read_them(own_clients: ApiClients) -> None:
    for scope in Scope:
        response = own_clients.with_scope(scope).get(PATH)
        assert response.json == {"revision": 0, "groups": [], "activity_types": []}
        assert response.headers["ETag"] == '"0"'


def test_they_are_replaced_as_a_whole(own_clients: ApiClients) -> None:
    """The order is kept, and fields that were left out have their defaults."""
    response = replace(own_clients, PLAIN, EDITED)
    assert response.status_code == 200, response.text
    assert response.headers["ETag"] == '"1"'
    assert own_clients.portal.get(PATH).json == response.json
    assert response.json == {
        "revision": 1,
        "groups": [GROUP],
        "activity_types": [{**PLAIN, "sentences": None, "group": None, "effect": "other"}, EDITED],
    }
    assert replace(own_clients, groups=()).json == {"revision": 2, "groups": [], "activity_types": []}


def test_the_same_types_record_nothing(own_clients: ApiClients) -> None:
    assert "Event-Position" in replace(own_clients, EDITED).headers
    response = replace(own_clients, EDITED)
    assert "Event-Position" not in response.headers
    assert response.headers["ETag"] == '"1"'


def test_if_match_requires_the_revision(own_clients: ApiClients) -> None:
    assert replace(own_clients, EDITED, **{"If-Match": '"0"'}).status_code == 200
    require_problem(replace(own_clients, PLAIN, **{"If-Match": '"0"'}), 412, "revision-mismatch")
    assert own_clients.portal.get(PATH).json["activity_types"] == [EDITED]  # type: ignore[index]
    assert replace(own_clients, PLAIN, **{"If-Match": '"1"'}).status_code == 200


@pytest.mark.parametrize(
    ("activity_types", "groups", "field"),
    [
        ([EDITED, EDITED], [GROUP], "activity_types"),
        ([EDITED], [], "activity_types"),
        ([], [GROUP, GROUP], "groups"),
        ([{**PLAIN, "action": "sub_user.created"}], [], "activity_types"),
        ([{**PLAIN, "action": "activity_types.set"}], [], "activity_types"),
        ([{**PLAIN, "action": "Call"}], [], "activity_types"),
        ([{**PLAIN, "labels": {"en": "Call"}}], [], "activity_types"),
        ([{**PLAIN, "labels": {"en": "Call\n", "it": "Chi\0"}}], [], "activity_types"),
        ([{**PLAIN, "sentences": {"en": "called"}}], [], "activity_types"),
        ([{**PLAIN, "effect": "explosion"}], [], "activity_types"),
        ([{**PLAIN, "action": f"call.{number}"} for number in range(501)], [], "activity_types"),
        ([], [{**GROUP, "name": f"group{number}"} for number in range(51)], "groups"),
    ],
)
def test_invalid_types_are_refused(own_clients: ApiClients, activity_types: Any, groups: Any, field: str) -> None:
    require_problem(replace(own_clients, *activity_types, groups=groups), 422, "invalid-input", field)
    assert own_clients.portal.get(PATH).headers["ETag"] == '"0"'


def test_a_key_of_some_accounts_cannot_change_them(own_clients: ApiClients) -> None:
    """They are those of all accounts. The key can read them."""
    account = own_clients.register_account()
    limits = Limits(accounts=frozenset({UUID(account.account_id)}))
    key = own_clients.service.commands.api_keys.create(Scope.PORTAL, "of one account", BY_OPERATOR, limits)
    limited = ApiClient.with_key(own_clients.app, key)
    assert limited.get(PATH).status_code == 200
    require_problem(limited.put(PATH, json={"activity_types": [PLAIN]}), 403, "account-not-allowed")


def test_concurrent_replacements_have_one_revision_each(own_clients: ApiClients) -> None:
    registry = own_clients.service.commands.activity_types
    types = [ActivityType(f"call.{number}", {"en": "Call", "it": "Chiamata"}) for number in range(8)]
    with ThreadPoolExecutor(len(types)) as threads:
        list(threads.map(lambda activity_type: registry.replace([], [activity_type], PORTAL), types))
    stored = list(own_clients.service.main_accounts.events.get(ACTIVITY_TYPES_ID))
    assert [event.originator_version for event in stored] == list(range(1, 9))
    assert {event.actions for event in stored} == {activity_type.action for activity_type in types}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("activity", "sentence"),
    [
        ({"action": "assistant.edited", "target": "Front desk"}, "Grace Hopper changed the assistant Front desk"),
        ({"action": "assistant.edited"}, "Grace Hopper: Assistant changed"),
        ({"action": "assistant.edited", "target": "{actor} {0}"}, "Grace Hopper changed the assistant {actor} {0}"),
        ({"action": "call.made", "target": "+39 02"}, "Grace Hopper: Call · +39 02"),
        ({"action": "report.sent", "target": "May"}, "Grace Hopper sent a report · May"),
        ({"action": "report.sent"}, "Grace Hopper sent a report"),
        ({"action": "other.thing", "target": "x"}, "Grace Hopper: other.thing · x"),
    ],
)
def test_descriptions_have_the_names(own_clients: ApiClients, activity: dict[str, Any], sentence: str) -> None:
    """Those of exports and of the history, also for activities reported before. Others keep their code."""
    account = own_clients.register_account()
    sub_user = account.create_sub_user()
    body = {"activities": [{"sub_user_id": sub_user.sub_user_id, **activity}]}
    assert account.portal.post(f"{account.path}/activities", json=body).status_code == 201
    sent = {
        "action": "report.sent",
        "labels": PLAIN["labels"],
        "sentences": {"en": "sent a report", "it": "ha inviato"},
    }
    replace(own_clients, EDITED, PLAIN, sent)

    history = own_clients.auditor.get(f"{account.path}/history", headers={"Accept": "application/x-ndjson"})
    assert sentence in [json.loads(line).get("in_words") for line in history.text.splitlines()]
    ocsf = own_clients.auditor.get(f"{account.path}/export?format=ocsf")
    assert sentence in [json.loads(line)["message"] for line in ocsf.text.splitlines()]
