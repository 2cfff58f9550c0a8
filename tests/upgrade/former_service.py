"""A service of a former version: the commands of a checkout, run as processes, with an embedded PostgreSQL."""

from __future__ import annotations

import os
import ssl
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters.embedded_postgres.session import url as embedded_url
from tests.builders import mailed_password
from tests.mail_server import SMTP_LOGIN, FreePortController, Mailbox, authenticate, write_certificate
from tests.processes.deployment import descendants, free_port, kill
from tests.upgrade.exchanges import over_http
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

START_TIMEOUT_SECONDS = 120.0
EXIT_TIMEOUT_SECONDS = 90.0


@dataclass
class FormerService:
    """A checkout with its own `.venv`, a folder for its data, and its settings."""

    checkout: Path
    folder: Path
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def database_url(self) -> str:
        """The URL of the database for the owner of its tables."""
        home = self.folder / "postgres"
        return embedded_url(int((home / "port").read_text()), (home / "password").read_text().strip())

    def start(self, **settings: str) -> None:
        """Start `serve` with additional settings, and wait until it is ready."""
        self.settings |= settings
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._program, "serve"], env=self._environment, cwd=self.checkout, stdout=log, stderr=log
            )
        eventually(self._is_ready, within=START_TIMEOUT_SECONDS, pause=0.1)

    def stop(self) -> None:
        """Stop `serve`, and the database with it."""
        if self.process is not None:
            children = descendants(self.process.pid)
            self.process.terminate()
            try:
                assert self.process.wait(EXIT_TIMEOUT_SECONDS) == 0, self.process.returncode
            finally:
                kill(self.process.pid, *children)
                self.process = None

    def run(self, *arguments: str) -> str:
        """Run a command and return its output."""
        completed = subprocess.run(
            [self._program, *arguments], env=self._environment, cwd=self.checkout, capture_output=True, check=False
        )
        assert completed.returncode == 0, (arguments, completed.stdout, completed.stderr)
        return completed.stdout.decode()

    @property
    def _program(self) -> str:
        return str(self.checkout / ".venv/bin/subusers")

    @property
    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SUBUSERS_")}
        settings = {"port": str(self.port), "data_dir": str(self.folder), "processes": "1", **self.settings}
        return inherited | {f"SUBUSERS_{name.upper()}": value for name, value in settings.items()}

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "serve.log").read_text()
        with suppress(OSError):
            return over_http(self.port)("GET", "/readyz").status == 200
        return False


class SelectiveMailbox(Mailbox):
    """Mail handler that accepts mails, but refuses those to `bounce@…` and delays those to `slow@…`."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        match str(envelope.rcpt_tos[0]).partition("@")[0]:
            case "bounce":
                return "550 5.1.1 no such mailbox"
            case "slow":
                return "451 4.7.1 try again later"
        return await super().handle_DATA(server, session, envelope)

    def password_for(self, email: str) -> str:
        """Return the generated password in the newest mail to an address."""
        return mailed_password([mail for mail in self.mails if email in str(mail["To"])][-1])


@contextmanager
def mail_server(folder: Path) -> Iterator[tuple[SelectiveMailbox, str]]:
    """Run an SMTP server; yield its mailbox and its URL."""
    mailbox, certificate = SelectiveMailbox(), write_certificate(folder)
    certificate.chmod(0o644)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    options: Any = {
        "tls_context": tls,
        "require_starttls": True,
        "authenticator": authenticate,
        "enable_SMTPUTF8": True,
    }
    server = FreePortController(mailbox, hostname="127.0.0.1", port=0, ready_timeout=60.0, **options)
    server.start()
    try:
        yield mailbox, f"smtp://{SMTP_LOGIN}@localhost:{server.port}?ca={certificate}"
    finally:
        server.stop()
