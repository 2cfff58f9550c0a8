"""Builder for webhooks that send to receivers on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from application.command_context import CommandContext
from application.commands.webhooks import NewWebhook, Webhook
from application.webhook_url_policy import WebhookUrlPolicy
from domain.event_metadata import ActorType
from tests.builders import PORTAL, catch_up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from application.commands.webhooks import Delivery
    from tests.builders import Company
    from tests.receiver import Receiver

ANALYTICS = CommandContext(ActorType.SYSTEM, "an analytics key")
THIS_MACHINE = WebhookUrlPolicy((ip_network("127.0.0.0/8"), ip_network("::1/128")), frozenset({"localhost"}))


def allow_local_receivers(settings: Settings) -> Settings:
    """Return settings that allow webhooks to send to receivers on this machine."""
    return replace(settings, webhook_receivers=THIS_MACHINE)


@dataclass(frozen=True)
class Hook:
    """A webhook and the key with which its receiver verifies signatures."""

    service: Service
    webhook_id: UUID
    all_accounts: bool
    receiver_key: str

    @classmethod
    def to(cls, receiver: Receiver, service: Service, company: Company | None = None, **details: Any) -> Hook:
        """Create a webhook for a company's events, or for the events of all accounts."""
        account_id = company.account_id if company is not None else None
        new = NewWebhook(url=receiver.url, account_id=account_id, **details)
        webhook, secret = service.commands.webhooks.create(new, ANALYTICS if company is None else PORTAL).value
        return cls(service, webhook.webhook_id, company is None, secret)

    def state(self) -> Webhook:
        return self.service.commands.webhooks.get(self.webhook_id, all_accounts=self.all_accounts)

    def log(self) -> Sequence[Delivery]:
        """Return the delivery attempts, newest first."""
        return self.service.commands.webhooks.deliveries(
            self.webhook_id, all_accounts=self.all_accounts, limit=1000, cursor=None
        )[0]

    def replay(self, after: int) -> None:
        self.service.commands.webhooks.replay(self.webhook_id, after, ANALYTICS, all_accounts=self.all_accounts)

    def enable(self) -> None:
        self.service.commands.webhooks.enable(self.webhook_id, ANALYTICS, all_accounts=self.all_accounts)

    def delete(self) -> None:
        self.service.commands.webhooks.delete(self.webhook_id, ANALYTICS, all_accounts=self.all_accounts)


def deliver(service: Service) -> int:
    """Let the projections catch up and send every due event; return how many times a webhook was claimed."""
    catch_up(service)
    claims = 0
    while service.workers.webhook_deliveries.deliver_next():
        claims += 1
    return claims
