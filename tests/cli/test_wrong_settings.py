"""A setting that makes no sense is told in one line, without a secret in it, before anything runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from api import cli
from api.cli import running
from tests.cli.conftest import as_setting

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t"
NOWHERE = f"postgresql://user:{SECRET}@127.0.0.1:1/nothing"
"""Nobody listens on port 1: whatever is told of the settings was found out without the database."""


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Set what would do, and give what sets the rest."""
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", NOWHERE)
    monkeypatch.setenv("SUBUSERS_MASTER_KEY", as_setting(bytes(range(32))))
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(bytes(range(32))))
    monkeypatch.setenv("SUBUSERS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(running, "stop_on_signals", threading.Event)  # this process has handlers of its own
    return monkeypatch


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("master_key", "", "SUBUSERS_MASTER_KEY is missing"),
        ("master_key", f"{SECRET}", "SUBUSERS_MASTER_KEY must be 32 random bytes in base64"),
        ("signing_key", "", "SUBUSERS_SIGNING_KEY is missing"),
        ("signing_key", f"{SECRET}", "SUBUSERS_SIGNING_KEY must be 32 random bytes in base64"),
        ("port", "eighty", "SUBUSERS_PORT"),
        ("database_url", f"postgresql://user:1234/{SECRET}@host/name", "SUBUSERS_DATABASE_URL"),
        ("database_url", f"postgresql://user:{SECRET}@host/name?{SECRET}=1", "SUBUSERS_DATABASE_URL"),
        ("admin_database_url", f"postgresql://user:1234/{SECRET}@host/name", "SUBUSERS_ADMIN_DATABASE_URL"),
        ("admin_database_url", f"mysql://user:{SECRET}@host/name", "SUBUSERS_ADMIN_DATABASE_URL"),
        ("smtp_url", f"smtp://user:{SECRET}@host:{SECRET}", "SUBUSERS_SMTP_URL"),
        ("broker_url", f"amqp://user:1234/{SECRET}@host", "SUBUSERS_BROKER_URL"),
        ("broker_url", f"redis://user:{SECRET}@host", "SUBUSERS_BROKER_URL"),
        ("mail_from", "nobody", "SUBUSERS_MAIL_FROM"),
        ("public_url", f"https://user:{SECRET}@host", "SUBUSERS_PUBLIC_URL"),
        ("webhook_allow", f"10.0.0.0/8,https://user:{SECRET}@host/", "SUBUSERS_WEBHOOK_ALLOW"),
        ("webhook_allow", "10.0.0.1/8", "SUBUSERS_WEBHOOK_ALLOW"),
        ("proxies", "10.0.0.0/99", "SUBUSERS_PROXIES"),
        ("erasure_delay", "a month", "SUBUSERS_ERASURE_DELAY"),
        ("audit_retention", "P1D", "SUBUSERS_AUDIT_RETENTION must be a length of time"),
    ],
)
def test_a_malformed_setting(
    settings_of: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], setting: str, value: str, told: str
) -> None:
    """A value that makes no sense is named by its setting; one that may hold a password is not repeated."""
    settings_of.setenv(f"SUBUSERS_{setting.upper()}", value)

    assert cli._exit_code(lambda: cli.app(["serve"], standalone_mode=False)) == 2  # noqa: SLF001  # what `main` ends with

    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("subusers: ")
    assert told in line
    assert SECRET not in line
    assert said.out == ""
