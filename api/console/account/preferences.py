"""Page where a visitor chooses language, time zone and theme of this browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from api.console.cookies import BROWSER_TIME_ZONE, LANGUAGE, THEME, TIME_ZONE, delete_cookie, set_cookie
from api.console.current_user import EVERYONE
from api.console.pages import THEMES, blueprint, redirect_to, render_page
from api.presentation.times import time_zone, time_zone_names
from api.presentation.translations import LANGUAGES

if TYPE_CHECKING:
    from flask import Response


@blueprint.page("/preferences", audiences=EVERYONE)
def preferences() -> Response:
    """Show the current preferences and the choices."""
    return render_page(
        "preferences.html",
        zones=time_zone_names(),
        chosen_zone=request.cookies.get(TIME_ZONE.name, ""),
        browser_zone=time_zone(request.cookies.get(BROWSER_TIME_ZONE)).key,
        chosen_language=request.cookies.get(LANGUAGE.name, ""),
        themes=THEMES,
    )


@blueprint.page("/preferences", audiences=EVERYONE, methods=("POST",))
def set_preferences() -> Response:
    """Store the choices in cookies. An empty choice deletes its cookie."""
    preferences_by_name = {
        "language": (LANGUAGE, LANGUAGES),
        "time_zone": (TIME_ZONE, time_zone_names()),
        "theme": (THEME, THEMES),
    }
    for name, (cookie, choices) in preferences_by_name.items():
        choice = request.form.get(name, "")
        if choice in choices:
            set_cookie(cookie, choice)
        elif not choice:
            delete_cookie(cookie)
    return redirect_to("preferences", message="preferences.kept")
