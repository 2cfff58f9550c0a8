"""Rotation of the signing key: the service keeps running, and old checkpoints stay valid."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.ed25519 import Ed25519Signer
from api.bootstrap import checkpoint_keys
from api.bootstrap.config import ConfigError
from api.bootstrap.signing_keys import SigningKeys, load_or_generate
from api.cli.commands import signing_key
from application.transparency.signed_note import SignedNote, VerifierKey, sign
from projections.transparency.checkpointer import HistoryRewritten, KeyNotHeld
from tests.cli.conftest import as_setting
from tests.cli.test_verify import record_activities, sign_checkpoint
from tests.postgres import fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.builders import Company

    Run = Callable[..., tuple[int, str]]


def with_signing_keys(settings: Settings, *keys: bytes) -> Settings:
    return replace(settings, signing_keys=SigningKeys(keys))


def public_key(key: bytes) -> bytes:
    return Ed25519Signer(key).public_key


def current_key(run: Run) -> VerifierKey:
    code, output = run("signing-key", "show")
    assert code == 0, output
    return VerifierKey.parse(output)


def test_signing_key_is_rotated_on_a_running_service(  # the complete procedure of docs/operating.md
    run: Run, build: Any, settings: Settings, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers with both keys continue; verifiers that trust either key accept the signatures of both."""
    (old,), new = settings.signing_keys.private, secrets.token_bytes(32)
    worker = build(settings)
    record_activities(company, 3)
    before = sign_checkpoint(worker, tmp_path / "before")
    old_key = current_key(run)

    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(new, old))
    restarted = build(with_signing_keys(settings, new, old))
    record_activities(company, 3)
    sign_checkpoint(restarted, tmp_path / "meanwhile")  # the old key signs until the new one takes over
    assert current_key(run) == old_key
    code, output = run("signing-key", "rotate")
    assert (code, output.endswith(f"former  {old_key}\ncurrent {current_key(run)}\n")) == (0, True)
    new_key = current_key(run)
    assert new_key.public_key == public_key(new)

    record_activities(company, 3)
    with pytest.raises(KeyNotHeld):
        sign_checkpoint(worker, tmp_path / "never")  # a worker without the new key leaves signing to others
    after = sign_checkpoint(restarted, tmp_path / "after")
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(new))
    both_keys = ["--public-key", old_key, "--public-key", new_key]
    assert run("verify", "--checkpoint", before, "--checkpoint", after, *both_keys)[0] == 0
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")
    assert run("verify", "--checkpoint", before, "--public-key", old_key)[0] == 0
    assert run("verify", "--checkpoint", after, "--public-key", new_key)[0] == 0
    # The new key is not given, and a single checkpoint does not introduce it.
    assert run("verify", "--checkpoint", after, "--public-key", old_key)[0] == 2
    code, output = run("verify", "--public-key", old_key)
    assert (code, output.splitlines()[0]) == (0, "right: 13 events are as they were signed, in 4 checkpoints")
    code, output = run("signing-key", "show", "--all")
    assert [line.split()[0] for line in output.splitlines()] == [str(old_key), str(new_key)]


def test_key_of_another_store_is_refused_at_start(build: Any, settings: Settings, service: Service, run: Run) -> None:
    service.workers.checkpointer.require_key()
    service_with_other_key = build(with_signing_keys(settings, secrets.token_bytes(32)))
    with pytest.raises(ConfigError, match="SUBUSERS_SIGNING_KEY is not the key that signs"):
        checkpoint_keys.require_key_of_store(service_with_other_key)


def test_rotation_to_the_current_key_is_refused(run: Run, service: Service) -> None:
    service.workers.checkpointer.require_key()
    assert run("signing-key", "rotate")[1].startswith("subusers: SUBUSERS_SIGNING_KEY begins with the key")


