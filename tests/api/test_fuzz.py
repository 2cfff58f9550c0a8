"""Fuzzing with requests generated from the OpenAPI document.

Requests that the document calls valid are accepted, others are refused, and each response has a documented status,
content type, headers and shape. `make test-long ARGS=tests/api/test_fuzz.py` sends thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.route_table import routes

if TYPE_CHECKING:
    from tests.api.clients import ApiClients
    from tests.api.fuzzing import Findings


pytestmark = pytest.mark.usefixtures("finite_event_streams")


def fuzz(clients: ApiClients, **options: Any) -> Findings:
    """Send requests to the service and return the findings."""
    from tests.api import fuzzing  # noqa: PLC0415  # every worker collects this module, and Schemathesis loads slowly

    return fuzzing.fuzz(clients, **options)


def test_a_few_requests_to_every_operation(clients: ApiClients) -> None:
    """The seed is fixed, so that a failure points to a new change."""
    findings = fuzz(clients, phases={"fuzzing"}, examples=3, seed=1)
    assert not findings.failures, str(findings)
    assert findings.request_count > 80


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_bound_in_the_document(clients: ApiClients) -> None:
    """The requests have values at and beyond every bound, values of every wrong type, and missing fields.

    Every operation must succeed at least once, which shows that requests get past validation.
    """
    findings = fuzz(clients, phases={"coverage"}, examples=1)
    assert not findings.failures, str(findings)
    assert findings.request_count > 1000
    assert findings.successes() == {str(route) for route in routes() if route.rule.startswith(("/v1/", "/access/"))}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_thousands_of_random_requests(clients: ApiClients) -> None:
    """The seed differs in each run; a failure prints how to reproduce it."""
    findings = fuzz(clients, phases={"fuzzing"}, examples=150)
    assert not findings.failures, str(findings)
    assert findings.request_count > 2000


@pytest.mark.long
@pytest.mark.timeout(900)
def test_stateful_scenarios(clients: ApiClients) -> None:
    """Resources are created, read, changed and deleted, with ids from earlier responses, in random order."""
    findings = fuzz(clients, phases={"stateful"}, examples=100)
    assert not findings.failures, str(findings)
    assert findings.request_count > 200
