"""Transports that keep mails and webhook requests in memory, for `subusers.testing`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.mail.message import compose
from adapters.mail.sender import default_sender, parse_sender
from application.workers.webhook_deliveries import DeliveryResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from application.mail import Mail


@dataclass(frozen=True)
class RecordedMail:
    """A mail with its message as a mail server would have received it."""

    mail: Mail
    content: bytes = field(repr=False)


class RecordingMailTransport:
    """Composes each mail, and keeps it in `mails`."""

    def __init__(self, public_url: str) -> None:
        self.mails: list[RecordedMail] = []
        self._sender = parse_sender(default_sender(public_url))

    def send(self, mail: Mail) -> str:
        """Record a mail. Raises `MailRefused` if it cannot be composed."""
        self.mails.append(RecordedMail(mail, compose(mail, self._sender).content))
        return "recorded"


@dataclass(frozen=True)
class RecordedRequest:
    """A signed webhook request."""

    url: str = field(repr=False)
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class RecordingWebhookSender:
    """Keeps each request in `requests`, and reports that its receiver accepted it."""

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []

    def send(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout_seconds: float | None = None,  # noqa: ARG002  # nothing is sent
    ) -> DeliveryResult:
        """Record a request."""
        self.requests.append(RecordedRequest(url, dict(headers), body))
        return DeliveryResult(status=204)
