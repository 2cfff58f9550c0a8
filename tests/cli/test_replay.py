"""`subusers replay` in words: erased sub-users, and the history of one sub-user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Company

    Run = Callable[..., tuple[int, str]]


def test_erased_data_is_shown_as_erased(run: Run, company: Company, database_url: str) -> None:
    """The timeline and the state show [erased]; brackets are not markup."""
    sub_user = company.create_sub_user(name="[bold]Grace")
    assert "[bold]Grace Hopper" in run("replay", "--account", company.account_id)[1]

    fetch(database_url, "DELETE FROM vault")
    code, output = run("replay", "--account", company.account_id)
    assert code == 0
    assert "email: [erased]" in output
    assert "  [erased], open, at most 10 sub-users" in output
    (row,) = [line.split() for line in output.splitlines() if line.rstrip().endswith(str(sub_user.sub_user_id))]
    assert row == ["[erased]", "[erased]", "no:", "inactive", str(sub_user.sub_user_id)]


def test_replay_can_be_limited_to_one_sub_user_and_to_a_day(run: Run, company: Company) -> None:
    """On a day before the registration there is no account."""
    sub_user = company.create_sub_user()
    output = run("replay", "--account", company.account_id, "--sub-user", sub_user.sub_user_id)[1]
    assert ("added Grace Hopper" in output, "registered" in output) == (True, False)
    assert run("replay", "--account", company.account_id, "--as-of", "2020-01-01")[1] == "\nThere was no account yet.\n"


@pytest.mark.parametrize(
    "command",
    [
        "replay --account {account} --sub-user {id}",
        "replay --account {id}",
        "tail --account {id}",
        "export --account {id}",
        "evidence --since 2020-01-01 --until 2030-01-01 -o unused --account {id}",
        "erase-account {id} --yes",
    ],
)
def test_unknown_ids_are_refused(run: Run, company: Company, command: str) -> None:
    """A mistyped id must not look like one without events."""
    company.create_active()
    code, output = run(*command.format(account=company.account_id, id=uuid4()).split())
    thing = "account" if "{account}" not in command else "sub-user in this account"
    assert (code, output.splitlines()[-1]) == (1, f"subusers: There is no such {thing}.")


def test_state_of_one_sub_user_counts_no_others(run: Run, company: Company) -> None:
    sub_user = company.create_sub_user()
    company.create_active()
    code, output = run("replay", "--account", company.account_id, "--sub-user", sub_user.sub_user_id, "--json")
    assert code == 0
    state = json.loads(output.splitlines()[-1])["state"]
    assert (state["with_access"], len(state["sub_users"])) == (0, 1)


def test_future_is_refused(run: Run, company: Company) -> None:
    code, output = run("replay", "--account", company.account_id, "--as-of", "9999-12-31")
    assert code == 2
    assert "must not be in the future" in output
