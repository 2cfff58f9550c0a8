"""Which passwords are taken, how they are kept, and how many are worked on at a time."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from adapters import passwords as module
from adapters.passwords import Argon2Passwords
from application.errors import InvalidValue, TooBusy
from tests.waiting import at_once

ABOUT = ["Grace.Hopper@company.example", "Grace", "Hopper", "Jo"]


@pytest.fixture(scope="module")
def passwords() -> Argon2Passwords:
    """Give the passwords of a service with two cores."""
    return Argon2Passwords(2)


def why_refused(passwords: Argon2Passwords, password: str) -> str | None:
    """Return the reason for which a password is refused, None if it is taken."""
    try:
        passwords.require_good("password", password, ABOUT)
    except InvalidValue as refused:
        return refused.reason if refused.field == "password" and (password or "no") not in str(refused) else "wrongly"
    return None


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
def test_any_long_phrase_is_taken(passwords: Argon2Passwords, password: str) -> None:
    """From 15 to 128 characters, any of them, in any script, without rules about kinds of characters."""
    assert why_refused(passwords, password) is None


@pytest.mark.parametrize("length", [0, 1, 14, 129, 1000, 100_000])
def test_too_short_or_too_long_is_refused(passwords: Argon2Passwords, length: int) -> None:
    """Below 15 and above 128 characters the reason says what is allowed, and says so at once."""
    began = time.monotonic()

    assert why_refused(passwords, ("kq7" * length)[:length]) == "must have 15 to 128 characters"
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("length", [15, 128])
def test_the_limits_themselves_are_allowed(passwords: Argon2Passwords, length: int) -> None:
    """15 characters are enough, and 128 are not too many."""
    assert why_refused(passwords, ("gZ4vt9!mWxb2&yLq" * 8)[:length]) is None


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
def test_a_common_one_is_refused(passwords: Argon2Passwords, password: str) -> None:
    """Length does not help what everybody would try."""
    assert why_refused(passwords, password) == "is too common or too easily guessed"


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
def test_one_about_its_owner_is_refused(passwords: Argon2Passwords, password: str) -> None:
    """Nothing that contains the e-mail address, its local part or a name, however it is written."""
    assert why_refused(passwords, password) == "must not contain the e-mail address or the name"


def test_a_password_of_any_length_allowed_is_judged_quickly(passwords: Argon2Passwords) -> None:
    """No password makes the check itself slow, whatever it is made of."""
    began = time.process_time()  # they are judged in a thread of their own
    for password in ["a" * 128, "ab" * 64, "0123456789" * 12, "@4a" * 42, "password1" * 14]:
        why_refused(passwords, password)

    assert time.process_time() - began < 2


def test_a_password_is_told_from_every_other(passwords: Argon2Passwords) -> None:
    """The right one matches its hash; case, spaces and what stands after the 72nd character count."""
    password = "The quick brown fox " * 6
    kept = passwords.hash(password)

    assert passwords.verify(kept, password)
    for other in [password[:-1], password + " ", password.lower(), password[:72], ""]:
        assert not passwords.verify(kept, other)


def test_a_password_is_the_same_from_every_keyboard(passwords: Argon2Passwords) -> None:
    """Composed or decomposed, full width or not: what looks the same is the same (NFKC)."""
    kept = passwords.hash("caf\u00e9 au lait, deux fois")

    assert passwords.verify(kept, "cafe\u0301 au lait, deux fois")
    assert passwords.verify(kept, "caf\u00e9 au lait, deux \uff46\uff4f\uff49\uff53")
    assert not passwords.verify(kept, "cafe au lait, deux fois")


@pytest.mark.parametrize("password", ["", "\x00", "\ud800 alone and lost", "x" * 1_000_000])
def test_no_text_at_all_makes_verifying_fail(passwords: Argon2Passwords, password: str) -> None:
    """Whatever somebody sends as a password, the answer is no."""
    assert not passwords.verify(passwords.hash("the right one, of course"), password)
    assert not passwords.verify(None, password)


@pytest.mark.parametrize("kept", [None, "", "no hash", "$argon2id$v=19$m=19456,t=2,p=1$damaged"])
def test_without_a_hash_nothing_matches(passwords: Argon2Passwords, kept: str | None) -> None:
    """With no hash, or none that can be read, no password is right."""
    assert not passwords.verify(kept, "anything that one may try")


def test_verifying_nobody_takes_as_long_as_somebody(passwords: Argon2Passwords) -> None:
    """Time does not tell whether there is such a person, nor whether the password was right."""
    kept = passwords.hash("the right one, of course")

    def worked(*arguments: Any) -> float:
        began = time.process_time()  # what the machine does besides does not count; the thread that hashes does
        passwords.verify(*arguments)
        return time.process_time() - began

    right_one = "the right one, of course"
    rounds = [(worked(None, "a wrong one"), worked(kept, "a wrong one"), worked(kept, right_one)) for _ in range(30)]
    nobody, wrong, right = (min(times) for times in zip(*rounds, strict=True))

    assert 0.8 < nobody / wrong < 1.25
    assert 0.8 < nobody / right < 1.25


def test_hashes_have_the_parameters_that_owasp_names(passwords: Argon2Passwords) -> None:
    """argon2id with 19 MiB, two passes, one lane; a salt makes every hash another."""
    one, other = passwords.hash("the same password"), passwords.hash("the same password")

    parameters = extract_parameters(one)
    assert (parameters.type, parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
        Type.ID,
        19456,
        2,
        1,
    )
    assert one != other


@pytest.mark.parametrize(
    "weaker", [{"time_cost": 1}, {"memory_cost": 8192}, {"parallelism": 2}, {"hash_len": 16}, {"type": Type.I}]
)
def test_a_hash_of_other_parameters_is_outdated(passwords: Argon2Passwords, weaker: dict[str, Any]) -> None:
    """What was hashed under other parameters is noticed, and still matches until it is hashed anew."""
    old = PasswordHasher(**{"time_cost": 2, "memory_cost": 19456, "parallelism": 1, **weaker})
    kept = old.hash("a password from before")

    assert passwords.is_outdated(kept)
    assert passwords.verify(kept, "a password from before")
    assert not passwords.is_outdated(passwords.hash("a password from before"))


def test_generated_passwords_are_good_and_never_the_same(passwords: Argon2Passwords) -> None:
    """They meet the rules, have more than 120 bits, and hold no characters that are mistaken for others."""
    generated = [passwords.generate() for _ in range(200)]

    assert len(set(generated)) == 200
    assert {why_refused(passwords, password) for password in generated} == {None}
    assert not set("".join(generated)) & set("il1o0IO")
    assert {len(password.replace("-", "")) for password in generated} == {25}


class Counting(PasswordHasher):
    """Counts how many hashes are being made at a time."""

    lock = Lock()
    now = most = 0

    def hash(self, *arguments: Any, **options: Any) -> str:
        """Make a hash."""
        with self.lock:
            Counting.now += 1
            Counting.most = max(self.most, self.now)
        try:
            return super().hash(*arguments, **options)
        finally:
            with self.lock:
                Counting.now -= 1


@pytest.mark.parametrize("cores", [1, 2])
def test_no_more_than_one_hash_a_core_is_made_at_a_time(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """However many ask, so many are worked on as there are cores, and all get an answer."""
    monkeypatch.setattr(module, "PasswordHasher", Counting)
    passwords = Argon2Passwords(cores)
    Counting.most = 0

    made = at_once([lambda: passwords.hash("one of twelve passwords")] * 12)

    assert all(isinstance(one, str) for one in made)
    assert Counting.most == cores


@pytest.mark.parametrize(("name", "value"), [("LONGEST_QUEUE", 3), ("LONGEST_WAIT", 0.1)])
def test_who_would_wait_too_long_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    """A full queue, or a turn that does not come, is `TooBusy`; the others are served, and later ones too."""
    right_one = "the right one, of course"
    kept = Argon2Passwords(1).hash(right_one)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, value)
        passwords = Argon2Passwords(1)
        ask = partial(passwords.verify, kept, right_one)
        with suppress(TooBusy):
            ask()  # the first one has to wait for a thread to be started
        answers = at_once([ask] * 24)

    assert any(isinstance(answer, TooBusy) for answer in answers)
    assert True in answers
    assert all(answer is True or isinstance(answer, TooBusy) for answer in answers)
    with ThreadPoolExecutor(1) as threads:
        assert list(threads.map(lambda _: ask(), range(10))) == [True] * 10


HASHES_AND_TELLS = """
from adapters.passwords import Argon2Passwords
passwords = Argon2Passwords(1)
kept = passwords.hash("correct horse battery staple")
assert all(passwords.verify(kept, "correct horse battery staple") for _ in range(3))
mappings = open("/proc/self/smaps").read().split("VmFlags:")
marked = [before for before, after in zip(mappings, mappings[1:]) if "hg" in after.splitlines()[0].split()]
print(sum(int(line.split()[1]) for one in marked for line in one.splitlines() if line.startswith("Rss:")))
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not Path("/sys/kernel/mm/transparent_hugepage").is_dir(),
    reason="takes Linux, with its huge pages, and GNU's C library",
)
def test_hashes_have_their_memory_where_huge_pages_are_asked_for() -> None:
    """All 19 MiB of it, and the same for each: else the marked place would have more, or less."""
    done = subprocess.run([sys.executable, "-c", HASHES_AND_TELLS], capture_output=True, text=True, check=True)
    assert 19456 - 8 <= int(done.stdout) <= 19456 + 2048