def test_rotation_without_the_former_key(
    run: Run, service: Service, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rotation needs an option, and verifiers have to trust both keys from then on."""
    before = sign_checkpoint(service, tmp_path / "before")
    old_key = current_key(run)
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(secrets.token_bytes(32)))
    assert run("signing-key", "rotate")[1].startswith("subusers: SUBUSERS_SIGNING_KEY does not hold the key")
    assert run("signing-key", "rotate", "--former-is-lost")[0] == 0
    code, output = run("signing-key", "show")
    both_keys = ["--public-key", old_key, "--public-key", output.strip()]
    assert run("verify", "--checkpoint", before, *both_keys)[0] == 0
    for one_key in ([], ["--public-key", old_key]):
        code, output = run("verify", *one_key)
        assert (code, "it is signed by no key that is trusted" in output) == (1, True)


def test_signatures_of_a_former_key_after_its_succession_are_rejected(
    run: Run,
    build: Any,
    settings: Settings,
    company: Company,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,
) -> None:
    """Verifiers that know the succession reject them, in the store and in a kept checkpoint."""
    (old,), new = settings.signing_keys.private, secrets.token_bytes(32)
    record_activities(company, 3)
    sign_checkpoint(build(settings), tmp_path / "before")
    old_key = current_key(run)
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(new, old))
    assert run("signing-key", "rotate")[0] == 0
    new_key = current_key(run)
    record_activities(company, 3)
    later = sign_checkpoint(build(with_signing_keys(settings, new, old)), tmp_path / "later")
    forged = tmp_path / "forged"
    text = SignedNote.parse(later.read_text()).text
    forged.write_text(str(sign(text, old_key.name, [Ed25519Signer(old)])))
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")

    for keys in ([old_key], [old_key, new_key], [new_key, old_key]):
        trusted = [part for key in keys for part in ("--public-key", key)]
        assert run("verify", "--checkpoint", tmp_path / "before", *trusted)[0] == 0
        code, output = run("verify", "--checkpoint", forged, *trusted)
        assert (code, "had been succeeded by another before" in " ".join(output.split())) == (2, True)
    code, output = run("verify", "--consistency", forged, forged, "--public-key", old_key, "--public-key", new_key)
    assert (code, "several keys" in output) == (2, True)

    fetch(database_url, f"UPDATE checkpoints SET note = '{forged.read_text()}' WHERE note = '{later.read_text()}'")  # noqa: S608  # notes have no quotes
    code, output = run("verify", "--public-key", old_key)
    assert (code, "had been succeeded by another before" in output) == (1, True)
    with pytest.raises(HistoryRewritten):
        build(with_signing_keys(settings, new)).workers.checkpointer.sign_sizes([1])


def test_former_key_cannot_be_made_current_again(
    run: Run, service: Service, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.workers.checkpointer.require_key()
    (old,), new = settings.signing_keys.private, secrets.token_bytes(32)
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(new, old))
    assert run("signing-key", "rotate")[0] == 0
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(old, new))
    assert run("signing-key", "rotate")[1].startswith("subusers: SUBUSERS_SIGNING_KEY begins with a key that was")


def test_key_file_of_an_embedded_database(build: Any, settings: Settings, company: Company, tmp_path: Path) -> None:
    """The service creates the file, readable by its owner only; a new key signs immediately after the rotation."""
    embedded = replace(settings, embedded=True, signing_keys=SigningKeys())
    service = build(embedded)
    record_activities(company, 1)
    sign_checkpoint(service, tmp_path / "first")
    file = settings.signing_key_file
    assert file.stat().st_mode & 0o777 == 0o600
    generated = load_or_generate(file)
    former = service.workers.checkpointer.verifier_key()
    signing_key.add_new_key(service, former)
    signing_key.add_new_key(service, former)
    assert load_or_generate(file).private[1:] == generated.private
    assert file.stat().st_mode & 0o777 == 0o600
    service.workers.checkpointer.rotate_key()
    signing_key.retire_former_keys(service, former)
    remaining_keys = load_or_generate(file)
    assert (len(remaining_keys.private), remaining_keys.public) == (1, (former,))
    record_activities(company, 1)
    sign_checkpoint(service, tmp_path / "second")
    assert (
        service.workers.checkpointer.verifier_key().public_key
        == public_key(remaining_keys.private[0])
        != former.public_key
    )


@pytest.mark.parametrize(
    "setting",
    ["nonsense", "AAAA", ",", "subusers/x+00000000+AAAA", as_setting(b"1" * 32, b"1" * 32), as_setting(b"1" * 31)],
)
def test_invalid_setting_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"must be 32 random bytes|names the same key twice"):
        SigningKeys.parse(setting)


def test_setting_with_a_public_key_round_trips() -> None:
    """Former keys may be public keys."""
    former = VerifierKey("subusers/x", public_key(b"2" * 32))
    keys = SigningKeys((b"1" * 32,), (former,))
    assert SigningKeys.parse(keys.as_setting()) == keys


@pytest.mark.parametrize("signed_before", [False, True])
def test_commands_without_a_key_in_the_settings(
    run: Run, service: Service, monkeypatch: pytest.MonkeyPatch, *, signed_before: bool
) -> None:
    """`show` works if the store has a key; `rotate` needs a new one in the settings."""
    if signed_before:
        service.workers.checkpointer.require_key()
    monkeypatch.delenv("SUBUSERS_SIGNING_KEY")
    missing = "subusers: SUBUSERS_SIGNING_KEY is missing"
    assert run("signing-key", "rotate")[1].startswith(missing)
    assert run("signing-key", "show")[1].startswith("subusers/" if signed_before else missing)
