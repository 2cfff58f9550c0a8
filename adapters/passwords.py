"""Password rules, argon2id hashing with bounded concurrency, and generation of temporary passwords."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from application.errors import InvalidValue, TooBusy
from application.request_deadlines import within_deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

R = TypeVar("R")

MIN_LENGTH = 15
MAX_LENGTH = 128
"""NIST SP 800-63B-4, 3.1.1.2: a password needs at least 15 characters if it is the only factor; 64 must be allowed."""

MIN_PERSONAL_WORD_LENGTH = 4
"""A password must not contain its owner's names or e-mail address, unless they are shorter than this."""

MIN_GUESSES = 10**6
"""A password counts as common if zxcvbn estimates fewer guesses."""

MAX_ESTIMATED_LENGTH = 24
"""Length of the prefix that zxcvbn estimates. Its running time grows steeply: 72 adversarial characters take seconds.
The characters after the prefix can only make a password harder to guess."""

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Characters of generated passwords, without those that are easily confused when typed from a mail."""

GROUP_COUNT = 5
GROUP_LENGTH = 5
"""25 characters out of 31: 123 bits."""

MAX_WAIT_SECONDS = 8.0
"""Time that a hash waits in the queue before `TooBusy` is raised."""

MAX_QUEUED_HASHES = 256
"""Maximum number of hashes running or waiting. At about 20 ms each, one core finishes them in `MAX_WAIT_SECONDS`."""

DUMMY_HASH = f"$argon2id$v=19$m=19456,t=2,p=1${'A' * 22}${'A' * 43}"
"""A hash with the current parameters, which takes as long to verify as any other. No password is known to match it."""


class Argon2Passwords:
    """Argon2id hashing with OWASP's parameters, on one dedicated thread per core, first come, first served.

    A dedicated thread reuses the memory of its previous hash. If the request threads hashed themselves, each would have
    its own 19 MiB, and a hash would take a tenth longer.

    Several processes divide the cores among themselves in advance. A lock across processes would not be fair, and a
    process that freezes would keep holding it.
    """

    def __init__(self, cores: int) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="passwords")
        self._queue_slots = threading.BoundedSemaphore(MAX_QUEUED_HASHES)
        self._estimate_lock = threading.Lock()

    def ensure_allowed(self, field: str, password: str, forbidden_texts: Sequence[str]) -> None:
        """Raise `InvalidValue` for a password that is too short, too long, or contains words about its owner."""
        password = _normalized(password)
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise InvalidValue(field, f"must have {MIN_LENGTH} to {MAX_LENGTH} characters")
        folded = password.casefold()
        if any(word in folded for word in _personal_words(forbidden_texts)):
            raise InvalidValue(field, "must not contain the e-mail address or the name")

    def ensure_strong(self, field: str, password: str, forbidden_texts: Sequence[str]) -> None:
        """Raise `InvalidValue` for a password that is not allowed or too common. Raises `TooBusy`."""
        self.ensure_allowed(field, password, forbidden_texts)
        if self._estimated_guesses(_normalized(password), forbidden_texts) < MIN_GUESSES:
            raise InvalidValue(field, "is too common or too easily guessed")

    def are_same(self, first: str, second: str) -> bool:
        """Return whether two texts are the same password after Unicode normalization."""
        return _hashable(first) == _hashable(second)

    def hash(self, password: str) -> str:
        """Return the argon2id hash of a password. Raises `TooBusy`."""
        return self._run_queued(partial(self._hasher.hash, _hashable(password)))

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether a password matches a hash. Raises `TooBusy`.

        Without a hash, return False after the same time, so that timing does not reveal whether a person exists.
        """
        try:
            self._run_queued(partial(self._hasher.verify, password_hash or DUMMY_HASH, _hashable(password)))
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was made with other than the current parameters."""
        return self._hasher.check_needs_rehash(password_hash)

    def generate(self) -> str:
        """Return a random temporary password that is easy to type from a mail."""
        return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUP_COUNT))

    def _estimated_guesses(self, password: str, forbidden_texts: Sequence[str]) -> float:
        """Return zxcvbn's estimate. Estimates run one at a time, outside the hashing threads. Raises `TooBusy`."""
        if not self._estimate_lock.acquire(timeout=within_deadline(MAX_WAIT_SECONDS)):
            raise TooBusy
        try:
            from zxcvbn import zxcvbn  # noqa: PLC0415  # takes 0.2 s to load, which most commands never need

            estimate = zxcvbn(
                password[:MAX_ESTIMATED_LENGTH], user_inputs=list(forbidden_texts), max_length=MAX_ESTIMATED_LENGTH
            )
        finally:
            self._estimate_lock.release()
        return float(estimate["guesses"])

    def _run_queued(self, work: Callable[[], R]) -> R:
        if not self._queue_slots.acquire(blocking=False):
            raise TooBusy
        try:
            future = self._threads.submit(work)
            try:
                return future.result(within_deadline(MAX_WAIT_SECONDS))
            except TimeoutError:
                if future.cancel():
                    raise TooBusy from None
                return future.result()  # it has just started
        finally:
            self._queue_slots.release()


def _normalized(password: str) -> str:
    """Normalize the encodings of different keyboards (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _hashable(password: str) -> bytes:
    """Return the bytes to hash. A lone surrogate is encoded too: such a password is wrong, not an error."""
    return _normalized(password).encode("utf-8", "surrogatepass")


def _personal_words(forbidden_texts: Sequence[str]) -> list[str]:
    words = [_normalized(text).casefold() for text in forbidden_texts]
    words += [word.split("@", 1)[0] for word in words if "@" in word]
    return [word for word in words if len(word) >= MIN_PERSONAL_WORD_LENGTH]
