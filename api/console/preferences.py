"""The language and the time zone that a visitor chooses for this browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from api.console.cookies import BROWSER_TIME_ZONE, LANGUAGE, TIME_ZONE, drop_cookie, set_cookie
from api.console.language import LANGUAGES
from api.console.pages import go, show, site
from api.console.times import time_zone, time_zone_names
from api.console.visitors import ANYBODY

if TYPE_CHECKING:
    from flask import Response


@site.page("/preferences", to=ANYBODY)
def preferences() -> Response:
    """Show the choices."""
    return show(
        "preferences.html",
        zones=time_zone_names(),
        chosen_zone=request.cookies.get(TIME_ZONE.name, ""),
        browser_zone=time_zone(request.cookies.get(BROWSER_TIME_ZONE)).key,
        chosen_language=request.cookies.get(LANGUAGE.name, ""),
    )


@site.page("/preferences", to=ANYBODY, methods=("POST",))
def set_preferences() -> Response:
    """Keep the choices in the browser; an empty one is none."""
    for cookie, name, choices in ((LANGUAGE, "language", LANGUAGES), (TIME_ZONE, "time_zone", time_zone_names())):
        chosen = request.form.get(name, "")
        if chosen in choices:
            set_cookie(cookie, chosen)
        elif not chosen:
            drop_cookie(cookie)
    return go("preferences", told="preferences.kept")
