"""The code of docs/roles.md, run from top to bottom: each result is the one in its comment."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from tests.api.clients import OWN_PASSWORD, TEMPORARY_PASSWORD
from tests.api.python_client import ROOT, connect, importable

if TYPE_CHECKING:
    from datetime import datetime

    from tests.api.clients import ApiClients
    from tests.conftest import TravelingClock

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "roles.md").read_text(), re.DOTALL)
RESULT = re.compile(r"^.*  # (.*)$")
"""The comment of an expression: its result, as `repr` has it."""


def run(block: str, names: dict[str, Any]) -> int:
    """Run the statements of a block, and return the number of results that were compared."""
    compared = 0
    for statement in ast.parse(block).body:
        source = ast.get_source_segment(block, statement) or ""
        if not isinstance(statement, ast.Expr):
            exec(source, names)  # noqa: S102  # the code of our own page
            continue
        value = eval(source, names)  # noqa: S307  # the code of our own page
        comment = RESULT.match(block.splitlines()[(statement.end_lineno or 1) - 1])
        if comment is not None:
            assert repr(value) == comment[1], source
            compared += 1
    return compared


def test_code_gives_the_results_of_its_comments(own_clients: ApiClients, clock: TravelingClock) -> None:
    client = connect(own_clients)

    def sign_in(sub_user: Any) -> str:
        account = client.accounts.get(account_id=sub_user.account_id)
        ids = {"account_id": sub_user.account_id, "sub_user_id": sub_user.sub_user_id}
        client.sub_users.change(**ids, status="active", password=TEMPORARY_PASSWORD)
        session = client.sessions.log_in(
            account_email=account.email, email=sub_user.email, password=TEMPORARY_PASSWORD, client_ip=None
        )
        token: str = client.sessions.change_password(
            token=session.token, current_password=TEMPORARY_PASSWORD, new_password=OWN_PASSWORD
        ).token
        return token

    def wait(until: datetime) -> None:
        """Let the grant expire. The sub-user signs in again, because their session has ended meanwhile."""
        clock.advance(seconds=(until - clock()).total_seconds())
        dora = names["dora"]
        account = client.accounts.get(account_id=dora.account_id)
        names["dora_token"] = client.sessions.log_in(
            account_email=account.email, email=dora.email, password=OWN_PASSWORD, client_ip=None
        ).token

    names: dict[str, Any] = {"sign_in": sign_in, "wait": wait}
    with importable():
        compared = run(BLOCKS[0], names)
        names["client"] = client
        compared += sum(run(block, names) for block in BLOCKS[1:])
    assert compared >= 15
