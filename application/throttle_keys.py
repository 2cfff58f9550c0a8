"""Throttle keys of login attempts, and the number of failures that each key allows.

All keys are keyed hashes, so they reveal neither e-mail addresses nor IP addresses.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.ports.throttle import AttemptKeys, ThrottleKey, ThrottleScope
from domain.main_account import LOCKING_FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from application.ports.keyed_hasher import KeyedHasher

OWNER = "the owner"
"""Placeholder for the hash of a sub-user's e-mail in the keys of an owner. No hash has this value."""

SECOND_FACTOR = "second factor"
"""Purpose of the keys of attempts to verify a second factor."""

OWN_NETWORK_LIMIT = 5
"""Consecutive failures on one person from one network before the first wait."""


@dataclass(frozen=True)
class Prefix:
    """Length of a network prefix that groups clients, and the number of failures that a group may have.

    `per_person` limits consecutive failures on one person, `per_minute` failures on all people.
    """

    length: int
    per_person: int
    per_minute: int | None


IPV6_PREFIXES = (Prefix(64, OWN_NETWORK_LIMIT, None), Prefix(56, 10, 30), Prefix(48, 20, 120))
"""Providers typically assign a /56 to one customer, so it counts as one client."""

IPV4_PREFIXES = (Prefix(32, OWN_NETWORK_LIMIT, 30), Prefix(24, 20, 120))
UNKNOWN_ADDRESS = Prefix(0, OWN_NETWORK_LIMIT, None)

PASSWORD_CHANGE_ATTEMPTS_PER_HOUR = 30

PASSWORD_RESETS_PER_HOUR = 5
"""Requests to reset one person's password, each of which can mail them a link."""


def sub_user_keys(keyed_hasher: KeyedHasher, account_email_hash: str, email_hash: str, ip: str | None) -> AttemptKeys:
    """Return the keys of a login as a sub-user. The sub-user need not exist."""
    return _attempt_keys(keyed_hasher, "login", [account_email_hash, email_hash], "ip", ip)


def owner_keys(keyed_hasher: KeyedHasher, account_email_hash: str, ip: str | None) -> AttemptKeys:
    """Return the keys of a login as an account's owner. The account need not exist."""
    return sub_user_keys(keyed_hasher, account_email_hash, OWNER, ip)


def second_factor_keys(keyed_hasher: KeyedHasher, person_id: UUID, ip: str | None) -> AttemptKeys:
    """Return the keys of an attempt to verify a second factor. They are counted apart from passwords."""
    return _attempt_keys(keyed_hasher, SECOND_FACTOR, [str(person_id)], "second factor ip", ip)


def passkey_keys(keyed_hasher: KeyedHasher, credential_id: bytes, ip: str | None) -> AttemptKeys:
    """Return the keys of a login with a passkey. The passkey need not exist."""
    return _attempt_keys(keyed_hasher, "passkey", [credential_id.hex()], "second factor ip", ip)


def second_factor_identity_key(keyed_hasher: KeyedHasher, person_id: UUID) -> bytes:
    """Return the identity key of a person's second factors."""
    return keyed_hasher.hash(SECOND_FACTOR, str(person_id))


def password_change_keys(keyed_hasher: KeyedHasher, person_id: UUID) -> AttemptKeys:
    """Return the keys of a person's attempts to change their own password."""
    person = str(person_id)
    failures = keyed_hasher.hash("login from", "own password", person, "")
    attempts = keyed_hasher.hash("password changes", person)
    counters = [
        ThrottleKey(failures, ThrottleScope.OWN_NETWORK, OWN_NETWORK_LIMIT),
        ThrottleKey(attempts, ThrottleScope.ATTEMPTS, PASSWORD_CHANGE_ATTEMPTS_PER_HOUR),
    ]
    return AttemptKeys(failures, _sorted_by_key(counters))


def password_reset_keys(
    keyed_hasher: KeyedHasher, account_email_hash: str, email_hash: str, ip: str | None
) -> AttemptKeys:
    """Return the keys of requests to reset a password. The person need not exist. Logins have keys of their own."""
    identity = keyed_hasher.hash("password resets", account_email_hash, email_hash)
    counters = [ThrottleKey(identity, ThrottleScope.ATTEMPTS, PASSWORD_RESETS_PER_HOUR)]
    for network, prefix in _networks(ip):
        if prefix.per_minute is not None:
            key = keyed_hasher.hash("password resets from", network)
            counters.append(ThrottleKey(key, ThrottleScope.CLIENT, prefix.per_minute))
    return AttemptKeys(identity, _sorted_by_key(counters))


def identity_key(keyed_hasher: KeyedHasher, account_email_hash: str, email_hash: str) -> bytes:
    """Return the identity key of a sub-user."""
    return keyed_hasher.hash("login", account_email_hash, email_hash)


def identity_keys(keyed_hasher: KeyedHasher, account_email_hash: str, emails: Iterable[str]) -> list[bytes]:
    """Return the identity keys of a sub-user with these e-mails, in the order in which their rows are locked."""
    return sorted(identity_key(keyed_hasher, account_email_hash, keyed_hasher.email(email)) for email in emails)


def owner_identity_key(keyed_hasher: KeyedHasher, account_email_hash: str) -> bytes:
    """Return the identity key of an account's owner."""
    return identity_key(keyed_hasher, account_email_hash, OWNER)


def unknown_sub_users_key(keyed_hasher: KeyedHasher, account_email_hash: str) -> ThrottleKey:
    """Return the key that counts failed logins to an account with an unknown sub-user e-mail."""
    return ThrottleKey(
        keyed_hasher.hash("login", account_email_hash, "nobody known"), ThrottleScope.TALLY, LOCKING_FAILURES
    )


def _attempt_keys(
    keyed_hasher: KeyedHasher, purpose: str, person: Sequence[str], client_purpose: str, ip: str | None
) -> AttemptKeys:
    """Return the keys of an attempt on a person. `client_purpose` is that of the counters of clients."""
    identity = keyed_hasher.hash(purpose, *person)
    counters = [ThrottleKey(identity, ThrottleScope.IDENTITY, LOCKING_FAILURES)]
    for index, (network, prefix) in enumerate(_networks(ip)):
        scope = ThrottleScope.NETWORK if index else ThrottleScope.OWN_NETWORK
        key = keyed_hasher.hash(f"{purpose} from", *person, network)
        counters.append(ThrottleKey(key, scope, prefix.per_person))
        if prefix.per_minute is not None:
            client = keyed_hasher.hash(client_purpose, network)
            counters.append(ThrottleKey(client, ThrottleScope.CLIENT, prefix.per_minute))
    return AttemptKeys(identity, _sorted_by_key(counters))


def _networks(ip: str | None) -> list[tuple[str, Prefix]]:
    """Return the networks of an address, narrowest first."""
    if ip is None:
        return [("", UNKNOWN_ADDRESS)]
    if isinstance(ipaddress.ip_address(ip), ipaddress.IPv4Address):
        single_address, *wider = IPV4_PREFIXES
        return [(ip, single_address), *((_network(ip, prefix), prefix) for prefix in wider)]
    return [(_network(ip, prefix), prefix) for prefix in IPV6_PREFIXES]


def _network(ip: str, prefix: Prefix) -> str:
    return str(ipaddress.ip_network(f"{ip}/{prefix.length}", strict=False))


def _sorted_by_key(counters: list[ThrottleKey]) -> tuple[ThrottleKey, ...]:
    return tuple(sorted(counters, key=lambda counter: counter.key))
