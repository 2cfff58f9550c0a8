"""The ids of the visitor's browser as a device of people, in a cookie that outlasts their sessions.

The browser has another id for each person who signs in with it. Each is signed for its person: nobody can plant an id
in the browser of somebody else, to sign in as them later from a device that is then known.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING

from flask import g, request

from api.console.cookies import DEVICE, set_cookie
from api.http.authentication import service

if TYPE_CHECKING:
    from uuid import UUID

ID_BYTES = 16
MAX_PEOPLE = 10
"""People whose ids a browser keeps: those who signed in last."""

SEPARATOR = "~"
ENTRY = re.compile(r"[A-Za-z0-9_-]{22}\.[0-9a-f]{64}")
"""An id and its signature."""


def device_id_of(person_id: UUID) -> str:
    """Return the id of the visitor's browser as a device of a person, a new one if it has none."""
    ids: dict[UUID, str] = g.setdefault("device_ids", {})
    if person_id not in ids:
        known = (entry.partition(".")[0] for entry in _entries() if _is_signed_for(person_id, entry))
        ids[person_id] = next(known, None) or secrets.token_urlsafe(ID_BYTES)
    return ids[person_id]


def remember_device(person_id: UUID) -> None:
    """Store the id of the visitor's browser as a device of a person, who has signed in."""
    device_id = device_id_of(person_id)
    entry = f"{device_id}.{_signature(person_id, device_id)}"
    others = [other for other in _entries() if not hmac.compare_digest(other.encode(), entry.encode())]
    set_cookie(DEVICE, SEPARATOR.join([entry, *others][:MAX_PEOPLE]))


def _entries() -> list[str]:
    """Return the entries of the cookie, whose signatures are not verified."""
    return [entry for entry in request.cookies.get(DEVICE.name, "").split(SEPARATOR) if ENTRY.fullmatch(entry)]


def _is_signed_for(person_id: UUID, entry: str) -> bool:
    device_id, _, signature = entry.partition(".")
    return hmac.compare_digest(signature, _signature(person_id, device_id))


def _signature(person_id: UUID, device_id: str) -> str:
    return service().keyed_hasher.hash("device cookie", str(person_id), device_id).hex()
