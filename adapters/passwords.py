"""Passwords: what is accepted, how it is hashed, and how many are hashed at a time."""

from __future__ import annotations

import ctypes
import mmap
import secrets
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from application.errors import InvalidValue, TooBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

R = TypeVar("R")

SHORTEST = 15
LONGEST = 128
"""NIST SP 800-63B-4, 3.1.1.2: at least 15 where a password stands alone; at least 64 must be allowed."""

TELLING = 4
"""From so many characters on, a word about somebody must not be in their password."""

GUESSED_EASILY = 10**6
"""Below so many guesses (zxcvbn's estimate) a password counts as common."""

READ_BY_ZXCVBN = 24
"""Characters of a password that zxcvbn reads: its time grows so steeply that 72 chosen well cost seconds. What comes
after can only make a password harder to guess."""

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""For generated passwords: nothing in it is mistaken for something else when typed from a mail."""

GROUPS = 5
GROUP_LENGTH = 5
"""25 characters of 31: 123 bits."""

A_HASH_AT_MOST = 24 * 2**20
"""Bytes: the 19 MiB of a hash, and some more, as what else is on a thread's heap may move them."""

LONGEST_WAIT = 8.0
"""Seconds that a hash waits for its turn before the request is told to come again."""

LONGEST_QUEUE = 256
"""Hashes that wait at the most: at some 20 ms each they are done within `LONGEST_WAIT` on one core."""


class Argon2Passwords:
    """argon2id with OWASP's parameters, so many at a time as there are cores, in the order in which they are asked for.

    That many threads do nothing else: each hashes in the memory that it had for the one before, where threads that took
    turns would each have 19 MiB of their own, and take a tenth longer to go through them.

    Several processes share the cores out among them beforehand: locks that they would have in common could not be had
    in order, and would outlast a process that stands still.
    """

    def __init__(self, cores: int) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="passwords", initializer=_hash_in_huge_pages)
        self._places = threading.BoundedSemaphore(LONGEST_QUEUE)
        self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe())

    def require_good(self, field: str, password: str, about: Sequence[str]) -> None:
        """Raise `InvalidValue` for a password that is too short, too long, common, or tells of its owner."""
        password = _normalized(password)
        if not SHORTEST <= len(password) <= LONGEST:
            raise InvalidValue(field, f"must have {SHORTEST} to {LONGEST} characters")
        folded = password.casefold()
        if any(word in folded for word in _words(about)):
            raise InvalidValue(field, "must not contain the e-mail address or the name")
        read = partial(zxcvbn, password[:READ_BY_ZXCVBN], user_inputs=list(about), max_length=READ_BY_ZXCVBN)
        estimate = self._in_turn(read)
        if estimate["guesses"] < GUESSED_EASILY:
            raise InvalidValue(field, "is too common or too easily guessed")

    def hash(self, password: str) -> str:
        """Return the hash to keep. Raises `TooBusy`."""
        return self._in_turn(partial(self._hasher.hash, _hashable(password)))

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Say whether it is the one. With no hash the answer is no, after the same time. Raises `TooBusy`."""
        try:
            self._in_turn(partial(self._hasher.verify, password_hash or self._nobodys_hash, _hashable(password)))
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def generate(self) -> str:
        """Return a temporary password that nobody can guess, and that can be typed from a mail."""
        return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))

    def _in_turn(self, work: Callable[[], R]) -> R:
        if not self._places.acquire(blocking=False):
            raise TooBusy
        try:
            turn = self._threads.submit(work)
            try:
                return turn.result(LONGEST_WAIT)
            except TimeoutError:
                if turn.cancel():
                    raise TooBusy from None
                return turn.result()  # its turn came at the last moment
        finally:
            self._places.release()


def _hash_in_huge_pages() -> None:
    """Have the memory of this thread's hashes be in pages of 2 MiB, where the C library is GNU's and the system Linux.

    What argon2 reads of it is in no cache, by design; in pages of 4 KiB neither is where to find it. The library takes
    a block of this size from the system, and from its thread's heap once one was given back: then it is the same place
    each time, and that place is marked. Elsewhere this does no harm, and no good.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    library = ctypes.CDLL(None)
    library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.free(library.malloc(A_HASH_AT_MOST))
    block = library.malloc(A_HASH_AT_MOST)
    if block is None:  # as little memory as that is told where a hash needs it
        return
    begin = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
    library.madvise(begin, A_HASH_AT_MOST - mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
    library.free(block)


def _normalized(password: str) -> str:
    """Return the password as every keyboard would send it (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _hashable(password: str) -> bytes:
    """Return the password's bytes, even where it holds half of a character (a lone surrogate): that is merely wrong."""
    return _normalized(password).encode("utf-8", "surrogatepass")


def _words(about: Sequence[str]) -> list[str]:
    words = [_normalized(text).casefold() for text in about]
    words += [word.split("@", 1)[0] for word in words if "@" in word]
    return [word for word in words if len(word) >= TELLING]
