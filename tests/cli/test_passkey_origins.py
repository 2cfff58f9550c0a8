"""Origins of the pages that may use passkeys, from the settings."""

from __future__ import annotations

import pytest

from api.bootstrap.config import ConfigError, load


@pytest.mark.parametrize(
    ("public_url", "origins"),
    [
        ("https://Example.com:443", ("https://example.com",)),
        ("http://localhost:8000", ("http://localhost:8000",)),
        ("http://127.0.0.1:8000", ("http://localhost:8000",)),
        ("http://[::1]:8000", ("http://localhost:8000",)),
    ],
)
def test_origin_of_the_console(monkeypatch: pytest.MonkeyPatch, public_url: str, origins: tuple[str, ...]) -> None:
    """As browsers write it: in lower case, without a default port. This machine is `localhost`."""
    monkeypatch.setenv("SUBUSERS_PUBLIC_URL", public_url)
    assert load(with_master_key=False).passkey_origins == origins


def test_origins_of_portals(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the host of the service, or below it."""
    monkeypatch.setenv("SUBUSERS_PUBLIC_URL", "https://example.com:8443")
    monkeypatch.setenv("SUBUSERS_PASSKEY_ORIGINS", "https://example.com, https://portal.example.com")
    assert load(with_master_key=False).passkey_origins == (
        *("https://example.com:8443", "https://example.com", "https://portal.example.com"),
    )


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.com", "https://notexample.com", "https://example.com/path", "ftp://example.com", "example.com"),
        *("https://example.com:443", "https://example.com:x", "https://com"),
    ],
)
def test_other_origins_are_refused(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("SUBUSERS_PUBLIC_URL", "https://example.com")
    monkeypatch.setenv("SUBUSERS_PASSKEY_ORIGINS", origin)
    with pytest.raises(ConfigError, match="SUBUSERS_PASSKEY_ORIGINS"):
        load(with_master_key=False)
