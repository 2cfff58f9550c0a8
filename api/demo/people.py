"""Fictional people of the demo.

Some are hidden, deactivated or never activated, have access that expires, or still have their temporary password.
"""

from __future__ import annotations

from dataclasses import dataclass

from application.command_context import CommandContext
from domain.event_metadata import ActorType


@dataclass(frozen=True)
class Person:
    """A fictional person, with an average number of activities on working days until `left_days_ago`.

    E-mail and IP addresses are reserved for examples (RFC 2606, RFC 5737).
    """

    name: str
    surname: str
    activities_per_day: int
    ip: str
    browser: str
    left_days_ago: int = 0

    @property
    def email(self) -> str:
        """The e-mail that they log in with."""
        return f"{self.name.lower()}@example.com"

    @property
    def command_context(self) -> CommandContext:
        """The context of their logins."""
        return CommandContext(ActorType.ANONYMOUS, ip=self.ip, user_agent=self.browser)


CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

ADA = Person("Ada", "Lovelace", 5, "192.0.2.14", CHROME)
GRACE = Person("Grace", "Hopper", 3, "192.0.2.27", FIREFOX)
KATHERINE = Person("Katherine", "Johnson", 2, "198.51.100.60", CHROME)
MARGHERITA = Person("Margherita", "Hack", 1, "203.0.113.8", CHROME)
HEDY = Person("Hedy", "Lamarr", 3, "198.51.100.31", FIREFOX, left_days_ago=11)
ALAN = Person("Alan", "Turing", 0, "192.0.2.99", FIREFOX)
RITA = Person("Rita", "Levi-Montalcini", 0, "203.0.113.77", FIREFOX)

PEOPLE = (ADA, GRACE, KATHERINE, MARGHERITA, HEDY, ALAN, RITA)
ACTIVATED = (ADA, GRACE, KATHERINE, MARGHERITA, HEDY, ALAN)
WITH_OWN_PASSWORD = (ADA, GRACE, KATHERINE, MARGHERITA, HEDY)
"""People who replace their temporary password."""

EXPIRING, HIDDEN, MISTYPES_PASSWORD, DEACTIVATED = GRACE, MARGHERITA, KATHERINE, HEDY
ACCOUNT_MANAGER, CONSULTANT = KATHERINE, MARGHERITA
