"""Construction of the transports of mails and webhooks and of the message broker from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.mail.files import FileTransport
from adapters.mail.sender import default_sender, parse_sender
from adapters.mail.smtp import SmtpTransport
from adapters.webhooks.sender import WebhookSender
from api.bootstrap.config import ConfigError, Settings

if TYPE_CHECKING:
    from adapters.amqp.rabbitmq import RabbitMq
    from application.ports.mailing import MailTransport
    from application.workers.webhook_deliveries import Sender


@dataclass(frozen=True)
class Transports:
    """How mails and webhook requests leave the service."""

    mails: MailTransport
    webhooks: Sender


def build_transports(settings: Settings) -> Transports:
    """Return the transports that the settings select. Raises `ConfigError`."""
    return Transports(build_mail_transport(settings), WebhookSender(settings.webhook_receivers))


def build_mail_transport(settings: Settings) -> MailTransport:
    """Return the SMTP transport, or one that writes files if no mail server is configured. Raises `ConfigError`."""
    sender = settings.mail_from or default_sender(settings.public_url)
    try:
        parse_sender(sender)
    except ValueError as error:
        msg = f"SUBUSERS_MAIL_FROM: {error}"
        raise ConfigError(msg) from None
    if settings.smtp_url is None:
        return FileTransport(settings.mail_folder, sender=sender, branding=settings.branding)
    try:
        return SmtpTransport(settings.smtp_url, sender=sender, branding=settings.branding)
    except ValueError as error:
        msg = f"SUBUSERS_SMTP_URL: {error}"
        raise ConfigError(msg) from None


def build_message_broker(settings: Settings) -> RabbitMq | None:
    """Return the message broker, or None if none is configured. Raises `ConfigError`."""
    if settings.broker_url is None:
        return None
    from adapters.amqp.rabbitmq import RabbitMq  # noqa: PLC0415  # loaded only with a broker, to start faster

    try:
        return RabbitMq(settings.broker_url)
    except ValueError as error:
        msg = f"SUBUSERS_BROKER_URL: {error}"
        raise ConfigError(msg) from None
