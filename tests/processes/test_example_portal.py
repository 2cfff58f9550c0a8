"""The examples against running services: a sub-user's whole life, with mails as files or over SMTP, and roles."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import plain_text
from tests.mail_server import mail_server
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.conftest import RunningService
    from tests.processes.deployment import Deployment

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "portal.py"
ROLES_EXAMPLE = ROOT / "examples" / "roles" / "roles.py"
PASSWORD = re.compile(r"password \(temporary\):\s+(\S+)")


def start(url: str, api_key: str, *options: str | Path, example: Path = EXAMPLE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, example, url, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PORTAL_API_KEY": api_key, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT / "clients" / "python" / "src")},
        text=True,
    )


def test_portal_example_reads_mails_from_files(running_service: RunningService) -> None:
    """Without a mail server the example reads the mail from the service's mail folder."""
    deployment = running_service.deployment
    with start(deployment.url, running_service.api_key, "--mail-folder", deployment.mail_folder) as example:
        output, _ = example.communicate(timeout=60)
    assert example.returncode == 0, output
    assert output.splitlines()[-1] == "✓ her login is refused"


def test_portal_example_works_with_a_mail_server(deploy: Callable[..., Deployment], tmp_path: Path) -> None:
    """The mail server requires TLS and authentication; the password from the mail completes the example."""
    with mail_server(tmp_path) as (mailbox, smtp_url):
        deployment = deploy(smtp_url=smtp_url)
        deployment.serve()
        with start(deployment.url, deployment.api_key()) as example:
            (mail,) = eventually(lambda: mailbox.mails)
            match = PASSWORD.search(plain_text(mail))
            assert match is not None
            output, _ = example.communicate(f"{match[1]}\n", timeout=60)
    assert example.returncode == 0, output
    assert output.splitlines()[-1] == "✓ her login is refused"
    assert not deployment.mail_folder.exists()


def test_portal_example_stops_at_an_unexpected_response(running_service: RunningService) -> None:
    """The first unexpected response ends the example with a one-line error and exit code 1."""
    with start(running_service.deployment.url, "no such key") as example:
        output, _ = example.communicate(timeout=60)
    assert example.returncode == 1
    assert output.startswith("failed: an account is registered; got: 401 ")
    assert len(output.splitlines()) == 1


@pytest.mark.long
def test_roles_example_runs_until_a_grant_has_expired(deploy: Callable[..., Deployment]) -> None:
    """`tests/api/test_example_roles.py` requires its whole output, without waiting."""
    deployment = deploy()
    deployment.serve()
    with start(deployment.url, deployment.api_key(), example=ROLES_EXAMPLE) as example:
        output, _ = example.communicate(timeout=60)
    assert example.returncode == 0, output
    assert output.splitlines()[-1] == "  at the second, Dora may edit nothing"


def test_roles_example_stops_at_an_error(running_service: RunningService) -> None:
    with start(running_service.deployment.url, "nonsense", example=ROLES_EXAMPLE) as example:
        output, _ = example.communicate(timeout=60)
    assert example.returncode == 1
    assert "unknown-api-key" in output
    assert len(output.splitlines()) == 1
