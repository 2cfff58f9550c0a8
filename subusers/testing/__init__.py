"""A service for the tests of portals: real, temporary, and reset between tests.

The service runs in a process of its own. Importing this package imports nothing of the service.
"""

from __future__ import annotations

from subusers.testing.service import SubUser, SubusersService
from subusers.testing.transmissions import Mail, WebhookRequest

__all__ = ["Mail", "SubUser", "SubusersService", "WebhookRequest"]
