"""Commands that `SubusersService` sends to the process of the service."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from application.command_context import CommandContext
from application.commands.api_keys import Scope
from application.commands.audit_access import OPERATOR
from domain.event_metadata import ActorType
from projections.runtime.freshness import Freshness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from api.bootstrap.service import Service
    from api.bootstrap.testing.recorders import RecordingMailTransport, RecordingWebhookSender
    from api.bootstrap.testing.store import SavedState

BY_OPERATOR = CommandContext(ActorType.SYSTEM, OPERATOR)


class AdvancingClock:
    """Clock that shows the current time plus an offset."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        """Return the time that the service sees."""
        return datetime.now(UTC) + self.offset


class Controls:
    """Commands that `SubusersService` sends, as methods."""

    def __init__(
        self,
        service: Service,
        clock: AdvancingClock,
        mails: RecordingMailTransport,
        requests: RecordingWebhookSender,
        saved_state: SavedState,
    ) -> None:
        self._service = service
        self._clock = clock
        self._mails = mails
        self._requests = requests
        self._saved_state = saved_state
        self.commands: Mapping[str, Callable[..., Any]] = {
            "reset": self.reset,
            "mails": self.mails,
            "webhooks": self.webhooks,
            "create_api_key": self.create_api_key,
            "revoke_api_key": self.revoke_api_key,
            "advance_clock": self.advance_clock,
        }

    def prepare(self) -> str:
        """Create a portal key and save the state that `reset` restores. Return the key."""
        service = self._service
        api_key = self.create_api_key("portal", "tests")
        key = service.commands.api_keys.find(api_key)
        if key is not None:
            service.commands.api_keys.record_use(key, self._clock())
        self._wait_for_views()
        service.workers.checkpointer.sign_now()  # exports refer to a checkpoint
        self._saved_state.save()
        return api_key

    def reset(self) -> None:
        """Restore the saved state."""
        self._saved_state.restore()
        self._service.lineage.forget_position()
        self._service.commands.catalogues.forget()
        self._clock.offset = timedelta()
        self._mails.mails.clear()
        self._requests.requests.clear()

    def mails(self) -> list[dict[str, Any]]:
        """Return the mails since the last reset."""
        self._work()
        return [
            {
                "kind": str(recorded.mail.kind),
                "to": recorded.mail.to,
                "temporary_password": recorded.mail.password,
                "link": recorded.mail.link.url if recorded.mail.link is not None else None,
                "content": _encode(recorded.content),
            }
            for recorded in self._mails.mails
        ]

    def webhooks(self) -> list[dict[str, Any]]:
        """Return the webhook requests since the last reset."""
        self._work()
        return [
            {"url": request.url, "headers": request.headers, "body": _encode(request.body)}
            for request in self._requests.requests
        ]

    def create_api_key(self, scope: str, name: str) -> str:
        """Create an API key without limits, and return it."""
        return self._service.commands.api_keys.create(Scope(scope), name, BY_OPERATOR)

    def revoke_api_key(self, api_key: str) -> None:
        """Revoke an API key. Do nothing if it is unknown or revoked."""
        key = self._service.commands.api_keys.find(api_key)
        if key is not None:
            self._service.commands.api_keys.revoke(key.api_key_id, BY_OPERATOR)

    def advance_clock(self, seconds: float) -> None:
        """Let time pass for the service."""
        self._clock.offset += timedelta(seconds=seconds)

    def _work(self) -> None:
        """Do the work that `subusers work` does in the background: mails, usage thresholds and webhooks."""
        service = self._service
        self._wait_for_views()
        while service.workers.mailer.send_next():
            pass
        while service.commands.usage.check_next():
            pass
        self._wait_for_views()
        self._saved_state.make_webhooks_due(self._clock())
        while service.workers.webhook_deliveries.deliver_next():
            pass

    def _wait_for_views(self) -> None:
        freshness = Freshness(self._service.database)
        for view in self._service.workers.views:
            freshness.wait_for_view(view.name)


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()
