"""The certification scenario of the OpenID Foundation for the AuthZEN Authorization API 1.0.

https://github.com/openid/authzen/blob/main/certification/authorization-api-1_0-scenario.md, whose sections the tests
name. The levels Basic Core, Batch Core, Search Core and Discovery are tested. The levels named Properties need a policy
that reads `properties` of the request. Roles have no such rules, so decision rules 5 to 8 cannot be expressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.clients import require_problem

if TYPE_CHECKING:
    from tests.authzen.policy_decision_point import PolicyDecisionPoint

ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}
ONE, TWO = {"type": "record", "id": "record-1"}, {"type": "record", "id": "record-2"}
READ, WRITE = {"name": "read"}, {"name": "write"}
CONTEXT = {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}
ALICE_READS = {"subject": ALICE, "action": READ, "resource": ONE}
BOB_WRITES = {"subject": BOB, "action": WRITE, "resource": ONE}
SUBJECT_SEARCH = {"subject": {"type": "user"}, "action": READ, "resource": ONE}
RESOURCE_SEARCH = {"subject": ALICE, "action": READ, "resource": {"type": "record"}}
ACTION_SEARCH = {"subject": ALICE, "resource": ONE}
SEARCHES = {"search/subject": SUBJECT_SEARCH, "search/resource": RESOURCE_SEARCH, "search/action": ACTION_SEARCH}


@pytest.fixture(scope="module")
def pdp(point: PolicyDecisionPoint) -> PolicyDecisionPoint:
    """Return the required fixture (c-1)."""
    point.set_permissions({"read": "record", "write": "record", "delete": "record"})
    reader, writer = point.create_role("reader", ["read"]), point.create_role("writer", ["read", "write"])
    point.add_user("alice", {"role_id": writer, "resource": ONE})
    point.add_user("bob", {"role_id": reader, "resource": ONE})
    return point


def without(body: dict[str, Any], name: str, part: str | None = None) -> dict[str, Any]:
    """Return a request without an entity, or without a part of it."""
    if part is None:
        return {key: value for key, value in body.items() if key != name}
    return {**body, name: without(body[name], part)}


@pytest.mark.parametrize(
    ("body", "decision"),
    [
        pytest.param(ALICE_READS, True, id="rule 1"),
        pytest.param({**ALICE_READS, "action": WRITE}, True, id="rule 2"),
        pytest.param({**ALICE_READS, "subject": BOB}, True, id="rule 3"),
        pytest.param(BOB_WRITES, False, id="rule 4"),
        pytest.param({**ALICE_READS, "context": CONTEXT}, True, id="with context"),
        pytest.param({**ALICE_READS, "foo": "bar", "futureField": {"nested": True}}, True, id="with unknown fields"),
        pytest.param(
            {
                "subject": {**ALICE, "properties": {"department": "Sales", "role": "manager"}},
                "action": {**READ, "properties": {"method": "GET"}},
                "resource": {**ONE, "properties": {"status": "active", "owner": "bob"}},
            },
            True,
            id="with properties",
        ),
        pytest.param({**ALICE_READS, "subject": {"type": "user", "id": "nobody"}}, False, id="unknown subject"),
        pytest.param({**ALICE_READS, "subject": {**ALICE, "type": "robot"}}, False, id="unknown type of subject"),
        pytest.param({**ALICE_READS, "resource": {**ONE, "type": "spaceship"}}, False, id="unknown type of resource"),
        pytest.param({**ALICE_READS, "action": {"name": "launch"}}, False, id="unknown action"),
    ],
)
def test_evaluation(pdp: PolicyDecisionPoint, body: Any, decision: bool) -> None:
    """Sections c-2-2, c-2-3 and c-2-6: the decision is the same each time."""
    assert [pdp.ask("evaluation", body)["decision"] for _ in range(3)] == [decision] * 3
    assert pdp.ask("evaluations", body)["decision"] is decision
    assert pdp.ask("evaluations", {**body, "evaluations": []})["decision"] is decision


INVALID = [
    *(without(ALICE_READS, name) for name in ALICE_READS),
    *(without(ALICE_READS, name, part) for name, parts in ALICE_READS.items() for part in parts),
    {**ALICE_READS, "subject": "alice"},
    {**ALICE_READS, "action": {"name": 123}},
    {**ALICE_READS, "resource": {"type": "record", "id": 1}},
    {**ALICE_READS, "resource": {"type": "record", "id": None}},
    {**ALICE_READS, "resource": {"type": "record", "id": "\0"}},
    {**ALICE_READS, "resource": {"type": "record", "id": "\ud800"}},
]


@pytest.mark.parametrize("body", INVALID, ids=str)
@pytest.mark.parametrize("path", ["evaluation", "evaluations"])
def test_invalid_evaluation(pdp: PolicyDecisionPoint, path: str, body: Any) -> None:
    """Section c-2-4: 400 with a message."""
    (field,) = [name for name in ALICE_READS if body.get(name) != ALICE_READS[name]]
    require_problem(pdp.send(path, body), 400, "invalid-input", field)


@pytest.mark.parametrize("path", ["evaluation", "evaluations", *SEARCHES])
@pytest.mark.parametrize(
    ("data", "content_type", "problem"),
    [
        ('{"subject": {}}', "text/plain", "unsupported-media-type"),
        ('{"subject": ', "application/json", "malformed-body"),
        ("", "application/json", "malformed-body"),
        ("[]", "application/json", "malformed-body"),
    ],
)
def test_body_that_is_no_json_object(
    pdp: PolicyDecisionPoint, path: str, data: str, content_type: str, problem: str
) -> None:
    response = pdp.client.post(f"/access/v1/{path}", data=data, content_type=content_type)
    require_problem(response, 400, problem)


@pytest.mark.parametrize(
    "request_id", ["bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "any text, (of) the client's", "x" * 200]
)
@pytest.mark.parametrize("body", [ALICE_READS, {}])
def test_request_id_is_repeated(pdp: PolicyDecisionPoint, request_id: str, body: Any) -> None:
    """Section c-2-5."""
    response = pdp.send("evaluation", body, headers={"X-Request-ID": request_id})
    assert response.headers.getlist("X-Request-ID") == [request_id]


def test_request_id_is_optional(pdp: PolicyDecisionPoint) -> None:
    assert pdp.send("evaluation", ALICE_READS).headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("body", "decisions"),
    [
        ({"subject": ALICE, "action": READ, "evaluations": [{"resource": ONE}, {"resource": TWO}]}, [True, False]),
        ({"subject": BOB, "resource": ONE, "evaluations": [{"action": READ}, {"action": WRITE}]}, [True, False]),
        ({"evaluations": [ALICE_READS, BOB_WRITES]}, [True, False]),
        ({**ALICE_READS, "evaluations": [{}, {"resource": TWO}, {}]}, [True, False, True]),
        (
            {
                "subject": ALICE,
                "action": READ,
                "context": CONTEXT,
                "evaluations": [{"resource": ONE}, {"resource": TWO, "context": {"source": "batch-override"}}],
            },
            [True, False],
        ),
    ],
)
def test_batch(pdp: PolicyDecisionPoint, body: Any, decisions: list[bool]) -> None:
    """Sections c-3-2 and c-3-3. Also what c-3-2-7 says of defaults, without its properties."""
    answer = pdp.ask("evaluations", body)
    assert [evaluation["decision"] for evaluation in answer["evaluations"]] == decisions
    assert "decision" not in answer


@pytest.mark.parametrize(
    "element", [{}, {"resource": {"type": "record"}}, {"resource": "record-1"}, {"resource": {**ONE, "id": 1}}, [], "x"]
)
def test_an_invalid_element_is_denied(pdp: PolicyDecisionPoint, element: Any) -> None:
    """Section c-3-4-1: the others are decided."""
    body = {"subject": ALICE, "action": READ, "evaluations": [{"resource": ONE}, element, {"resource": ONE}]}
    first, invalid, last = pdp.ask("evaluations", body)["evaluations"]
    assert (first["decision"], invalid["decision"], last["decision"]) == (True, False, True)
    assert invalid["context"]["error"]["status"] == 400
    assert invalid["context"]["error"]["message"]


@pytest.mark.parametrize(
    ("semantic", "decisions"),
    [
        ("execute_all", [True, False, True, False]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_semantics_of_a_batch(pdp: PolicyDecisionPoint, semantic: str, decisions: list[bool]) -> None:
    """An element that is not valid counts as a denial."""
    body = {"evaluations": [ALICE_READS, {}, ALICE_READS, BOB_WRITES], "options": {"evaluations_semantic": semantic}}
    assert [evaluation["decision"] for evaluation in pdp.ask("evaluations", body)["evaluations"]] == decisions


@pytest.mark.parametrize(
    "body",
    [
        {"evaluations": {}},
        {"subject": "alice", "evaluations": [ALICE_READS]},
        {"evaluations": [ALICE_READS], "options": {"evaluations_semantic": "some"}},
        {"evaluations": [ALICE_READS] * 101},
    ],
)
def test_invalid_batch(pdp: PolicyDecisionPoint, body: Any) -> None:
    response = pdp.send("evaluations", body)
    require_problem(response, 400, "invalid-input", *response.json["errors"])  # type: ignore[index]


IGNORED: list[dict[str, Any]] = [{}, {"context": CONTEXT}, {"page": {"limit": 1000}}, {"page": {}}, {"foo": "bar"}]


@pytest.mark.parametrize("more", IGNORED, ids=str)
def test_searches(pdp: PolicyDecisionPoint, more: dict[str, Any]) -> None:
    """Sections c-4-2 to c-4-4. The id of what is searched is ignored."""
    alice, bob = (pdp.sub_users[name].sub_user_id for name in ("alice", "bob"))
    for subject in (SUBJECT_SEARCH["subject"], ALICE):
        results = pdp.ask("search/subject", {**SUBJECT_SEARCH, "subject": subject, **more})["results"]
        assert results == [{"type": "sub_user", "id": alice}, {"type": "sub_user", "id": bob}]
    for resource in (RESOURCE_SEARCH["resource"], ONE, TWO):
        assert pdp.ask("search/resource", {**RESOURCE_SEARCH, "resource": resource, **more})["results"] == [ONE]
    assert pdp.ask("search/action", {**ACTION_SEARCH, **more})["results"] == [READ, WRITE]


def test_pages_of_a_search(pdp: PolicyDecisionPoint) -> None:
    """Section c-4-5. The resources of a search come in pages, the few sub-users of an account in one."""
    things = [{"type": "record", "id": f"page-{number}"} for number in range(5)]
    role_id = pdp.create_role("reader of pages", ["read"])
    pdp.add_user("carol", *({"role_id": role_id, "resource": thing} for thing in things))
    search = {**RESOURCE_SEARCH, "subject": {"type": "user", "id": "carol"}}
    found: list[Any] = []
    token = ""
    while not found or token:
        answer = pdp.ask("search/resource", {**search, "page": {"limit": 2, "token": token}})
        found, token = found + answer["results"], answer["page"]["next_token"]
        assert answer["page"]["count"] == len(answer["results"]) <= 2
    assert found == things
    nothing = pdp.ask("search/resource", {**search, "page": {"limit": 0}})
    assert (nothing["results"], nothing["page"]["next_token"] != "") == ([], True)
    require_problem(
        pdp.send("search/resource", {**search, "page": {"token": "none of ours"}}), 400, "invalid-input", "page"
    )
    assert pdp.ask("search/subject", {**SUBJECT_SEARCH, "page": {"limit": 1}})["page"]["next_token"] == ""


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("search/action", {"subject": {"type": "user", "id": "nonexistent-user"}}),
        ("search/action", {"resource": {"type": "spaceship", "id": "record-1"}}),
        ("search/subject", {"subject": {"type": "spaceship"}}),
        ("search/subject", {"resource": {"type": "record", "id": "nonexistent"}}),
        ("search/subject", {"resource": {"type": "account", "id": "nonexistent"}, "context": {}}),
        ("search/resource", {"subject": {"type": "user", "id": "nonexistent-user"}}),
        ("search/resource", {"resource": {"type": "spaceship"}}),
        ("search/resource", {"action": {"name": "launch"}}),
    ],
)
def test_search_without_results(pdp: PolicyDecisionPoint, path: str, changes: dict[str, Any]) -> None:
    """Section c-4-6: what is unknown is no error."""
    if changes.get("resource", {}).get("type") == "account":
        pdp = type(pdp)(pdp.account, pdp.account.portal, pdp.sub_users)  # the limited key is not allowed for it
    assert pdp.ask(path, {**SEARCHES[path], **changes})["results"] == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        *((path, without(body, name), name) for path, body in SEARCHES.items() for name in body),
        ("search/subject", without(SUBJECT_SEARCH, "resource", "id"), "resource"),
        ("search/resource", without(RESOURCE_SEARCH, "subject", "id"), "subject"),
        ("search/action", without(ACTION_SEARCH, "subject", "id"), "subject"),
        ("search/action", without(ACTION_SEARCH, "resource", "id"), "resource"),
        ("search/subject", {**SUBJECT_SEARCH, "context": {"account_id": "x"}}, "context"),
    ],
)
def test_invalid_search(pdp: PolicyDecisionPoint, path: str, body: Any, field: str) -> None:
    """Section c-4-7."""
    require_problem(pdp.send(path, body), 400, "invalid-input", field)


def test_a_key_of_several_accounts_names_the_account(pdp: PolicyDecisionPoint) -> None:
    response = pdp.account.portal.post("/access/v1/search/subject", json=SUBJECT_SEARCH)
    require_problem(response, 400, "invalid-input", "context")


def test_metadata(pdp: PolicyDecisionPoint) -> None:
    """Section c-6."""
    response = pdp.client.get("/.well-known/authzen-configuration", headers={"Authorization": ""})
    assert (response.status_code, response.content_type) == (200, "application/json")
    metadata: Any = response.json
    assert metadata["policy_decision_point"] == "https://portal.example"
    endpoints = {name: url for name, url in metadata.items() if name.endswith("_endpoint")}
    assert sorted(endpoints.values()) == sorted(
        f"https://portal.example/access/v1/{path}" for path in ("evaluation", "evaluations", *SEARCHES)
    )
