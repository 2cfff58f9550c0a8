"""Deletion of the counters of failed logins, whose keys are hashes of e-mails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.email_hashes import owner_email_hash
from application.throttle_keys import identity_key
from application.transactional_writes import ForgetFailedAttempts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.vault import PersonKey
    from application.repository import MainAccounts
    from domain.main_account import MainAccount


def identities_of_sub_user(
    accounts: MainAccounts,
    keyed_hasher: KeyedHasher,
    account: MainAccount,
    owner_key: PersonKey,
    sub_user_id: UUID,
    sub_user_key: PersonKey,
) -> set[bytes]:
    """Return the identity keys of a sub-user with every e-mail that they have had."""
    account_email_hash = owner_email_hash(keyed_hasher, owner_key, account)
    encrypted_emails = {contact.email for contact in accounts.contacts(account.id, sub_user_id)}
    emails = [sub_user_key.decrypt("email", encrypted_email) for encrypted_email in encrypted_emails]
    return {identity_key(keyed_hasher, account_email_hash, keyed_hasher.email(email)) for email in emails}


def forget_attempts(identities: Iterable[bytes]) -> list[ForgetFailedAttempts]:
    """Return the writes that delete the counters of these identities, in the order in which rows are locked."""
    return [ForgetFailedAttempts(identity) for identity in sorted(identities)]
