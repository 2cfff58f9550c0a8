"""Another key takes over on a running service: nothing is lost, and old checkpoints stay what they were."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.ed25519 import Ed25519Signer
from api import bootstrap
from api.cli import signing_key
from api.config import ConfigError
from api.signing_keys import SigningKeys, generated_in
from application.signed_notes import VerifierKey
from projections.checkpointer import KeyNotHeld
from tests.cli.conftest import as_setting
from tests.cli.test_verify import act, signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.bootstrap import Service
    from api.config import Settings
    from tests.people import Company

    Run = Callable[..., tuple[int, str]]


def holding(settings: Settings, *keys: bytes) -> Settings:
    return replace(settings, signing_keys=SigningKeys(keys))


def public(key: bytes) -> bytes:
    return Ed25519Signer(key).public_key


def shown(run: Run) -> VerifierKey:
    code, told = run("signing-key", "show")
    assert code == 0, told
    return VerifierKey.parse(told)


def test_another_key_takes_over_while_the_service_runs(  # the whole procedure of docs/operating.md
    run: Run, build: Any, settings: Settings, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that hold both keys go on through it; what either key signed is verified by whoever trusts either."""
    (old,), new = settings.signing_keys.private, secrets.token_bytes(32)
    worker = build(settings)
    act(company, 3)
    before = signed(worker, tmp_path / "before")
    old_key = shown(run)

    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(new, old))
    restarted = build(holding(settings, new, old))
    act(company, 3)
    signed(restarted, tmp_path / "meanwhile")  # the old key signs until the new one takes over
    assert shown(run) == old_key
    code, told = run("signing-key", "rotate")
    assert (code, told.endswith(f"former  {old_key}\ncurrent {shown(run)}\n")) == (0, True)
    new_key = shown(run)
    assert new_key.public_key == public(new)

    act(company, 3)
    with pytest.raises(KeyNotHeld):
        signed(worker, tmp_path / "never")  # one that was not restarted leaves it to the others
    after = signed(restarted, tmp_path / "after")
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(new))
    assert run("verify", "--checkpoint", before, "--checkpoint", after, "--public-key", old_key)[0] == 0
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")
    assert run("verify", "--checkpoint", before, "--public-key", old_key)[0] == 0
    assert run("verify", "--checkpoint", after, "--public-key", new_key)[0] == 0
    assert run("verify", "--checkpoint", after, "--public-key", old_key)[0] == 2  # they have to be told the new one
    code, told = run("verify", "--public-key", old_key)
    assert (code, told.splitlines()[0]) == (0, "right: 13 events are as they were signed, in 4 checkpoints")
    code, told = run("signing-key", "show", "--all")
    assert [line.split()[0] for line in told.splitlines()] == [str(old_key), str(new_key)]


def test_a_key_that_is_not_that_of_the_store(build: Any, settings: Settings, service: Service, run: Run) -> None:
    """Whoever would sign is told at the start; rotating without the former key takes a word."""
    service.checkpointer.require_key()
    stranger = build(holding(settings, secrets.token_bytes(32)))
    with pytest.raises(ConfigError, match="SUBUSERS_SIGNING_KEY is not the key that signs"):
        bootstrap.require_signing_key(stranger)


def test_rotating_to_the_key_that_signs_already(run: Run, service: Service) -> None:
    service.checkpointer.require_key()
    assert run("signing-key", "rotate")[1].startswith("ConfigError: SUBUSERS_SIGNING_KEY begins with the key")


def test_a_former_key_that_is_lost(
    run: Run, service: Service, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going on without it takes a word, and both keys have to be trusted from then on."""
    before = signed(service, tmp_path / "before")
    old_key = shown(run)
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(secrets.token_bytes(32)))
    assert run("signing-key", "rotate")[1].startswith("ConfigError: SUBUSERS_SIGNING_KEY does not hold the key")
    assert run("signing-key", "rotate", "--former-is-lost")[0] == 0
    assert run("verify", "--checkpoint", before, "--public-key", old_key)[0] == 0
    code, told = run("verify")
    assert (code, "it is signed by no key that is trusted" in told) == (1, True)


def test_a_key_of_its_own_in_the_data_folder(build: Any, settings: Settings, company: Company, tmp_path: Path) -> None:
    """An embedded service makes it, for its owner alone to read; one that was put in its place signs at once."""
    embedded = replace(settings, embedded=True, signing_keys=SigningKeys())
    service = build(embedded)
    act(company, 1)
    signed(service, tmp_path / "first")
    file = settings.signing_key_file
    assert file.stat().st_mode & 0o777 == 0o600
    held = generated_in(file)
    former = service.checkpointer.verifier_key()
    signing_key.prepare_file(service, former)
    signing_key.prepare_file(service, former)
    assert generated_in(file).private[1:] == held.private
    assert file.stat().st_mode & 0o777 == 0o600
    service.checkpointer.hand_over()
    signing_key.retire_in_file(service, former)
    kept = generated_in(file)
    assert (len(kept.private), kept.public) == (1, (former,))
    act(company, 1)
    signed(service, tmp_path / "second")
    assert service.checkpointer.verifier_key().public_key == public(kept.private[0]) != former.public_key


@pytest.mark.parametrize(
    "setting",
    ["nonsense", "AAAA", ",", "subusers/x+00000000+AAAA", as_setting(b"1" * 32, b"1" * 32), as_setting(b"1" * 31)],
)
def test_a_setting_that_makes_no_sense(setting: str) -> None:
    with pytest.raises(ValueError, match=r"must be 32 random bytes|names the same key twice"):
        SigningKeys.parse(setting)


def test_a_setting_with_a_public_key() -> None:
    """Former keys may be public ones, and are read again as they were written."""
    former = VerifierKey("subusers/x", public(b"2" * 32))
    keys = SigningKeys((b"1" * 32,), (former,))
    assert SigningKeys.parse(str(keys)) == keys


@pytest.mark.parametrize("signed_before", [False, True])
def test_no_key_is_set(run: Run, service: Service, monkeypatch: pytest.MonkeyPatch, *, signed_before: bool) -> None:
    """What needs none is told, where there is something to tell; a new one is asked for."""
    if signed_before:
        service.checkpointer.require_key()
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")
    missing = "ConfigError: SUBUSERS_SIGNING_KEY is missing"
    assert run("signing-key", "rotate")[1].startswith(missing)
    assert run("signing-key", "show")[1].startswith("subusers/" if signed_before else missing)
