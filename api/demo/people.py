"""Whom the demo is about: made-up people, one in every state that a sub-user can be in."""

from __future__ import annotations

from dataclasses import dataclass

from application.origin import Origin
from domain.cause import ActorType


@dataclass(frozen=True)
class Person:
    """Somebody made up. `daily` is about how much they do on a working day, until `left` days ago.

    Their addresses reach nobody: those of mails by RFC 2606, those of their networks by RFC 5737.
    """

    name: str
    surname: str
    daily: int
    ip: str
    browser: str
    left: int = 0

    @property
    def email(self) -> str:
        """What they log in with."""
        return f"{self.name.lower()}@example.com"

    @property
    def origin(self) -> Origin:
        """Where they log in from."""
        return Origin(ActorType.ANONYMOUS, ip=self.ip, user_agent=self.browser)


CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

ADA = Person("Ada", "Lovelace", 5, "192.0.2.14", CHROME)
GRACE = Person("Grace", "Hopper", 3, "192.0.2.27", FIREFOX)
KATHERINE = Person("Katherine", "Johnson", 2, "198.51.100.60", CHROME)
MARGHERITA = Person("Margherita", "Hack", 1, "203.0.113.8", CHROME)
HEDY = Person("Hedy", "Lamarr", 3, "198.51.100.31", FIREFOX, left=11)
ALAN = Person("Alan", "Turing", 0, "192.0.2.99", FIREFOX)
RITA = Person("Rita", "Levi-Montalcini", 0, "203.0.113.77", FIREFOX)

PEOPLE = (ADA, GRACE, KATHERINE, MARGHERITA, HEDY, ALAN, RITA)
ACTIVATED = (ADA, GRACE, KATHERINE, MARGHERITA, HEDY, ALAN)
SETTLED = (ADA, GRACE, KATHERINE, MARGHERITA, HEDY)
"""Those who have chosen a password of their own."""

EXPIRING, HIDDEN, MISTYPING, DEACTIVATED = GRACE, MARGHERITA, KATHERINE, HEDY
