"""Requests made up from the OpenAPI document by the hundred: nothing breaks, and no answer contradicts the document.

What is said to be good is taken, what is not is refused, and each answer has a documented status, content type, headers
and shape. `make test-long ARGS=tests/api/test_fuzz.py` tries thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.fuzzing import fuzz
from tests.api.route_table import routes

if TYPE_CHECKING:
    from tests.api.callers import Doors


pytestmark = pytest.mark.usefixtures("streams_end")


@pytest.fixture(autouse=True)
def _refusals_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have logins refused at once."""
    monkeypatch.setattr("api.http.sessions.REFUSALS_TAKE", 0.001)


def test_a_few_requests_to_every_operation(doors: Doors) -> None:
    """The same ones each time, so that a failure here is one that was brought in."""
    findings = fuzz(doors, phases={"fuzzing"}, examples=3, seed=1)
    assert not findings.failures, str(findings)
    assert findings.cases > 80


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_bound_that_the_document_names(doors: Doors) -> None:
    """Each value at the edge of what is good and beyond it, each type but the right one, each absence.

    Every operation succeeds among them: the requests reach what is behind the checks.
    """
    findings = fuzz(doors, phases={"coverage"}, examples=1)
    assert not findings.failures, str(findings)
    assert findings.cases > 1000
    assert findings.successes() == {str(route) for route in routes() if route.rule.startswith("/v1/")}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_thousands_of_requests_by_chance(doors: Doors) -> None:
    """Others each time; a failure tells how to repeat it."""
    findings = fuzz(doors, phases={"fuzzing"}, examples=150)
    assert not findings.failures, str(findings)
    assert findings.cases > 2000


@pytest.mark.long
@pytest.mark.timeout(900)
def test_scenarios_in_which_one_answer_leads_to_the_next_request(doors: Doors) -> None:
    """What was made is found, changed, deleted, and is gone, in any order that comes up."""
    findings = fuzz(doors, phases={"stateful"}, examples=100)
    assert not findings.failures, str(findings)
    assert findings.cases > 200
