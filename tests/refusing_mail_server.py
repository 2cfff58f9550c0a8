"""Mail server for tests that refuses every mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.ports.mailing import MailRefused

if TYPE_CHECKING:
    from application.mail import Mail


class RefusingMailServer:
    """Mail transport that refuses every mail."""

    def send(self, mail: Mail) -> str:
        raise MailRefused(f"550 no such user: {mail.to}")
