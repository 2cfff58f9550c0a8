"""Passwords: strength rules, argon2id hashing, timing, generation and concurrency limits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from adapters import passwords as passwords_module
from adapters.passwords import DUMMY_HASH, Argon2Passwords
from application.errors import InvalidValue, TooBusy
from tests.waiting import run_concurrently

OWNER_WORDS = ["Grace.Hopper@company.example", "Grace", "Hopper", "Jo"]


@pytest.fixture(scope="module")
def passwords() -> Argon2Passwords:
    """Return the password service of a process with two cores."""
    return Argon2Passwords(2)


def refusal_reason(passwords: Argon2Passwords, password: str) -> str | None:
    """Return why the password is refused, or None if it is accepted."""
    try:
        passwords.ensure_strong("password", password, OWNER_WORDS)
    except InvalidValue as error:
        refusal = error
    else:
        return None
    assert refusal.field == "password"
    assert not password or password not in str(refusal)
    return refusal.reason


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "fifteen letters",
        "x7$kQ!92pLm#wZe",
        "une phrase à moi",
        "我的密码是一个很长的句子没有人猜得到",
        "passphrase with a tab\tand\nnewline",
        "🦊 jumps over 🐕 at noon",
        "q" + "wet otter brings seven lamps home; " * 3 + "and more of it to fill",
        " leading and trailing spaces count ",
        "joyful crumpets at dawn",
    ],
)
def test_long_phrase_is_accepted(passwords: Argon2Passwords, password: str) -> None:
    """15 to 128 characters of any script are accepted, without composition rules."""
    assert refusal_reason(passwords, password) is None


@pytest.mark.parametrize("length", [0, 1, 14, 129, 1000, 100_000])
def test_too_short_or_too_long_password_is_refused(passwords: Argon2Passwords, length: int) -> None:
    """The reason names the limits, and very long passwords are refused without delay."""
    started = time.monotonic()

    assert refusal_reason(passwords, ("kq7" * length)[:length]) == "must have 15 to 128 characters"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("length", [15, 128])
def test_passwords_at_the_length_limits_are_accepted(passwords: Argon2Passwords, length: int) -> None:
    assert refusal_reason(passwords, ("gZ4vt9!mWxb2&yLq" * 8)[:length]) is None


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "PasswordPassword1",
        "aaaaaaaaaaaaaaaaaaaa",
        "123456789012345",
        "qwertyuiopasdfgh",
        "abcdefghijklmnopqrstuvwxyz",
        "111111111111111111111",
        "letmeinletmeinletmein",
        "abcabcabcabcabcabc",
    ],
)
def test_common_password_is_refused(passwords: Argon2Passwords, password: str) -> None:
    assert refusal_reason(passwords, password) == "is too common or too easily guessed"


@pytest.mark.parametrize(
    "password",
    [
        "grace.hopper@company.example",
        "my mail: GRACE.HOPPER@company.EXAMPLE!",
        "x7$kQ grace.hopper 92pLm",
        "amazing grace how sweet",
        "HOPPER wrote a compiler",
        "\uff48\uff4f\uff50\uff50\uff45\uff52 wrote a compiler",
    ],
)
def test_password_with_personal_data_is_refused(passwords: Argon2Passwords, password: str) -> None:
    """Refused are the e-mail address, its local part and the names, in any case or character width."""
    assert refusal_reason(passwords, password) == "must not contain the e-mail address or the name"


def test_password_strength_check_is_fast(passwords: Argon2Passwords) -> None:
    started = time.process_time()  # includes the thread that estimates the strength
    for password in ["a" * 128, "ab" * 64, "0123456789" * 12, "@4a" * 42, "password1" * 14]:
        refusal_reason(passwords, password)

    assert time.process_time() - started < 2


def test_password_must_match_exactly(passwords: Argon2Passwords) -> None:
    """Case, spaces and characters after the 72nd are significant."""
    password = "The quick brown fox " * 6
    password_hash = passwords.hash(password)

    assert passwords.verify(password_hash, password)
    for other in [password[:-1], password + " ", password.lower(), password[:72], ""]:
        assert not passwords.verify(password_hash, other)


def test_password_is_normalized_before_hashing(passwords: Argon2Passwords) -> None:
    """Passwords are normalized (NFKC): composed, decomposed and full-width forms match."""
    password_hash = passwords.hash("caf\u00e9 au lait, deux fois")

    assert passwords.verify(password_hash, "cafe\u0301 au lait, deux fois")
    assert passwords.verify(password_hash, "caf\u00e9 au lait, deux \uff46\uff4f\uff49\uff53")
    assert not passwords.verify(password_hash, "cafe au lait, deux fois")


@pytest.mark.parametrize("password", ["", "\x00", "\ud800 alone and lost", "x" * 1_000_000])
def test_verify_returns_false_for_any_wrong_text(passwords: Argon2Passwords, password: str) -> None:
    assert not passwords.verify(passwords.hash("the right one, of course"), password)
    assert not passwords.verify(None, password)


@pytest.mark.parametrize("password_hash", [None, "", "no hash", "$argon2id$v=19$m=19456,t=2,p=1$damaged"])
def test_verify_returns_false_without_a_valid_hash(passwords: Argon2Passwords, password_hash: str | None) -> None:
    assert not passwords.verify(password_hash, "anything that one may try")


def test_verifying_takes_as_long_without_a_hash(passwords: Argon2Passwords) -> None:
    """CPU time reveals neither whether the sub-user exists nor whether the password is right."""
    assert not passwords.is_outdated(DUMMY_HASH)
    password_hash = passwords.hash("the right one, of course")

    def cpu_time(*arguments: Any) -> float:
        started = time.process_time()  # CPU time of this process, including the hashing thread
        passwords.verify(*arguments)
        return time.process_time() - started

    right_password = "the right one, of course"
    rounds = [
        (cpu_time(None, "a wrong one"), cpu_time(password_hash, "a wrong one"), cpu_time(password_hash, right_password))
        for _ in range(30)
    ]
    unknown_time, wrong_time, right_time = (min(times) for times in zip(*rounds, strict=True))

    assert 0.8 < unknown_time / wrong_time < 1.25
    assert 0.8 < unknown_time / right_time < 1.25


def test_password_hashes_use_owasp_parameters(passwords: Argon2Passwords) -> None:
    """OWASP's minimum for argon2id: 19 MiB, two passes, one lane. Salts make the hashes differ."""
    first, second = passwords.hash("the same password"), passwords.hash("the same password")

    parameters = extract_parameters(first)
    assert (parameters.type, parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
        Type.ID,
        19456,
        2,
        1,
    )
    assert first != second


