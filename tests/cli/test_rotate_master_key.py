"""Rotation of the master key on a running service."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from adapters.encryption import key_id
from adapters.postgres.maintenance import master_key_rotation
from api.bootstrap import embedded_database
from application.commands.webhooks import NewWebhook
from tests.builders import PORTAL, Company, catch_up
from tests.cli.conftest import as_setting
from tests.postgres import fetch
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service

    Run = Callable[..., tuple[int, str]]

MASTER_KEY_IDS = "SELECT DISTINCT master_key_id FROM {}"


def with_keys(settings: Settings, *keys: bytes) -> Settings:
    return replace(settings, master_keys=keys)


def test_rotation_loses_nothing(  # the complete procedure of docs/operating.md
    run: Run,
    settings: Settings,
    build: Callable[..., Service],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Commands continue during the rotation; afterwards the new key alone decrypts everything."""
    (old,), new = settings.master_keys, secrets.token_bytes(32)
    monkeypatch.setattr(master_key_rotation, "ROWS_PER_STEP", 3)
    company = Company.register(build())
    sub_users = [company.create_active() for _ in range(8)]
    unchanged_sub_user = company.create_active()
    service = build(with_keys(settings, new, old))
    webhook, _ = service.commands.webhooks.create(NewWebhook("https://example.com/x", company.account_id), PORTAL).value
    service.commands.webhooks.add_secret(webhook.webhook_id, PORTAL, all_accounts=False)
    earlier_webhook = (
        build().commands.webhooks.create(NewWebhook("https://example.com/y", company.account_id), PORTAL).value[0]
    )
    stop, changes = Event(), 0

    def change_sub_users() -> None:
        nonlocal changes
        while not stop.is_set():
            sub_user = sub_users[changes % len(sub_users)].with_service(service)
            sub_user.change(name=f"Grace {changes}", password=f"another phrase {changes}")
            changes += 1

    monkeypatch.setenv("SUBUSERS_MASTER_KEY", as_setting(new, old))
    writer = Thread(target=change_sub_users)
    writer.start()
    try:
        eventually(lambda: changes > 0)
        code, output = run("rotate-master-key")
    finally:
        stop.set()
        writer.join()

    assert code == 0, output
    assert f"everything is wrapped by {key_id(new)}" in " ".join(output.split())
    for table in master_key_rotation.TABLES:
        assert fetch(database_url, MASTER_KEY_IDS.format(table)) == [(key_id(new),)]
    service_with_new_key = build(with_keys(settings, new))
    catch_up(service_with_new_key)
    latest_change = changes - 1
    last_changed = sub_users[latest_change % len(sub_users)].with_service(service_with_new_key)
    assert last_changed.log_in(f"another phrase {latest_change}").must_change_password
    assert unchanged_sub_user.with_service(service_with_new_key).log_in().token
    assert (
        service_with_new_key.commands.webhooks.get(earlier_webhook.webhook_id, all_accounts=False).url
        == "https://example.com/y"
    )
    assert company.with_service(service_with_new_key).create_sub_user().state().email
    assert "rewrapped 0 keys" in run("rotate-master-key")[1]


def test_interrupted_rotation_can_be_resumed(settings: Settings, build: Callable[..., Service]) -> None:
    (old,), new = settings.master_keys, secrets.token_bytes(32)
    company = Company.register(build())
    for _ in range(5):
        company.create_sub_user()
    service = build(with_keys(settings, new, old))
    total = service.workers.master_key_rotation.count_outdated()

    class Interrupted(Exception):
        """Raised to interrupt the rotation."""

    def interrupt(_: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        service.workers.master_key_rotation.run(interrupt)
    remaining = service.workers.master_key_rotation.count_outdated()
    assert 0 < remaining < total
    assert service.workers.master_key_rotation.run(lambda _: None) == remaining
    assert service.workers.master_key_rotation.count_by_key() == {key_id(new): total}


def test_missing_master_key_is_named(
    run: Run, settings: Settings, build: Callable[..., Service], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rotation stops before it changes anything, and `status` shows that keys remain to be rotated."""
    Company.register(build()).create_sub_user()
    fetch(database_url, "UPDATE vault SET master_key_id = 'forgotten'")
    monkeypatch.setenv("SUBUSERS_MASTER_KEY", as_setting(*settings.master_keys))

    assert "subusers: a key is wrapped by the master key forgotten" in run("rotate-master-key")[1]
    assert "master keys: 2 keys are wrapped by older ones" in " ".join(run("status")[1].split())


def test_key_file_of_an_embedded_database_can_be_rotated(settings: Settings, tmp_path: Path) -> None:
    """The file has the format of the setting."""
    embedded_settings = replace(settings, data_dir=tmp_path)
    (generated,) = embedded_database.load_or_generate_master_keys(embedded_settings)
    new = secrets.token_bytes(32)
    embedded_settings.master_key_file.write_text(
        f"{base64.b64encode(new).decode()},{embedded_settings.master_key_file.read_text()}\n"
    )

    assert embedded_database.load_or_generate_master_keys(embedded_settings) == (new, generated)
