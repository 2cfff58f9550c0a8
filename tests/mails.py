"""Sample mail with credentials. Tests vary it with `dataclasses.replace`."""

from __future__ import annotations

from datetime import UTC, datetime

from application.mail import Mail
from domain.sub_user import Notice

CREDENTIALS_MAIL = Mail(
    message_id="0f9d2c4e-0000-4000-8000-000000000000.7@portal.example",
    kind=Notice.ACTIVATION,
    language="en",
    to="maria.rossi@example.com",
    name="Maria",
    surname="Rossi",
    account_email="owner@acme.example",
    company_name="Acme S.r.l.",
    login_url="https://portal.example/login",
    date=datetime(2026, 11, 16, 20, 15, tzinfo=UTC),
    password="correct horse battery",
    password_expires_at=datetime(2026, 11, 23, 20, 15, tzinfo=UTC),
)
