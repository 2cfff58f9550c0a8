"""Classifications of events in OCSF, the Open Cybersecurity Schema Framework (https://schema.ocsf.io)."""

from __future__ import annotations

from dataclasses import dataclass

BASE_EVENT, ACCOUNT_CHANGE, AUTHENTICATION = 0, 3001, 3002
"""Ids of classes."""

OTHER = 99
"""Id of an activity or a type that has no id of its own."""

INFORMATIONAL, LOW, MEDIUM = 1, 2, 3
"""Ids of severities."""

UNKNOWN, SUCCESS, FAILURE = 0, 1, 2
"""Ids of statuses."""


@dataclass(frozen=True)
class OcsfActivity:
    """Class, activity, severity and status. Without a name, the activity has the name of the event's action."""

    class_uid: int
    activity_id: int
    name: str | None
    severity: int = INFORMATIONAL
    status: int = SUCCESS


UNCLASSIFIED = OcsfActivity(BASE_EVENT, OTHER, None)
UNCLASSIFIED_FAILURE = OcsfActivity(BASE_EVENT, OTHER, None, status=FAILURE)
REPORTED = OcsfActivity(BASE_EVENT, OTHER, None, status=UNKNOWN)
CREATE = OcsfActivity(ACCOUNT_CHANGE, 1, "Create")
ENABLE = OcsfActivity(ACCOUNT_CHANGE, 2, "Enable")
PASSWORD_CHANGE = OcsfActivity(ACCOUNT_CHANGE, 3, "Password Change")
PASSWORD_RESET = OcsfActivity(ACCOUNT_CHANGE, 4, "Password Reset")
DISABLE = OcsfActivity(ACCOUNT_CHANGE, 5, "Disable")
DELETE = OcsfActivity(ACCOUNT_CHANGE, 6, "Delete")
LOCK = OcsfActivity(ACCOUNT_CHANGE, 9, "Lock", severity=MEDIUM)
UNLOCK = OcsfActivity(ACCOUNT_CHANGE, 12, "Unlock")
OTHER_CHANGE = OcsfActivity(ACCOUNT_CHANGE, OTHER, None)
LOGON = OcsfActivity(AUTHENTICATION, 1, "Logon")
REFUSED_LOGON = OcsfActivity(AUTHENTICATION, 1, "Logon", severity=LOW, status=FAILURE)
LOGOFF = OcsfActivity(AUTHENTICATION, 2, "Logoff")
