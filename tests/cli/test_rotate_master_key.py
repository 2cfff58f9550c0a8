"""Another master key takes over on a running service, and nothing is lost."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from adapters.encryption import key_id
from adapters.postgres import rewrap
from api import bootstrap
from application.webhooks import NewWebhook
from tests.cli.conftest import as_setting
from tests.people import PORTAL, Company, catch_up
from tests.postgres import ask
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.bootstrap import Service
    from api.config import Settings

    Run = Callable[..., tuple[int, str]]

WRAPPED_BY = "SELECT DISTINCT master_key_id FROM {}"


def with_keys(settings: Settings, *keys: bytes) -> Settings:
    return replace(settings, master_keys=keys)


def test_nothing_is_lost(  # the whole procedure of docs/operating.md
    run: Run,
    settings: Settings,
    build: Callable[..., Service],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Commands go on through it; afterwards the new key alone opens everything, also what was written meanwhile."""
    (old,), new = settings.master_keys, secrets.token_bytes(32)
    monkeypatch.setattr(rewrap, "STEP", 3)
    company = Company.register(build())
    people = [company.let_in_active() for _ in range(8)]
    service = build(with_keys(settings, new, old))
    webhook, _ = service.webhooks.create(NewWebhook("https://example.com/x", company.account_id), PORTAL).value
    service.webhooks.add_secret(webhook.webhook_id, of_all=False)
    first = build().webhooks.create(NewWebhook("https://example.com/y", company.account_id), PORTAL).value[0]
    over, changes = Event(), 0

    def go_on() -> None:
        nonlocal changes
        while not over.is_set():
            one = people[changes % len(people)].seen_by(service)
            one.change(name=f"Grace {changes}", password=f"another phrase {changes}")
            changes += 1

    monkeypatch.setenv("SUBUSERS_MASTER_KEY", as_setting(new, old))
    writer = Thread(target=go_on)
    writer.start()
    try:
        eventually(lambda: changes > 0)
        code, said = run("rotate-master-key")
    finally:
        over.set()
        writer.join()

    assert code == 0, said
    assert f"everything is wrapped by {key_id(new)}" in " ".join(said.split())
    for table in rewrap.TABLES:
        assert ask(database_url, WRAPPED_BY.format(table)) == [(key_id(new),)]
    after = build(with_keys(settings, new))
    catch_up(after)
    latest = changes - 1
    last = people[latest % len(people)].seen_by(after)
    assert last.log_in(f"another phrase {latest}").must_change_password
    assert all(one.seen_by(after).log_in() for one in people[changes:])
    assert after.webhooks.show(first.webhook_id, of_all=False).url == "https://example.com/y"
    assert company.seen_by(after).let_in().state().email
    assert "wrapped 0 anew" in run("rotate-master-key")[1]


def test_one_that_was_interrupted_goes_on(settings: Settings, build: Callable[..., Service]) -> None:
    """What was done stays done."""
    (old,), new = settings.master_keys, secrets.token_bytes(32)
    company = Company.register(build())
    for _ in range(5):
        company.let_in()
    service = build(with_keys(settings, new, old))
    there = service.rewrapping.older()

    class Killed(Exception):
        """It was."""

    def kill(_: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        service.rewrapping.run(kill)
    left = service.rewrapping.older()
    assert 0 < left < there
    assert service.rewrapping.run(lambda _: None) == left
    assert service.rewrapping.count() == {key_id(new): there}


def test_a_key_that_is_missing_is_named(
    run: Run, settings: Settings, build: Callable[..., Service], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything of it is lost; and the status says that there is something to do."""
    Company.register(build()).let_in()
    ask(database_url, "UPDATE vault SET master_key_id = 'forgotten'")
    monkeypatch.setenv("SUBUSERS_MASTER_KEY", as_setting(*settings.master_keys))

    assert "ConfigError: something is wrapped by the master key forgotten" in run("rotate-master-key")[1]
    assert "master keys: 2 keys are wrapped by older ones" in " ".join(run("status")[1].split())


def test_the_key_of_an_embedded_database(settings: Settings, tmp_path: Path) -> None:
    """It can be replaced in its file, as in the setting."""
    own = replace(settings, data_dir=tmp_path)
    (made,) = bootstrap.generated_master_keys(own)
    new = secrets.token_bytes(32)
    own.master_key_file.write_text(f"{base64.b64encode(new).decode()},{own.master_key_file.read_text()}\n")

    assert bootstrap.generated_master_keys(own) == (new, made)
