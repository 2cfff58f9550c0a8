"""Template helpers for the demo account."""

from __future__ import annotations

from typing import Any

from api.console.current_user import visitor
from api.console.pages import blueprint
from api.http.authentication import service


def is_demo() -> bool:
    """Return whether the visitor is logged in to the demo account."""
    return visitor().is_logged_in and visitor().account_id == service().demo_account_id


def has_demo() -> bool:
    """Return whether there is a demo account."""
    return service().demo_account_id is not None


@blueprint.app_context_processor
def _demo_context() -> dict[str, Any]:
    return {"is_demo": is_demo, "has_demo": has_demo}
