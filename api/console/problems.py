"""Problems that only console pages have."""

from __future__ import annotations

from http import HTTPStatus

from api.console.current_user import visitor
from api.http.problems import Problem


def wrong_audience() -> Problem:
    """Return the problem of a page that is not for the visitor's audience."""
    code = "for-sub-users" if visitor().acts_for_account else "for-owners"
    return Problem(HTTPStatus.FORBIDDEN, code, "This page is not for you.")
