"""The operator's logo and accent color, as files whose URL changes with the settings."""

from __future__ import annotations

import hashlib

from flask import Response, url_for
from werkzeug.exceptions import NotFound

from api.console.current_user import EVERYONE
from api.console.pages import CACHE_FOREVER, blueprint, branding
from api.presentation import accent_colors

LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""An SVG file that is opened as a page runs no scripts."""


@blueprint.page("/branding/<version>/logo", audiences=EVERYONE)
def logo(version: str) -> Response:  # noqa: ARG001  # changes the URL when the logo changes
    """Return the logo."""
    picture = branding().logo
    if picture is None:
        raise NotFound
    headers = {"Cache-Control": CACHE_FOREVER, "Content-Security-Policy": LOGO_POLICY}
    return Response(picture.content, headers=headers, content_type=picture.media_type)


@blueprint.page("/branding/<version>/accent.css", audiences=EVERYONE)
def accent_style_sheet(version: str) -> Response:  # noqa: ARG001  # changes the URL when the color changes
    """Return the style sheet with the accent colors."""
    color = branding().accent_color
    if color is None:
        raise NotFound
    headers = {"Cache-Control": CACHE_FOREVER}
    return Response(accent_colors.style_sheet(color), headers=headers, content_type="text/css; charset=utf-8")


@blueprint.app_context_processor
def _branding_context() -> dict[str, str | None]:
    product = branding()
    return {
        "product_name": product.product_name,
        "portal_url": product.portal_url,
        "support_address": product.support_address,
        "support_url": product.support_url,
        "logo_url": None if product.logo is None else _url("logo", product.logo.content),
        "accent_url": None
        if product.accent_color is None
        else _url("accent_style_sheet", accent_colors.style_sheet(product.accent_color).encode()),
    }


def _url(endpoint: str, content: bytes) -> str:
    return url_for(f"console.{endpoint}", version=hashlib.sha256(content).hexdigest()[:12])
