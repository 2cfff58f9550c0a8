"""Links that are mailed when the account's e-mail changes, to confirm the new address or to restore the former one."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.console.current_user import EVERYONE, visitor
from api.console.pages import blueprint, redirect_to, render_page
from api.http.authentication import service
from domain.mails import LinkPurpose
from domain.refusals import AccountEmailTaken, LinkInvalid, TooManyEmailChanges

if TYPE_CHECKING:
    from flask import Response


@blueprint.page("/email-confirmation/<secret>", audiences=EVERYONE)
def email_confirmation(secret: str) -> Response:  # noqa: ARG001  # not checked here, so that the page reveals nothing about the link
    """Show a button that confirms the address. Opening the page does not use up the link: scanners open it, too."""
    return render_page("email_link.html", purpose=LinkPurpose.EMAIL_CONFIRMATION)


@blueprint.page("/email-confirmation/<secret>", audiences=EVERYONE, methods=("POST",))
def confirm_email(secret: str) -> Response:
    """Confirm the address and use up the link."""
    try:
        service().commands.account_email_changes.confirm(secret, visitor().command_context)
    except LinkInvalid:
        return render_page("email_link_gone.html", HTTPStatus.GONE)
    except (AccountEmailTaken, TooManyEmailChanges) as refusal:
        return render_page("email_link_refused.html", HTTPStatus.CONFLICT, refusal=refusal.code)
    return redirect_to("login_form", message="email_link.confirmed")


@blueprint.page("/email-undo/<secret>", audiences=EVERYONE)
def email_undo(secret: str) -> Response:  # noqa: ARG001  # as above
    """Show a button that restores the address. Opening the page does not use up the link."""
    return render_page("email_link.html", purpose=LinkPurpose.EMAIL_UNDO)


@blueprint.page("/email-undo/<secret>", audiences=EVERYONE, methods=("POST",))
def undo_email(secret: str) -> Response:
    """Restore the address and use up the link."""
    try:
        service().commands.account_email_changes.undo(secret, visitor().command_context)
    except LinkInvalid:
        return render_page("email_link_gone.html", HTTPStatus.GONE)
    return redirect_to("login_form", message="email_link.undone")