@pytest.mark.parametrize(
    "weaker", [{"time_cost": 1}, {"memory_cost": 8192}, {"parallelism": 2}, {"hash_len": 16}, {"type": Type.I}]
)
def test_password_hash_with_other_parameters_is_outdated(passwords: Argon2Passwords, weaker: dict[str, Any]) -> None:
    """An outdated hash still verifies, so it can be replaced at the next login."""
    old = PasswordHasher(**{"time_cost": 2, "memory_cost": 19456, "parallelism": 1, **weaker})
    password_hash = old.hash("a password from before")

    assert passwords.is_outdated(password_hash)
    assert passwords.verify(password_hash, "a password from before")
    assert not passwords.is_outdated(passwords.hash("a password from before"))


def test_generated_passwords_are_strong_and_unique(passwords: Argon2Passwords) -> None:
    """They meet the rules, have more than 120 bits of entropy and avoid look-alike characters."""
    generated = [passwords.generate() for _ in range(200)]

    assert len(set(generated)) == 200
    assert {refusal_reason(passwords, password) for password in generated} == {None}
    assert not set("".join(generated)) & set("il1o0IO")
    assert {len(password.replace("-", "")) for password in generated} == {25}


class CountingHasher(PasswordHasher):
    """Records the maximum number of concurrent hashes."""

    lock = Lock()
    concurrent = max_concurrent = 0

    def hash(self, *arguments: Any, **options: Any) -> str:
        with self.lock:
            CountingHasher.concurrent += 1
            CountingHasher.max_concurrent = max(self.max_concurrent, self.concurrent)
        try:
            return super().hash(*arguments, **options)
        finally:
            with self.lock:
                CountingHasher.concurrent -= 1


@pytest.mark.parametrize("cores", [1, 2])
def test_concurrent_hashes_are_limited_to_the_number_of_cores(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """Concurrent requests above the number of cores wait; all are answered."""
    monkeypatch.setattr(passwords_module, "PasswordHasher", CountingHasher)
    passwords = Argon2Passwords(cores)
    CountingHasher.max_concurrent = 0

    hashes = run_concurrently([lambda: passwords.hash("one of twelve passwords")] * 12)

    assert all(isinstance(password_hash, str) for password_hash in hashes)
    assert CountingHasher.max_concurrent == cores


def test_64_concurrent_strength_checks_succeed() -> None:
    """Strength estimates wait for each other instead of raising `TooBusy`."""
    passwords = Argon2Passwords(1)
    check = partial(passwords.ensure_strong, "password", "correct horse battery staple", [])

    assert run_concurrently([check] * 64) == [None] * 64


@pytest.mark.parametrize(("name", "value"), [("MAX_QUEUED_HASHES", 3), ("MAX_WAIT_SECONDS", 0.1)])
def test_password_check_that_would_wait_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    """A full queue or a long wait raises `TooBusy`; other and later checks succeed."""
    right_password = "the right one, of course"
    password_hash = Argon2Passwords(1).hash(right_password)
    with monkeypatch.context() as patched:
        patched.setattr(passwords_module, name, value)
        passwords = Argon2Passwords(1)
        verify = partial(passwords.verify, password_hash, right_password)
        with suppress(TooBusy):
            verify()  # the first call waits for the thread to start
        results = run_concurrently([verify] * 24)

    assert any(isinstance(result, TooBusy) for result in results)
    assert True in results
    assert all(result is True or isinstance(result, TooBusy) for result in results)
    with ThreadPoolExecutor(1) as threads:
        assert list(threads.map(lambda _: verify(), range(10))) == [True] * 10
