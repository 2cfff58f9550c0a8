"""QR codes as SVG."""

from __future__ import annotations

import io

import segno


def qr_code_svg(text: str) -> str:
    """Return a QR code as an SVG document, which also fits into an HTML page."""
    buffer = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        buffer, kind="svg", xmldecl=False, nl=False, omitsize=True, light="white"
    )
    return buffer.getvalue().decode()
