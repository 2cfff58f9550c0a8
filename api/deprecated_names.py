"""Deprecated names of the public interfaces, each with its replacement. Both are accepted for one minor version.

A new entry needs its row in docs/deprecations.md. The schemas, the OpenAPI document, the response headers, the settings
and the tests read this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

DEPRECATED_AT = datetime(2026, 12, 1, tzinfo=UTC)
"""When these names are deprecated, for the header `Deprecation`."""


class Kind(StrEnum):
    """Where a deprecated name is used."""

    REQUEST_FIELD = "request field"
    QUERY_PARAMETER = "query parameter"
    RESPONSE_FIELD = "response field"
    PROBLEM_TYPE = "problem type"
    SETTING = "setting"


@dataclass(frozen=True)
class DeprecatedName:
    """A deprecated name and its replacement; None if there is none.

    `schema` is the schema of a field or parameter. A name that `has_own_type` is also declared there, with a field that
    loads values of the replacement. The type of every other name is that of its replacement.
    """

    kind: Kind
    name: str
    replacement: str | None
    schema: str = ""
    has_own_type: bool = False


DEPRECATED_NAMES = (
    DeprecatedName(Kind.REQUEST_FIELD, "limit", "sub_user_limit", "NewLimit"),
    DeprecatedName(Kind.REQUEST_FIELD, "active", "status", "SubUserPatch", has_own_type=True),
    DeprecatedName(Kind.REQUEST_FIELD, "types", "event_types", "NewWebhookBody"),
    DeprecatedName(Kind.REQUEST_FIELD, "signature", "signature_algorithm", "NewWebhookBody"),
    DeprecatedName(Kind.REQUEST_FIELD, "conversation_minutes", "conversation_ms", "UsageRow", has_own_type=True),
    DeprecatedName(Kind.QUERY_PARAMETER, "types", "event_types", "AccountEventsQuery"),
    DeprecatedName(Kind.QUERY_PARAMETER, "types", "event_types", "EventStreamQuery"),
    DeprecatedName(Kind.QUERY_PARAMETER, "end_marker", None, "ExportQuery", has_own_type=True),
    DeprecatedName(Kind.RESPONSE_FIELD, "opened_at", "created_at", "SessionRow"),
    DeprecatedName(Kind.RESPONSE_FIELD, "restricted", "must_change_password", "SessionRow"),
    DeprecatedName(Kind.RESPONSE_FIELD, "types", "event_types", "WebhookAnswer"),
    DeprecatedName(Kind.RESPONSE_FIELD, "signature", "signature_algorithm", "WebhookAnswer"),
    DeprecatedName(Kind.RESPONSE_FIELD, "disabled_why", "disabled_reason", "WebhookAnswer"),
    DeprecatedName(Kind.RESPONSE_FIELD, "error", "reason", "WebhookDeliveryRow"),
    DeprecatedName(Kind.RESPONSE_FIELD, "why_no_access", "no_access_reason", "SubUserStateAnswer"),
    *(
        DeprecatedName(Kind.RESPONSE_FIELD, "conversation_minutes", "conversation_ms", schema, has_own_type=True)
        for schema in ("UsedAnswer", "DayUsageAnswer", "SubUserUsageAnswer", "UsageOfPerson")
    ),
    DeprecatedName(Kind.RESPONSE_FIELD, "used_minutes", "used_ms", "PlanStandingAnswer", has_own_type=True),
    DeprecatedName(Kind.PROBLEM_TYPE, "answer-erased", "response-erased"),
    DeprecatedName(Kind.PROBLEM_TYPE, "tree-damaged", "merkle-tree-damaged"),
    DeprecatedName(Kind.PROBLEM_TYPE, "view-behind", "projection-behind"),
    DeprecatedName(Kind.SETTING, "SUBUSERS_PROCESSES", "SUBUSERS_SERVER_PROCESSES"),
    DeprecatedName(Kind.SETTING, "SUBUSERS_PROXIES", "SUBUSERS_TRUSTED_PROXIES"),
    DeprecatedName(Kind.SETTING, "SUBUSERS_STREAMS", "SUBUSERS_MAX_STREAMS"),
)


def deprecated_names(*kinds: Kind) -> tuple[DeprecatedName, ...]:
    """Return the deprecated names of these kinds."""
    return tuple(deprecated for deprecated in DEPRECATED_NAMES if deprecated.kind in kinds)
