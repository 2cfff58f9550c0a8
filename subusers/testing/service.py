"""Start and control of a service for tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from subusers.testing.transmissions import Mail, WebhookRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0
STOP_SECONDS = 30.0
COMMAND_SECONDS = 60.0
MAX_OUTPUT = 4000

DEFAULT_PASSWORD = "seven quiet rivers meet"


@dataclass(frozen=True)
class SubUser:
    """An active sub-user who has set their own password."""

    account_id: str
    sub_user_id: str
    account_email: str
    email: str
    password: str = field(repr=False)


class SubusersService:
    """A running service with a PostgreSQL server and an HTTP server of its own, which end with `stop`.

    `python` is the interpreter in whose environment `subusers` is installed, if it is not the tests' own. Mails and
    webhooks are kept in lists. Everything else is as in production. The methods may be called in any thread.
    """

    def __init__(self, *, python: str | Path = sys.executable) -> None:
        """Start the service. Raises RuntimeError with its output if it does not start."""
        self._lock = threading.Lock()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `stop`
        self._channel, channel_of_service = socket.socketpair()
        self._channel.settimeout(START_SECONDS)
        self._lines = self._channel.makefile("rw", encoding="utf-8")
        self._numbers = count(1)
        with channel_of_service:
            self._process = subprocess.Popen(
                [python, "-P", "-m", "subusers.testing.process", str(channel_of_service.fileno())],
                env=_environment(),
                pass_fds=[channel_of_service.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the tests, which then stop the service
            )
        try:
            ready = self._read()
        except BaseException:
            self.stop()
            raise
        self._channel.settimeout(COMMAND_SECONDS)
        self.url: str = ready["url"]
        """Base URL of the HTTP API."""
        self.api_key: str = ready["api_key"]
        """API key with the scope `portal`. It stays the same, and `reset` makes it valid again after a revocation."""

    def __enter__(self) -> Self:
        """Return the running service."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the service."""
        self.stop()

    @property
    def mails(self) -> list[Mail]:
        """The mails since the last reset, oldest first. Sends every mail that was requested until now."""
        return [Mail.from_json(mail) for mail in self._call("mails")]

    @property
    def webhooks(self) -> list[WebhookRequest]:
        """The webhook requests since the last reset, oldest first. Delivers every event until now."""
        return [WebhookRequest.from_json(request) for request in self._call("webhooks")]

    def reset(self) -> None:
        """Delete everything that happened since the start. No request may be running."""
        self._call("reset")
        self._numbers = count(1)

    def create_api_key(self, scope: str = "portal", name: str = "a test's key") -> str:
        """Return a new API key with a scope: `portal`, `support`, `auditor` or `analytics`."""
        api_key: str = self._call("create_api_key", scope=scope, name=name)
        return api_key

    def revoke_api_key(self, api_key: str | None = None) -> None:
        """Revoke an API key, by default `api_key`."""
        self._call("revoke_api_key", api_key=api_key or self.api_key)

    def advance_clock(self, **by: float) -> None:
        """Let time pass for the service until the next reset: `advance_clock(minutes=61)`."""
        self._call("advance_clock", seconds=timedelta(**by).total_seconds())

    def add_sub_user(  # noqa: PLR0913  # each describes the sub-user
        self,
        *,
        account_email: str | None = None,
        email: str | None = None,
        name: str = "Grace",
        surname: str = "Hopper",
        password: str = DEFAULT_PASSWORD,
        colleague_of: SubUser | None = None,
        grants: Sequence[Mapping[str, Any]] | None = None,
    ) -> SubUser:
        """Register an account and return an active sub-user of it who can log in with this password.

        With `colleague_of`, the account is that of another sub-user. `grants` are all of their roles, as in the API; a
        list of `permissions` in place of a `role_id` creates a role. Without them, they may do everything.
        """
        if colleague_of is not None and account_email is not None:
            raise ValueError("account_email is that of the colleague")
        number = next(self._numbers)
        email = email or f"person-{number}@company.example"
        if colleague_of is None:
            account_email = account_email or f"owner-{number}@company.example"
            registration = {"email": account_email, "company_name": "Company"}
            account_id: str = self.request("POST", "/v1/accounts", registration)["account_id"]
        else:
            account_email, account_id = colleague_of.account_email, colleague_of.account_id
        sub_users = f"/v1/accounts/{account_id}/sub-users"
        temporary = f"temporary {number} {DEFAULT_PASSWORD}"
        person: dict[str, Any] = {"email": email, "name": name, "surname": surname, "password": temporary}
        if grants is not None:
            person["grants"] = [self._with_role(account_id, grant) for grant in grants]
        sub_user_id = self.request("POST", sub_users, person)["sub_user_id"]
        self.request("PATCH", f"{sub_users}/{sub_user_id}", {"status": "active"})
        credentials = {"account_email": account_email, "email": email, "password": temporary}
        token = self.request("POST", "/v1/sessions", credentials)["token"]
        passwords = {"current_password": temporary, "new_password": password}
        own = self.request("PUT", "/v1/sessions/current/password", passwords, {"Session-Token": token})
        self.request("DELETE", "/v1/sessions/current", headers={"Session-Token": own["token"]})
        return SubUser(account_id, sub_user_id, account_email, email, password)

    def _with_role(self, account_id: str, grant: Mapping[str, Any]) -> dict[str, Any]:
        """Return a grant with the id of its role, which is created if the grant has permissions instead."""
        if "permissions" not in grant:
            return {**grant}
        role = {"name": f"Role {next(self._numbers)}", "permissions": grant["permissions"]}
        role_id = self.request("POST", f"/v1/accounts/{account_id}/roles", role)["role_id"]
        return {"role_id": role_id, **{name: value for name, value in grant.items() if name != "permissions"}}

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Send a request with `api_key`, and return the JSON of the response. Raises `urllib.error.HTTPError`."""
        request = urllib.request.Request(  # noqa: S310  # the URL is the service's
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json", **(headers or {})},
        )
        with _DIRECT.open(request, timeout=COMMAND_SECONDS) as response:
            content = response.read()
        return json.loads(content) if content else None

    def stop(self) -> None:
        """Stop the service and delete its data. Do nothing if it has stopped."""
        self._lines.close()
        self._channel.close()  # the process ends at the end of its input
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def _call(self, command: str, **arguments: Any) -> Any:
        with self._lock:
            self._lines.write(json.dumps({"command": command, "arguments": arguments}) + "\n")
            self._lines.flush()
            return self._read()

    def _read(self) -> Any:
        line = self._lines.readline()
        if not line:
            raise RuntimeError(f"the service has ended: {self._last_output()}")
        response: dict[str, Any] = json.loads(line)
        if "error" in response:
            raise RuntimeError(f"the service failed: {response['error']}\n{self._last_output()}")
        return response["result"]

    def _last_output(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - MAX_OUTPUT))
        text = self._output.read().decode(errors="replace")
        self._output.seek(0, os.SEEK_END)
        return text


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Opener that ignores proxy settings of the environment."""


def _environment() -> dict[str, str]:
    """Return the environment of the service's process, in which its packages have precedence over the portal's.

    A portal's own package may be called `api`, too. Settings of the service do not count: all are fixed.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SUBUSERS_")}
    for name in ("PROMETHEUS_MULTIPROC_DIR", "PYTHONWARNINGS"):
        inherited.pop(name, None)
    return {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH")]))}
