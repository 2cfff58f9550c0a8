"""What the service has sent: mails and webhook requests."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage


@dataclass(frozen=True)
class Mail:
    """A mail to a sub-user or an owner.

    `kind` is `activation`, `reactivation`, `send_again`, `reset`, `invitation`, `password_changed`, `email_changed` or
    that of a security notice, such as `password_reset`. `content` is the message that a mail server would have
    received. `temporary_password` and `link`, the URL that is good once, are None if the mail has none.
    """

    kind: str
    to: str
    temporary_password: str | None = field(repr=False)
    link: str | None = field(repr=False)
    content: bytes = field(repr=False)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Mail:
        """Return the mail in a response of the service's process."""
        return cls(**{**value, "content": base64.b64decode(value["content"])})

    @property
    def link_token(self) -> str | None:
        """The last part of the link, with which a portal completes a password reset or an invitation."""
        return self.link.rpartition("/")[2] if self.link is not None else None

    @cached_property
    def message(self) -> EmailMessage:
        """The parsed message."""
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def subject(self) -> str:
        """The subject."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML text."""
        return self._part("html")

    def _part(self, subtype: str) -> str:
        part = self.message.get_body([subtype])
        return str(part.get_content()) if part is not None else ""


@dataclass(frozen=True)
class WebhookRequest:
    """A signed request to a webhook's receiver. Pass `headers` and `body` to the portal's own receiver to test it."""

    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> WebhookRequest:
        """Return the request in a response of the service's process."""
        return cls(value["url"], value["headers"], base64.b64decode(value["body"]))

    @property
    def event(self) -> dict[str, Any]:
        """The event in the body."""
        event: dict[str, Any] = json.loads(self.body)
        return event
