"""Immediate withdrawal of permissions: once it is answered, no check that begins allows them, in any process."""

from __future__ import annotations

import json
import random
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.processes.deployment import free_port
from tests.processes.portal import Portal
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.deployment import Deployment
    from tests.processes.portal import SubUserHandle

PERMISSION, OTHER = "assistants.edit", "tools"
RESOURCE = {"type": "assistant", "id": "a-1"}

CHECKERS_OF_A_PROCESS = 2
RACES = [30, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])]


class Office:
    """An account with a sub-user who has a permission by a role of its own, and the commands that take it away."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.company = portal.register()
        self.sub_user: SubUserHandle = self.company.add_with_own_password()
        self.token = self.sub_user.log_in()
        self.set_catalogue()
        body = {"name": "editor", "permissions": [PERMISSION]}
        role_id = portal.call(201, "POST", f"{self.company.path}/roles", body).json()["role_id"]
        self._role_path = f"{self.company.path}/roles/{role_id}"
        self._grants_path = f"{self.sub_user.path}/grants"
        self._grant = {"role_id": role_id, "resource": RESOURCE}
        self.replace_grants([self._grant])

    def set_catalogue(self, *, has_permission: bool = True, is_reserved: bool = False) -> None:
        """Set the catalogue. Roles lose the permission if it cannot be granted any more."""
        permissions: list[dict[str, Any]] = [{"name": OTHER, "resource_type": "tool"}]
        if has_permission:
            permissions.append({"name": PERMISSION, "resource_type": "assistant", "reserved": is_reserved})
        self._portal.call(200, "PUT", "/v1/permissions", {"permissions": permissions, "remove_from_roles": True})

    def replace_grants(self, grants: list[Any]) -> None:
        self._portal.call(200, "PUT", self._grants_path, {"grants": grants})

    def set_role(self, *permissions: str) -> None:
        self._portal.call(200, "PATCH", self._role_path, {"permissions": permissions})

    def revoke(self) -> None:
        """Revoke the grant."""
        (grant,) = self._portal.call(200, "GET", self._grants_path).json()["items"]
        self._portal.call(204, "DELETE", f"{self._grants_path}/{grant['grant_id']}")

    def withdrawals(self) -> list[tuple[Callable[[], None], Callable[[], None]]]:
        """Return the commands that take the permission away, each with one that gives it back."""
        return [
            (self.revoke, lambda: self.replace_grants([self._grant])),
            (lambda: self.replace_grants([]), lambda: self.replace_grants([self._grant])),
            (lambda: self.set_role(OTHER), lambda: self.set_role(PERMISSION)),
            (lambda: self.set_catalogue(has_permission=False), self._restore),
            (lambda: self.set_catalogue(is_reserved=True), self._restore),
        ]

    def _restore(self) -> None:
        self.set_catalogue()
        self.set_role(PERMISSION)

    def questions(self) -> list[tuple[str, str, Any, Callable[[Any], bool]]]:
        """Return the ways to ask: method, path, body, and whether an answer allows the permission."""
        check = {"permission": PERMISSION, "resource": RESOURCE}
        subject = {"type": "sub_user", "id": self.sub_user.sub_user_id}
        evaluation = {"subject": subject, "action": {"name": PERMISSION}, "resource": RESOURCE}
        resources = {"subject": subject, "action": {"name": PERMISSION}, "resource": {"type": "assistant"}}
        access = f"{self.company.path}/access?permission={PERMISSION}&resource_type=assistant&resource_id=a-1"
        return [
            (
                "POST",
                "/v1/sessions/introspect",
                {"token": self.token, "checks": [check, check]},
                lambda answer: any(check["allowed"] for check in answer["checks"]),
            ),
            ("POST", "/access/v1/evaluation", evaluation, lambda answer: bool(answer["decision"])),
            ("POST", "/access/v1/search/resource", resources, lambda answer: bool(answer["results"])),
            ("GET", access, None, lambda answer: bool(answer["items"])),
        ]


class Checker(threading.Thread):
    """A client of one server process that keeps asking, in any way."""

    def __init__(self, port: int, api_key: str, office: Office) -> None:
        super().__init__(daemon=True)
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._questions = office.questions()
        self.stopped = threading.Event()
        self.last_begun = 0.0
        """When the last question that has been answered was sent."""
        self.last_allowed = 0.0
        """When the last question to which the answer was yes was sent."""
        self.failure: str | None = None

    def run(self) -> None:
        with closing(self._connection):
            self._keep_asking()

    def _keep_asking(self) -> None:
        while not self.stopped.is_set():
            method, path, body, allows = random.choice(self._questions)
            begun = time.monotonic()
            self._connection.request(method, path, body=json.dumps(body) if body else None, headers=self._headers)
            response = self._connection.getresponse()
            answer = json.loads(response.read())
            if response.status != 200:
                self.failure = f"{response.status} {answer}"
                return
            if allows(answer):
                self.last_allowed = begun
            self.last_begun = begun


class Checkers:
    """Some checkers for each process."""

    def __init__(self, ports: list[int], api_key: str, office: Office) -> None:
        self._checkers = [Checker(port, api_key, office) for port in ports for _ in range(CHECKERS_OF_A_PROCESS)]

    def __enter__(self) -> Self:
        for checker in self._checkers:
            checker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for checker in self._checkers:
            checker.stopped.set()
        for checker in self._checkers:
            checker.join()

    def wait_until_all_allow(self, since: float) -> None:
        """Wait until every checker has been allowed the permission by a check that began after a moment."""
        self._wait(lambda checker: checker.last_allowed > since)

    def require_denials(self, since: float) -> None:
        """Wait for an answer to each checker, to a check that began after a moment, and require that none allows."""
        self._wait(lambda checker: checker.last_begun > since)
        assert [checker.last_allowed for checker in self._checkers if checker.last_allowed > since] == []

    def _wait(self, condition: Callable[[Checker], bool]) -> None:
        def all_meet() -> bool:
            assert [checker.failure for checker in self._checkers if checker.failure] == []
            return all(map(condition, self._checkers))

        eventually(all_meet, within=60, pause=0.001)


@pytest.mark.parametrize("races", RACES)
def test_no_check_allows_what_was_taken_away(deploy: Callable[..., Deployment], races: int) -> None:
    """Clients of two programs ask in every way while grants, a role and the catalogue change."""
    deployment = deploy(server_processes="1")
    ports = [start_program(deployment) for _ in range(2)]
    api_key = deployment.api_key()
    with Portal(f"http://127.0.0.1:{ports[0]}", api_key) as portal:
        office = Office(portal)
        with Checkers(ports, api_key, office) as checkers:
            for _ in range(races):
                withdraw, restore = random.choice(office.withdrawals())
                checkers.wait_until_all_allow(since=time.monotonic())
                withdraw()
                checkers.require_denials(since=time.monotonic())
                restore()


def start_program(deployment: Deployment) -> int:
    """Start a program with a server process, and return its port."""
    deployment.port = free_port()
    deployment.environment["SUBUSERS_PORT"] = str(deployment.port)
    deployment.serve("api")
    return deployment.port
