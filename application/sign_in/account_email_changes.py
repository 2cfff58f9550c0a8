"""Change of the main account's e-mail in two steps, and its undoing.

The new address confirms the change with a mailed link. The former one is told, still works for sign-in, and can undo
the change. The vault entry of the owner encrypts the links' secrets, also of those that are mailed to other addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.data_keys import load_owner_entry
from application.email_hashes import directory_writes
from application.sign_in.mailed_links import NewLink, find_link, find_link_account
from application.transactional_writes import ReleaseFormerEmail, TransactionalWrite
from domain.mails import LinkPurpose
from domain.refusals import AccountNotFound, LinkInvalid

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from application.command_context import CommandContext
    from application.ports.clock import Clock
    from application.ports.keyed_hasher import KeyedHasher
    from application.ports.sign_in.mailed_links import MailedLink, MailedLinks
    from application.ports.vault import Vault, VaultEntry
    from application.repository import MainAccounts, Outcome
    from domain.event_metadata import EventMetadata
    from domain.main_account import MainAccount


@dataclass(frozen=True)
class AccountEmailChanges:
    """Commands with the links that are mailed when an account's e-mail changes."""

    accounts: MainAccounts
    vault: Vault
    keyed_hasher: KeyedHasher
    links: MailedLinks
    clock: Clock

    def find_account_id(self, secret: str, purpose: LinkPurpose) -> UUID | None:
        """Return the account of a link, if the link is valid."""
        return find_link_account(self.links, secret, purpose, self.clock())

    def confirm(self, secret: str, context: CommandContext) -> Outcome[None]:
        """Change the e-mail of the account to the address to which the link was mailed.

        Raises `LinkInvalid`, `AccountEmailTaken` or `TooManyEmailChanges`.
        """

        def confirm(
            account: MainAccount, entry: VaultEntry, link: MailedLink, at: datetime, metadata: EventMetadata
        ) -> list[TransactionalWrite]:
            account.confirm_email(link.caused_by, at=at, metadata=metadata)
            return email_change_writes(self.keyed_hasher, account, entry, at)

        return self._use(secret, LinkPurpose.EMAIL_CONFIRMATION, context, confirm)

    def undo(self, secret: str, context: CommandContext) -> Outcome[None]:
        """Restore the address to which the link was mailed, and end the owner's sessions. Raises `LinkInvalid`."""

        def undo(
            account: MainAccount, entry: VaultEntry, link: MailedLink, at: datetime, metadata: EventMetadata
        ) -> list[TransactionalWrite]:
            account.undo_email_change(link.caused_by, at=at, metadata=metadata)
            return directory_writes(self.keyed_hasher, entry.key, account, at)

        return self._use(secret, LinkPurpose.EMAIL_UNDO, context, undo)

    def _use(
        self,
        secret: str,
        purpose: LinkPurpose,
        context: CommandContext,
        use: Callable[[MainAccount, VaultEntry, MailedLink, datetime, EventMetadata], list[TransactionalWrite]],
    ) -> Outcome[None]:
        """Use a link. Of two clients that use it at the same time, the second is decided again and refused."""
        account_id = find_link(self.links, secret, purpose, self.clock()).account_id
        metadata_context = context.by_owner(account_id)

        def decide(account: MainAccount) -> tuple[None, list[TransactionalWrite]]:
            at = self.clock()
            link = find_link(self.links, secret, purpose, at)
            entry = load_owner_entry(self.vault, account_id)
            return None, use(account, entry, link, at, metadata_context.encrypted_with(entry.key))

        try:
            return self.accounts.change(account_id, decide)
        except AccountNotFound:  # erased in the meantime
            raise LinkInvalid from None


def email_change_writes(
    keyed_hasher: KeyedHasher, account: MainAccount, entry: VaultEntry, at: datetime
) -> list[TransactionalWrite]:
    """Return the writes of a change of the account's e-mail that has just been recorded.

    They update the directory, and store the link that is mailed to the former address. `entry` is that of the owner.
    """
    email_hash = keyed_hasher.email(entry.key.decrypt("email", account.owner_email.current))
    former = account.owner_email.former[-1]
    undo_link = NewLink(LinkPurpose.EMAIL_UNDO, entry.account_id, entry.person_id, entry.key, former.kept_until)
    return [
        ReleaseFormerEmail(email_hash, at),
        *directory_writes(keyed_hasher, entry.key, account, at),
        undo_link.as_write(former.version),
    ]
