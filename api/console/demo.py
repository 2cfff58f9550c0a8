"""Whether what a page shows is made up."""

from __future__ import annotations

from typing import Any

from api.console.pages import site
from api.console.visitors import visitor
from api.http.doors import service


def is_demo() -> bool:
    """Say whether the visitor is logged in to the demo account."""
    return visitor().is_known and visitor().account_id == service().demo_account_id


def has_demo() -> bool:
    """Say whether there is a demo account to log in to."""
    return service().demo_account_id is not None


@site.app_context_processor
def _of_demo() -> dict[str, Any]:
    """Return what pages can ask."""
    return {"is_demo": is_demo, "has_demo": has_demo}
