"""`subusers replay` in words: also of those who are not known any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.postgres import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.people import Company

    Run = Callable[..., tuple[int, str]]


def test_what_was_erased_is_said_to_be(run: Run, company: Company, database_url: str) -> None:
    """In the time line and in the state: it is no markup of the terminal's."""
    one = company.let_in(name="[bold]Grace")
    assert "[bold]Grace Hopper" in run("replay", "--account", company.account_id)[1]

    ask(database_url, "DELETE FROM vault")
    code, told = run("replay", "--account", company.account_id)
    assert code == 0
    assert "email: [erased]" in told
    assert "  [erased], open, at most 10 sub-users" in told
    (row,) = [line.split() for line in told.splitlines() if line.rstrip().endswith(str(one.sub_user_id))]
    assert row == ["[erased]", "[erased]", "no:", "inactive", str(one.sub_user_id)]


def test_one_person_s_part(run: Run, company: Company) -> None:
    """As of a moment that is given as a day; before it there was no account."""
    one = company.let_in()
    told = run("replay", "--account", company.account_id, "--sub-user", one.sub_user_id)[1]
    assert ("added Grace Hopper" in told, "registered" in told) == (True, False)
    assert run("replay", "--account", company.account_id, "--as-of", "2020-01-01")[1] == "\nThere was no account yet.\n"
