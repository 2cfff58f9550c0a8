"""The example of roles: what each of its people may do."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tests.api.python_client import ROOT, connect, importable

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

    from tests.api.clients import ApiClients
    from tests.conftest import TravelingClock

OUTPUT = """\
A support team: each operator manages the assistants they are responsible for.
  Ada may edit Reception, Orders
  Ben may edit Hotline
  Ben, who stands in for Ada, may edit Orders, Hotline
A salesperson configures one client's assistants, also those that are added later.
  Carla may configure Reception, Orders
  Carla may edit nothing
A consultant has temporary access, which ends by itself.
  a second before, Dora may edit Reception, Orders, Hotline
  at the second, Dora may edit nothing
"""


def test_example_of_roles(own_clients: ApiClients, clock: TravelingClock, capsys: pytest.CaptureFixture[str]) -> None:
    """An operator sees exactly their assistants, a salesperson one client's, and a consultant's grant ends exactly."""

    def wait_until(at: datetime) -> None:
        clock.advance(seconds=(at - clock()).total_seconds())

    clock.freeze()
    with importable(ROOT / "examples" / "roles"):
        example = importlib.import_module("roles")
    for _ in range(2):  # it may run again
        example.play(connect(own_clients), clock, wait_until)
        lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("[")]  # without the log
        assert "\n".join(lines) + "\n" == OUTPUT
