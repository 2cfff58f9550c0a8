"""Every way to ask about access over HTTP, on random states: all answers are those of Cedar and of a plain model."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.access import cedar
from tests.access.commands import NAMES, RESOURCES, RandomCommands, random_catalogue
from tests.access.model import Model
from tests.access.portal import PortalExecutor, resource_json

if TYPE_CHECKING:
    from tests.access.model import Resource
    from tests.api.clients import ApiClients
    from tests.conftest import TravelingClock

COMMANDS_BETWEEN, STATES = 9, 4
"""Each history is asked about in this many states, with so many commands before each."""

STRANGER = "a stranger"
MAX_QUESTIONS = 100
SAMPLE = 6

HISTORIES = [
    pytest.param(range(4), id="16 states"),
    *(
        pytest.param(
            range(part * 500, (part + 1) * 500),
            id=f"2,000 states from {part * 2000}",
            marks=[pytest.mark.long, pytest.mark.timeout(7200)],
        )
        for part in range(4)
    ),
]


@pytest.mark.parametrize("seeds", HISTORIES)
def test_every_answer_is_that_of_cedar(own_clients: ApiClients, clock: TravelingClock, seeds: range) -> None:
    """No list has what a check denies, and every list has all that a check allows."""
    allowed = 0
    for seed in seeds:
        random = Random(seed)
        model = Model(random_catalogue(random))
        executor = PortalExecutor(own_clients, clock, model)
        generator = RandomCommands(random, model)
        for _ in range(STATES):
            for _ in range(COMMANDS_BETWEEN):
                executor.run(generator.next(), model)
            asked = Asked(executor, model, random)
            asked.introspection()
            asked.session_resources()
            asked.evaluations()
            asked.searches()
            asked.access_reports()
            allowed += sum(asked.expected.values())
    assert allowed > len(seeds)


class Asked:
    """Questions about one state, whose answers must be those of Cedar."""

    def __init__(self, executor: PortalExecutor, model: Model, random: Random) -> None:
        self._executor, self._model, self._random = executor, model, random
        self._portal = executor.portal
        executor.ids[STRANGER] = uuid4()
        self._people = [*executor.people, STRANGER]  # deleted ones too
        self._things = (None, *RESOURCES)
        questions = [
            (person, permission, resource)
            for person in self._people
            for permission in NAMES
            for resource in self._things
        ]
        self.expected = dict(zip(questions, cedar.decisions(model, questions), strict=True))
        assert [model.is_allowed(*question) for question in questions] == list(self.expected.values())
        self.tokens = {person: executor.new_token(person) for person in model.people}

    def introspection(self) -> None:
        """All questions as checks of one request, some of them twice, and some alone. Also with earlier tokens."""
        pairs = [(permission, resource) for permission in NAMES for resource in self._things]
        for person, tokens in self._executor.former_tokens.items():
            for token in self._random.sample(tokens, min(len(tokens), 2)):
                asked = [*pairs, *self._random.choices(pairs, k=10)]
                self._random.shuffle(asked)
                self._introspect(person, token, asked, self._random.choice([*pairs, None]))

    def _introspect(self, person: str, token: str, asked: list[tuple[str, Resource | None]], alone: Any) -> None:
        checks = [
            {"id": str(number), "permission": permission, "resource": resource_json(resource)}
            for number, (permission, resource) in enumerate(asked)
        ]
        body: dict[str, Any] = {"token": token, "checks": checks}
        if alone is not None and alone[0] in self._model.catalogue:
            body |= {"permission": alone[0]} | ({"resource": resource_json(alone[1])} if alone[1] is not None else {})
        answer = self._post("/v1/sessions/introspect", body)
        assert [check["id"] for check in answer["checks"]] == [check["id"] for check in checks]
        expected = [answer["active"] and self.expected[person, *question] for question in asked]
        assert [check["allowed"] for check in answer["checks"]] == expected
        grant_ids = {str(self._executor.ids[name]) for name in self._model.grants_of(person)}
        for check in answer["checks"]:
            assert set(check["because"]) == ({"role_id", "grant_id"} if check["allowed"] else {"missing"})
            assert not check["allowed"] or check["because"]["grant_id"] in grant_ids
        if "permission" in body:
            assert answer["allowed"] is (answer["active"] and self.expected[person, *alone])
        if token == self.tokens.get(person):
            assert answer["active"]
            assert set(answer["permissions"]) == {name for name in NAMES if self.expected[person, name, None]}

    def session_resources(self) -> None:
        """The resources of a session, page by page."""
        for person, token in self.tokens.items():
            if token is not None:
                permission, query = self._random.choice(NAMES), {"limit": self._random.randint(1, 3)}
                answers = self._pages(token, {"permission": permission, **query})
                listed = [(item["type"], item["id"]) for answer in answers for item in answer["items"]]
                self._require_resources(person, permission, answers[0]["all"], listed)

    def _pages(self, token: str, query: dict[str, Any]) -> list[Any]:
        answers: list[Any] = []
        while not answers or answers[-1]["next_cursor"] is not None:
            cursor = {"cursor": answers[-1]["next_cursor"]} if answers else {}
            headers = {"Session-Token": token}
            response = self._portal.get("/v1/sessions/current/resources", query_string=query | cursor, headers=headers)
            assert response.status_code == 200, response.text
            answers.append(response.json)
        return answers

    def _require_resources(
        self, person: str, permission: str, is_all: bool, listed: list[tuple[str, str]], of_type: str | None = None
    ) -> None:
        rule = self._model.catalogue.get(permission)
        resource_type = rule.resource_type if rule is not None else None
        applies = of_type in {None, resource_type}
        assert is_all is (applies and self.expected[person, permission, None])
        allowed = [thing for thing in RESOURCES if self.expected[person, permission, thing] and applies]
        assert listed == ([] if is_all else sorted(allowed))

    def evaluations(self) -> None:
        """All questions in AuthZEN batches, some of them twice; some alone; and with each semantic."""
        questions = [*self.expected, *self._random.choices(list(self.expected), k=20)]
        self._random.shuffle(questions)
        for begin in range(0, len(questions), MAX_QUESTIONS):
            batch = questions[begin : begin + MAX_QUESTIONS]
            self._require_batch(batch, "execute_all", len(batch))
        for question in self._random.sample(questions, SAMPLE):
            answer = self._post("/access/v1/evaluation", self._evaluation(question))
            assert answer["decision"] is self.expected[question]
        batch = self._random.choices(questions, k=10)
        for semantic, deciding in (("deny_on_first_deny", False), ("permit_on_first_permit", True)):
            decisions = [self.expected[question] for question in batch]
            count = decisions.index(deciding) + 1 if deciding in decisions else len(batch)
            self._require_batch(batch, semantic, count)

    def _require_batch(self, batch: list[cedar.Question], semantic: str, count: int) -> None:
        body = {"evaluations": list(map(self._evaluation, batch)), "options": {"evaluations_semantic": semantic}}
        answer = self._post("/access/v1/evaluations", body)["evaluations"]
        assert [evaluation["decision"] for evaluation in answer] == [
            self.expected[question] for question in batch[:count]
        ]

    def searches(self) -> None:
        """The three searches of AuthZEN."""
        for person, permission, resource in self._random.sample(list(self.expected), SAMPLE):
            subject, entity = self._subject(person), self._entity(resource)
            actions = self._post("/access/v1/search/action", {"subject": subject, "resource": entity})["results"]
            assert {action["name"] for action in actions} == {
                name for name in NAMES if self.expected[person, name, resource]
            }
            context = {"account_id": str(self._executor.company.account_id)}
            search = {"subject": {"type": "sub_user"}, "action": {"name": permission}, "resource": entity}
            subjects = self._post("/access/v1/search/subject", {**search, "context": context})["results"]
            assert {found["id"] for found in subjects} == self._ids_of_holders(permission, resource)
            self._search_resources(person, permission, self._random.choice(["a", "b", "c"]))

    def _search_resources(self, person: str, permission: str, resource_type: str) -> None:
        body: dict[str, Any] = {
            "subject": self._subject(person),
            "action": {"name": permission},
            "resource": {"type": resource_type},
            "page": {"limit": self._random.randint(1, 3)},
        }
        answer = self._post("/access/v1/search/resource", body)
        is_all, results = answer["context"]["all"], answer["results"]
        while answer["page"]["next_token"]:
            page = {**body["page"], "token": answer["page"]["next_token"]}
            answer = self._post("/access/v1/search/resource", {**body, "page": page})
            results += answer["results"]
        self._require_resources(
            person, permission, is_all, [(found["type"], found["id"]) for found in results], resource_type
        )

    def access_reports(self) -> None:
        """Who has access now, and as of now."""
        for _, permission, resource in self._random.sample(list(self.expected), SAMPLE):
            query = {"permission": permission}
            query |= {"resource_type": resource[0], "resource_id": resource[1]} if resource is not None else {}
            for as_of in ({}, {"as_of": self._executor.at(self._model.now).isoformat()}):
                response = self._portal.get(f"{self._executor.path}/access", query_string=query | as_of)
                assert response.status_code == 200, response.text
                ids = {holder["sub_user_id"] for holder in response.json["items"]}  # type: ignore[index]
                assert ids == self._ids_of_holders(permission, resource)

    def _ids_of_holders(self, permission: str, resource: Resource | None) -> set[str]:
        return {str(self._executor.ids[who]) for who in self._people if self.expected[who, permission, resource]}

    def _evaluation(self, question: cedar.Question) -> dict[str, Any]:
        person, permission, resource = question
        return {
            "subject": self._subject(person),
            "action": {"name": permission},
            "resource": self._entity(resource),
        }

    def _subject(self, person: str) -> dict[str, str]:
        return {"type": "sub_user", "id": str(self._executor.ids[person])}

    def _entity(self, resource: Resource | None) -> dict[str, str]:
        return resource_json(resource) or {"type": "account", "id": str(self._executor.company.account_id)}

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        response = self._portal.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json
