"""Classifications of events in OCSF, the Open Cybersecurity Schema Framework (https://schema.ocsf.io)."""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT_CHANGE, AUTHENTICATION, ENTITY_MANAGEMENT = 3001, 3002, 3004
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


UNCLASSIFIED = OcsfActivity(ENTITY_MANAGEMENT, OTHER, None)
UNCLASSIFIED_FAILURE = OcsfActivity(ENTITY_MANAGEMENT, OTHER, None, status=FAILURE)
REPORTED = OcsfActivity(ENTITY_MANAGEMENT, OTHER, None, status=UNKNOWN)
CREATE_ENTITY = OcsfActivity(ENTITY_MANAGEMENT, 1, "Create")
READ_ENTITY = OcsfActivity(ENTITY_MANAGEMENT, 2, "Read")
UPDATE_ENTITY = OcsfActivity(ENTITY_MANAGEMENT, 3, "Update")
DELETE_ENTITY = OcsfActivity(ENTITY_MANAGEMENT, 4, "Delete")
ENABLE_ENTITY = OcsfActivity(ENTITY_MANAGEMENT, 8, "Enable")
DISABLE_ENTITY = OcsfActivity(ENTITY_MANAGEMENT, 9, "Disable")
CREATE = OcsfActivity(ACCOUNT_CHANGE, 1, "Create")
ENABLE = OcsfActivity(ACCOUNT_CHANGE, 2, "Enable")
PASSWORD_CHANGE = OcsfActivity(ACCOUNT_CHANGE, 3, "Password Change")
PASSWORD_RESET = OcsfActivity(ACCOUNT_CHANGE, 4, "Password Reset")
DISABLE = OcsfActivity(ACCOUNT_CHANGE, 5, "Disable")
DELETE = OcsfActivity(ACCOUNT_CHANGE, 6, "Delete")
ATTACH_POLICY = OcsfActivity(ACCOUNT_CHANGE, 7, "Attach Policy")
DETACH_POLICY = OcsfActivity(ACCOUNT_CHANGE, 8, "Detach Policy")
LOCK = OcsfActivity(ACCOUNT_CHANGE, 9, "Lock", severity=MEDIUM)
UNLOCK = OcsfActivity(ACCOUNT_CHANGE, 12, "Unlock")
ENABLE_FACTOR = OcsfActivity(ACCOUNT_CHANGE, 10, "MFA Factor Enable")
DISABLE_FACTOR = OcsfActivity(ACCOUNT_CHANGE, 11, "MFA Factor Disable")
OTHER_CHANGE = OcsfActivity(ACCOUNT_CHANGE, OTHER, None)
LOGON = OcsfActivity(AUTHENTICATION, 1, "Logon")
REFUSED_LOGON = OcsfActivity(AUTHENTICATION, 1, "Logon", severity=LOW, status=FAILURE)
NEW_DEVICE = OcsfActivity(AUTHENTICATION, OTHER, None, severity=LOW)
LOGOFF = OcsfActivity(AUTHENTICATION, 2, "Logoff")
