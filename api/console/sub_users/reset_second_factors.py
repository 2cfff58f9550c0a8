"""Reset of a sub-user's second factors, after a confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.current_user import OWNER, visitor
from api.console.pages import blueprint, redirect_to, render_page
from api.console.sub_users.form import find_sub_user, message_values
from api.http.authentication import service
from api.presentation.full_name import full_name

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response


@blueprint.page("/sub-users/<uuid:sub_user_id>/second-factors/reset", audiences=OWNER)
def confirm_second_factor_reset(sub_user_id: UUID) -> Response:
    """Show what the reset does."""
    sub_user = find_sub_user(sub_user_id)
    return render_page("sub_user_factor_reset.html", active="sub_users", sub_user=sub_user, person=full_name(sub_user))


@blueprint.page("/sub-users/<uuid:sub_user_id>/second-factors/reset", audiences=OWNER, methods=("POST",))
def reset_second_factors(sub_user_id: UUID) -> Response:
    """Remove all second factors and recovery codes of a sub-user, and end their sessions."""
    sub_user = find_sub_user(sub_user_id)
    service().commands.second_factor_resets.reset(sub_user.account_id, sub_user_id, visitor().command_context)
    values = message_values(sub_user)
    return redirect_to("sub_user", message="sub_user.factors_reset", message_values=values, sub_user_id=sub_user_id)
