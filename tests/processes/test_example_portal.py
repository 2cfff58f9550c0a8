"""The example of a portal goes through a sub-user's whole story, whichever way mails go."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mail_server import mail_server
from tests.processes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.conftest import Running
    from tests.processes.deployment import Deployment

EXAMPLE = Path(__file__).parents[2] / "examples" / "portal.py"
PASSWORD = re.compile(r"password \(temporary\):\s+(\S+)")


def start(url: str, api_key: str, *options: str | Path) -> subprocess.Popen[str]:
    """Start the example."""
    return subprocess.Popen(
        [sys.executable, EXAMPLE, url, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PORTAL_API_KEY": api_key, "PYTHONUTF8": "1"},
        text=True,
    )


def test_with_mails_as_files(running: Running) -> None:
    """Without a mail server, the example finds the mail in the folder that the service writes to."""
    deployment = running.deployment
    with start(deployment.url, running.api_key, "--mail-folder", deployment.mail_folder) as example:
        told, _ = example.communicate(timeout=60)
    assert example.returncode == 0, told
    assert told.splitlines()[-1] == "✓ her login is refused"


def test_with_a_mail_server(deploy: Callable[..., Deployment], tmp_path: Path) -> None:
    """With a server that demands encryption and a login, the mail gets there, and whoever reads it can go on."""
    with mail_server(tmp_path) as (mailbox, smtp_url):
        deployment = deploy(smtp_url=smtp_url)
        deployment.serve()
        with start(deployment.url, deployment.api_key()) as example:
            (mail,) = eventually(lambda: mailbox.mails)
            found = PASSWORD.search(mailbox.text_of(mail))
            assert found is not None
            told, _ = example.communicate(f"{found[1]}\n", timeout=60)
    assert example.returncode == 0, told
    assert told.splitlines()[-1] == "✓ her login is refused"
    assert not deployment.mail_folder.exists()


def test_a_broken_promise_is_told(running: Running) -> None:
    """The first answer that is not as promised ends the example, in one line and with an exit code."""
    with start(running.deployment.url, "no such key") as example:
        told, _ = example.communicate(timeout=60)
    assert example.returncode == 1
    assert told.startswith("broken: an account is registered; found: 401 ")
    assert len(told.splitlines()) == 1
