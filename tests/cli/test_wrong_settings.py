"""Invalid settings: one line on stderr, without secrets, before anything runs."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api.bootstrap import config
from api.bootstrap.config import ConfigError
from api.cli import program
from api.cli.commands import run
from api.deprecated_names import Kind, deprecated_names
from tests.cli.conftest import as_setting

if TYPE_CHECKING:
    from pathlib import Path

    from api.deprecated_names import DeprecatedName

SECRET = "s3cr3t"
UNREACHABLE_DATABASE = f"postgresql://user:{SECRET}@127.0.0.1:1/nothing"
"""Nothing listens on port 1, so settings are checked without the database."""


@pytest.fixture
def settings_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Set valid values for the required settings, and return the object that sets more."""
    monkeypatch.setenv("SUBUSERS_DATABASE_URL", UNREACHABLE_DATABASE)
    monkeypatch.setenv("SUBUSERS_MASTER_KEY", as_setting(bytes(range(32))))
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(bytes(range(32))))
    monkeypatch.setenv("SUBUSERS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(run, "stop_on_signals", threading.Event)  # pytest has its own handlers
    return monkeypatch


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("master_key", "", "SUBUSERS_MASTER_KEY is missing"),
        ("master_key", SECRET, "SUBUSERS_MASTER_KEY must be 32 random bytes in base64"),
        ("signing_key", "", "SUBUSERS_SIGNING_KEY is missing"),
        ("signing_key", SECRET, "SUBUSERS_SIGNING_KEY must be 32 random bytes in base64"),
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
        ("sign_in_url", f"https://user:{SECRET}@host", "SUBUSERS_SIGN_IN_URL must be of the form https://host/path"),
        ("sign_in_url", f"ftp://host/{SECRET}", "SUBUSERS_SIGN_IN_URL"),
        ("sign_in_url", f"https://host/sign-in?next={SECRET}", "SUBUSERS_SIGN_IN_URL"),
        ("sign_in_url", f"https://host/#{SECRET}", "SUBUSERS_SIGN_IN_URL"),
        ("sign_in_url", f"https://host:{SECRET}/", "SUBUSERS_SIGN_IN_URL"),
        ("sign_in_url", "https://host/sign in", "SUBUSERS_SIGN_IN_URL"),
        ("sign_in_url", "portal.example", "SUBUSERS_SIGN_IN_URL"),
        ("webhook_allow", f"10.0.0.0/8,https://user:{SECRET}@host/", "SUBUSERS_WEBHOOK_ALLOW"),
        ("webhook_allow", "10.0.0.1/8", "SUBUSERS_WEBHOOK_ALLOW"),
        ("metrics_token", "too short", "SUBUSERS_METRICS_TOKEN must have at least 16 characters"),
        ("metrics_token", f"{SECRET} {SECRET}", "SUBUSERS_METRICS_TOKEN"),
        ("trusted_proxies", "10.0.0.0/99", "SUBUSERS_TRUSTED_PROXIES"),
        ("erasure_delay", "a month", "SUBUSERS_ERASURE_DELAY"),
        ("geoip_database", f"/nowhere/{SECRET}.mmdb", "SUBUSERS_GEOIP_DATABASE must be the path of a readable"),
        ("geoip_database", __file__, "SUBUSERS_GEOIP_DATABASE"),
        ("product_name", "x" * 41, "SUBUSERS_PRODUCT_NAME must have at most 40 characters"),
        ("logo", f"/nowhere/{SECRET}.svg", "SUBUSERS_LOGO must be the path of a readable file"),
        ("logo", __file__, "SUBUSERS_LOGO must be a file with the extension .svg, .png, .jpg, .jpeg"),
        ("accent_color", "blue", "SUBUSERS_ACCENT_COLOR must be a color of the form #rrggbb"),
        ("accent_color", "#ffcc00", "SUBUSERS_ACCENT_COLOR #ffcc00 has a contrast of 1.51:1 with the white text on it"),
        ("accent_color", "#777777", "at least 4.5:1"),
        ("portal_url", f"javascript:{SECRET}", "SUBUSERS_PORTAL_URL must be a URL that begins with https://"),
        ("mail_time_zone", "Rome", "SUBUSERS_MAIL_TIME_ZONE must be the name of a time zone"),
        ("support_address", "support", "SUBUSERS_SUPPORT_ADDRESS must be an e-mail address or a URL"),
        ("support_address", f"javascript://{SECRET}@x y", "SUBUSERS_SUPPORT_ADDRESS"),
        ("audit_retention", "P1D", "SUBUSERS_AUDIT_RETENTION must be a length of time"),
    ],
)
def test_invalid_setting_is_named_without_its_value(
    settings_environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    setting: str,
    value: str,
    expected: str,
) -> None:
    """Values that may contain a password are not repeated."""
    settings_environment.setenv(f"SUBUSERS_{setting.upper()}", value)

    assert program.exit_code_of(lambda: program.app(["serve"], standalone_mode=False)) == 2

    output = capsys.readouterr()
    (line,) = output.err.splitlines()
    assert line.startswith("subusers: ")
    assert expected in line
    assert SECRET not in line
    assert output.out == ""


SETTINGS = pytest.mark.parametrize("deprecated", deprecated_names(Kind.SETTING), ids=lambda deprecated: deprecated.name)


def valid_values(environment: pytest.MonkeyPatch, setting: str | None) -> list[str]:
    """Return two valid values of a setting."""
    valid = []
    for value in ("3", "4", "10.0.0.3", "10.0.0.4"):
        environment.setenv(str(setting), value)
        with suppress(ConfigError):
            config.load()
            valid.append(value)
    environment.delenv(str(setting))
    return valid


@SETTINGS
def test_deprecated_setting_counts_as_its_replacement(
    settings_environment: pytest.MonkeyPatch, deprecated: DeprecatedName
) -> None:
    """Both together are accepted with the same value."""
    value, _ = valid_values(settings_environment, deprecated.replacement)
    settings_environment.setenv(str(deprecated.replacement), value)
    expected = config.load()
    assert expected.deprecated_names == ()
    settings_environment.setenv(deprecated.name, value)
    assert config.load() == replace(expected, deprecated_names=(deprecated,))
    settings_environment.delenv(str(deprecated.replacement))
    assert config.load() == replace(expected, deprecated_names=(deprecated,))


@SETTINGS
def test_setting_with_two_values_is_refused(
    settings_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], deprecated: DeprecatedName
) -> None:
    value, other_value = valid_values(settings_environment, deprecated.replacement)
    settings_environment.setenv(deprecated.name, value)
    settings_environment.setenv(str(deprecated.replacement), other_value)

    assert program.exit_code_of(lambda: program.app(["serve"], standalone_mode=False)) == 2

    (line,) = capsys.readouterr().err.splitlines()
    new = deprecated.replacement
    assert line == f"subusers: {new} and {deprecated.name} have different values: set only {new}"
