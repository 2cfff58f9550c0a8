"""The account's roles as cards: what each allows, and how many sub-users have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.pages import blueprint, render_page
from api.console.roles.role_texts import role_description, role_in_words, role_name
from api.http.authentication import service
from domain.roles import MAX_ROLES

if TYPE_CHECKING:
    from flask import Response


@blueprint.page("/roles", audiences=OWNER)
def roles() -> Response:
    """Show the built-in roles and the account's own."""
    roles = service().commands.roles.list(visitor().account_id)
    catalogue = service().commands.catalogues.current()
    return render_page(
        "role_list.html",
        active="roles",
        built_in=[role for role in roles if role.built_in is not None],
        own=[role for role in roles if role.built_in is None],
        limit=MAX_ROLES,
        role_name=role_name,
        role_description=role_description,
        in_words=lambda role: role_in_words(catalogue, role.permissions),
    )
