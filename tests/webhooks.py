"""Webhooks for tests: made by the service, and sent to receivers on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from application.origin import Origin
from application.webhook_receivers import Receivers
from application.webhooks import NewWebhook, Webhook
from domain.cause import ActorType
from tests.people import PORTAL, catch_up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.bootstrap import Service
    from api.config import Settings
    from application.webhooks import Delivery
    from tests.people import Company
    from tests.receiver import Receiver

ANALYTICS = Origin(ActorType.SYSTEM, "an analytics key")
THIS_MACHINE = Receivers((ip_network("127.0.0.0/8"), ip_network("::1/128")), frozenset({"localhost"}))


def allowing_this_machine(settings: Settings) -> Settings:
    """Return the settings of a service that may send to receivers on this machine."""
    return replace(settings, webhook_receivers=THIS_MACHINE)


@dataclass(frozen=True)
class Hook:
    """A webhook, and what its receiver was shown to verify with."""

    service: Service
    webhook_id: UUID
    of_all: bool
    shown: str

    @classmethod
    def to(cls, receiver: Receiver, service: Service, company: Company | None = None, **details: Any) -> Hook:
        """Make one, of a company's events or of all."""
        account_id = company.account_id if company is not None else None
        new = NewWebhook(url=receiver.url, account_id=account_id, **details)
        webhook, shown = service.webhooks.create(new, ANALYTICS if company is None else PORTAL).value
        return cls(service, webhook.webhook_id, company is None, shown)

    def state(self) -> Webhook:
        return self.service.webhooks.show(self.webhook_id, of_all=self.of_all)

    def log(self) -> Sequence[Delivery]:
        """Return what became of every attempt, newest first."""
        return self.service.webhooks.deliveries(self.webhook_id, of_all=self.of_all, limit=1000, cursor=None)[0]

    def replay(self, after: int) -> None:
        self.service.webhooks.replay(self.webhook_id, after, ANALYTICS, of_all=self.of_all)

    def enable(self) -> None:
        self.service.webhooks.enable(self.webhook_id, ANALYTICS, of_all=self.of_all)

    def delete(self) -> None:
        self.service.webhooks.delete(self.webhook_id, ANALYTICS, of_all=self.of_all)


def deliver(service: Service) -> int:
    """Have the views follow, and send whatever is due now; return how many turns that took."""
    catch_up(service)
    turns = 0
    while service.webhook_deliveries.deliver_next():
        turns += 1
    return turns
