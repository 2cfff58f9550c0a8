"""The commands of docs/mailed-links.md, run from top to bottom against the service."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from tests.api.clients import require_problem
from tests.builders import deliver_mails, plain_text

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.api.clients import ApiClients

PAGE = (Path(__file__).parents[2] / "docs" / "mailed-links.md").read_text()
COMMANDS = re.findall(r"^    (curl (?:.*\\\n)*.*)$", PAGE, re.MULTILINE)
(PYTHON,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


class Reader:
    """Someone who runs the commands of the page in order, and reads the mails."""

    def __init__(self, clients: ApiClients) -> None:
        account = clients.register_account(email="owner@company.example", password="seven slow barges pass")
        grace = account.create_with_own_password(email="grace@company.example")
        ada = account.create_sub_user()
        self.grace, self.ada = grace, ada
        self._clients = clients
        self._commands = iter(COMMANDS)
        self._variables = {
            "URL": "",
            "KEY": clients.portal.headers["Authorization"],
            "JSON": "Content-Type: application/json",
            "ACCOUNT_ID": account.account_id,
            "SUB_USER_ID": ada.sub_user_id,
        }
        deliver_mails(clients.service)

    def run_next(self) -> TestResponse:
        """Run the next command, and return its response."""
        command = next(self._commands).replace("\\\n", " ")
        words = iter(shlex.split(Template(command).substitute(self._variables)))
        assert next(words) == "curl"
        method, path, body = "", "", None
        headers: dict[str, str] = {}
        for word in words:
            match word:
                case "-X":
                    method = next(words)
                case "-H":
                    name, _, value = next(words).partition(": ")
                    headers[name] = value
                case "-d":
                    body = next(words)
                case _:
                    path = word
        headers["Authorization"] = self._variables["KEY"]
        return self._clients.app.test_client().open(path, method=method or "POST", data=body, headers=headers)

    def read_link(self, purpose: str) -> str:
        """Take the token from the newest mail, and return the mail's recipient."""
        mail = deliver_mails(self._clients.service)[-1]
        self._variables["TOKEN"] = plain_text(mail).split(f"/{purpose}/")[1].split()[0]
        return str(mail["To"].addresses[0].addr_spec)

    @property
    def is_finished(self) -> bool:
        """Whether all commands were run."""
        return next(self._commands, None) is None


def test_commands_have_the_results_that_the_page_names(own_clients: ApiClients) -> None:
    reader = Reader(own_clients)
    (lifetime,) = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)

    requested = reader.run_next()
    assert (requested.status_code, requested.json) == (202, json.loads(lifetime))
    assert reader.read_link("password-reset") == reader.grace.email
    of_grace = reader._variables["TOKEN"]  # noqa: SLF001  # of this test
    assert reader.run_next().status_code == 202
    assert reader.read_link("password-reset") == "owner@company.example"
    reader._variables["TOKEN"] = of_grace  # noqa: SLF001
    assert reader.run_next().status_code == 204
    assert reader.grace.log_in(password="seven quiet rivers meet").status_code == 201

    policy: Any = reader.run_next()
    assert (policy.status_code, policy.json["sub_user_password_reset"]) == (200, False)
    invited: Any = reader.run_next()
    assert (invited.status_code, invited.json["credentials"]) == (200, "link")
    assert reader.read_link("invitation") == reader.ada.email
    former = reader._variables["TOKEN"]  # noqa: SLF001
    sent_again: Any = reader.run_next()
    assert (sent_again.status_code, sent_again.json["credentials"]) == (202, "link")
    reader.read_link("invitation")
    body = {"token": former, "new_password": "eight quiet rivers meet"}
    require_problem(own_clients.portal.post("/v1/invitations/complete", json=body), 410, "link-invalid")
    assert reader.run_next().status_code == 204
    assert reader.ada.log_in(password="eight quiet rivers meet").status_code == 201
    assert reader.is_finished


def test_python_code_is_valid() -> None:
    """`clients/python/tests` run these methods."""
    assert "complete_invitation" in PYTHON
    ast.parse(PYTHON)
