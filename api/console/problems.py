"""What can be wrong with a visit that cannot be wrong with a request of the HTTP interface."""

from __future__ import annotations

from http import HTTPStatus

from api.console.visitors import visitor
from api.http.problems import Problem


def not_for_you() -> Problem:
    """Return the problem of a page that is for somebody else who is logged in."""
    code = "for-sub-users" if visitor().is_owner else "for-owners"
    return Problem(HTTPStatus.FORBIDDEN, code, "This page is for somebody else.")
