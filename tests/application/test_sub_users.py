"""Commands on sub-users: the limit, outdated revisions, and atomic edits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from application.errors import InvalidValue
from domain.refusals import RevisionMismatch
from tests.builders import PORTAL, Company, deliver_mails, event_types

if TYPE_CHECKING:
    from api.bootstrap.service import Service


def test_deleted_sub_user_does_not_count_towards_the_limit(company: Company) -> None:
    first = company.create_sub_user()
    for _ in range(9):
        company.create_sub_user()
    first.delete()

    company.create_sub_user()


def test_command_for_an_outdated_revision_is_refused(company: Company, service: Service) -> None:
    """Edits and deletions are refused. Logins and mails do not change the revision."""
    sub_user = company.create_active()
    revision = sub_user.state().revision
    sub_user.log_in()
    deliver_mails(service)
    assert sub_user.state().revision == revision

    sub_user.change(name="Ada", if_revisions={revision})

    with pytest.raises(RevisionMismatch):
        sub_user.change(name="Eve", if_revisions={revision})
    with pytest.raises(RevisionMismatch):
        service.commands.sub_users.delete(company.account_id, sub_user.sub_user_id, PORTAL, if_revisions={revision})
    service.commands.sub_users.delete(company.account_id, sub_user.sub_user_id, PORTAL, if_revisions={revision + 1})


def test_edit_is_atomic(company: Company, service: Service) -> None:
    """Five changes apply together, and a refused edit changes nothing."""
    sub_user = company.create_sub_user()
    end = service.clock() + timedelta(days=3)

    after = sub_user.change(
        name="Ada",
        surname="Lovelace",
        visible=False,
        active=True,
        password="an analytical phrase",
        changes_expiry=True,
        access_expires_at=end,
    ).value

    assert (after.name, after.surname, after.visible, after.status, after.access_expires_at) == (
        "Ada",
        "Lovelace",
        False,
        "active",
        end,
    )
    before = event_types(company)
    with pytest.raises(InvalidValue):
        sub_user.change(name="Grace", visible=True, active=False, password="short")
    assert event_types(company) == before
