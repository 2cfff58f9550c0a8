"""Decisions about access on random models: the service's, Cedar's, and those of a plain model agree."""

from __future__ import annotations

from random import Random

import pytest

from application.commands.access_control.checks import holders, missing_of_sub_user
from domain.access_decision import Question
from tests.access import cedar
from tests.access.aggregates import AggregateExecutor, resource_of
from tests.access.commands import NAMES, RESOURCES, CloseAccount, RandomCommands, random_catalogue
from tests.access.model import Model

MODELS_OF_A_PART = 25_000
COMMANDS = 18
UNKNOWN, STRANGER = "unknown", "a stranger"

PARTS = [
    pytest.param(range(200), id="200"),
    *(
        pytest.param(
            range(part * MODELS_OF_A_PART, (part + 1) * MODELS_OF_A_PART),
            id=f"{MODELS_OF_A_PART} from {part * MODELS_OF_A_PART}",
            marks=[pytest.mark.long, pytest.mark.timeout(3600)],
        )
        for part in range(4)
    ),
]


@pytest.mark.parametrize("seeds", PARTS)
def test_random_models_are_decided_as_by_cedar(seeds: range) -> None:
    """100,000 models in the four long parts."""
    allowed = asked = 0
    for seed in seeds:
        model, executor = random_state(Random(seed))
        questions = all_questions(model)
        expected = cedar.decisions(model, questions)
        assert [model.is_allowed(*question) for question in questions] == expected, seed
        assert answers(executor, questions) == expected, seed
        require_same_lists(executor, dict(zip(questions, expected, strict=True)), seed)
        allowed, asked = allowed + sum(expected), asked + len(expected)
    assert 0.05 < allowed / asked < 0.5  # otherwise the models say little


def random_state(random: Random) -> tuple[Model, AggregateExecutor]:
    """Return a model and an account after the same random commands."""
    model = Model(random_catalogue(random))
    executor = AggregateExecutor(model)
    generator = RandomCommands(random, model)
    for _ in range(COMMANDS):
        executor.run(generator.next())
    if random.random() < 0.01:
        CloseAccount().apply(model)
        executor.run(CloseAccount())
    return model, executor


def all_questions(model: Model) -> list[cedar.Question]:
    """Return every question about every person, permission and resource, and some about unknown ones."""
    people = [*model.people, STRANGER]
    return [
        (person, permission, resource)
        for person in people
        for permission in (*NAMES, UNKNOWN)
        for resource in (None, *RESOURCES)
    ]


def answers(executor: AggregateExecutor, questions: list[cedar.Question]) -> list[bool]:
    rules, grants = executor.rules(), executor.grants().values()
    results = []
    for person, permission, resource in questions:
        own_grants = [grant for grant in grants if grant.sub_user_id == executor.id_of(person)]
        missing = missing_of_sub_user(executor.account, executor.id_of(person), executor.at)
        decision = rules.decide(Question(permission, resource_of(resource)), own_grants, executor.at)
        results.append(missing is None and decision.is_allowed)
    return results


def require_same_lists(executor: AggregateExecutor, expected: dict[cedar.Question, bool], seed: int) -> None:
    """Require that lists of permissions and of people have what questions about them allow, and nothing else."""
    rules, grants, account = executor.rules(), list(executor.grants().values()), executor.account
    people = {person for person, _, _ in expected}
    for person in people:
        if missing_of_sub_user(account, executor.id_of(person), executor.at) is None:
            own_grants = [grant for grant in grants if grant.sub_user_id == executor.id_of(person)]
            listed = rules.permissions_on_everything(own_grants, executor.at)
            assert set(listed) == {name for name in NAMES if expected[person, name, None]}, seed
    for permission in NAMES:
        for resource in (None, *RESOURCES):
            question = Question(permission, resource_of(resource))
            listed_people = {holder.sub_user_id for holder in holders(account, rules, grants, question, executor.at)}
            assert listed_people == {
                executor.id_of(person) for person in people if expected[person, permission, resource]
            }, seed
