"""The access status of a sub-user as pages show it, and the choice of a status above the list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.console.pages import t, visitor_language, visitor_time_zone
from api.http.authentication import service
from api.presentation import times
from domain.sub_user import AccessStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from application.commands.resources import SubUserDetails

LOOKS = {
    AccessStatus.ACTIVE: ("ok", "circle-check"),
    AccessStatus.INVITED: ("idle", "mail"),
    AccessStatus.EXPIRING: ("warn", "calendar-clock"),
    AccessStatus.LOCKED: ("bad", "triangle-alert"),
    AccessStatus.EXPIRED: ("bad", "circle-x"),
    AccessStatus.INACTIVE: ("bad", "circle-slash"),
}
"""Class and icon of each status."""


@dataclass(frozen=True)
class ShownStatus:
    """An access status: the text carries its meaning, class and icon repeat it."""

    status: AccessStatus
    label: str

    @property
    def look(self) -> str:
        """The class of the chip."""
        return LOOKS[self.status][0]

    @property
    def icon(self) -> str:
        """The name of the icon."""
        return LOOKS[self.status][1]


@dataclass(frozen=True)
class StatusTab:
    """A link above the list that shows the people with one status, or all of them if it is None."""

    status: AccessStatus | None
    label: str
    count: int
    url: str = field(repr=False)
    is_current: bool


def shown_status(sub_user: SubUserDetails) -> ShownStatus:
    """Return the present access status of a sub-user."""
    now = service().clock()
    status = sub_user.access_status(now)
    if status != AccessStatus.EXPIRING or sub_user.access_expires_at is None:
        return ShownStatus(status, t(f"sub_users.access.{status}"))
    today, last_day = (
        times.to_zone(moment, visitor_time_zone()).date() for moment in (now, sub_user.access_expires_at)
    )
    if today == last_day:
        return ShownStatus(status, t("sub_users.access.expires_today"))
    return ShownStatus(status, t("sub_users.access.expires_on", day=times.format_weekday(last_day, visitor_language())))


def status_tabs(
    counts: Mapping[AccessStatus, int], current: AccessStatus | None, list_url: Callable[..., str]
) -> Sequence[StatusTab]:
    """Return the tabs: all, and each status that someone has or that is chosen."""
    statuses = [status for status in AccessStatus if counts[status] or status == current]
    everyone = StatusTab(None, t("sub_users.any"), sum(counts.values()), list_url(status=None), current is None)
    return [
        everyone,
        *(
            StatusTab(status, t(f"sub_users.tab.{status}"), counts[status], list_url(status=status), status == current)
            for status in statuses
        ),
    ]
