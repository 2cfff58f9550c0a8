"""The life of a sub-user, from creation to deletion, as the portal's backend drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from application.sign_in.new_session import token_hash
from domain.permission_catalogue import INITIAL_CATALOGUE
from domain.refusals import LoginRefused, SubUserNotFound
from projections.audit_log.conditions import AuditFilter
from projections.sub_users.queries import SubUserFilter
from tests.builders import PORTAL, Company, SubUserHandle, deliver_mails, event_types, mailed_password, plain_text

if TYPE_CHECKING:
    from api.bootstrap.service import Service


def test_sub_user_lifecycle(service: Service, company: Company, followers: None) -> None:
    """The sub-user is created, activated, mailed, logged in, gets an own password, and is deleted."""
    sub_user = company.create_sub_user("Grace@Company.example", password=None)
    assert sub_user.state().active is False
    with pytest.raises(LoginRefused):
        sub_user.log_in("whatever it may be")

    sub_user.change(active=True)
    (mail,) = deliver_mails(service)
    assert mail["To"].addresses[0].addr_spec == "Grace@Company.example"
    assert company.email in plain_text(mail)

    temporary = mailed_password(mail)
    first = service.commands.sub_user_sessions.log_in(
        company.email.upper(), "grace@company.EXAMPLE", temporary, PORTAL
    ).value
    assert first.must_change_password

    session = service.commands.sub_user_sessions.change_password(
        first.token, temporary, "a phrase of my own", PORTAL
    ).value
    checked = service.commands.access.check_session(token_hash(session.token), [])
    assert checked is not None
    assert checked.permissions == INITIAL_CATALOGUE.grantable
    assert service.commands.sub_user_sessions.current(session.token).person_id == sub_user.sub_user_id
    assert not sub_user.has_session(first.token)
    assert len(deliver_mails(service)) == 2

    (listed,) = service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None).items
    assert (listed.email, listed.status, listed.credentials_mail) == ("Grace@Company.example", "active", "sent")
    assert listed.must_change_password is False
    assert listed.last_login_at is not None

    sub_user.delete()
    assert not sub_user.has_session(session.token)
    with pytest.raises(LoginRefused):
        sub_user.log_in("a phrase of my own")
    assert service.queries.sub_users.list(company.account_id, SubUserFilter(), 10, None).items == []
    with pytest.raises(SubUserNotFound):
        service.queries.sub_users.sub_user(company.account_id, sub_user.sub_user_id)

    actions = [row.action for row in service.queries.audit_log.page(company.account_id, AuditFilter(), 50, None)[0]]
    assert actions == [
        "sub_user.login_refused",
        "sub_user.personal_data_erased",
        "sub_user.deleted",
        "sub_user.credentials_mailed",
        "sub_user.logged_in",
        "sub_user.password_changed",
        "sub_user.logged_in",
        "sub_user.credentials_mailed",
        "sub_user.activated",
        "sub_user.login_refused",
        "sub_user.created",
        "main_account.registered",
    ]


def test_sub_user_of_another_account_is_not_found(service: Service, company: Company) -> None:
    """No command reaches a sub-user through another account's id."""
    other = Company.register(service)
    foreign_sub_user = SubUserHandle(other, company.create_sub_user().sub_user_id, "x@company.example", "")

    for attempt in (
        lambda: foreign_sub_user.change(name="Eve"),
        foreign_sub_user.delete,
        lambda: service.commands.sub_users.send_credentials_again(
            other.account_id, foreign_sub_user.sub_user_id, PORTAL
        ),
        lambda: service.commands.sub_users.end_sessions(other.account_id, foreign_sub_user.sub_user_id, PORTAL),
    ):
        with pytest.raises(SubUserNotFound):
            attempt()
    assert event_types(other) == ["MainAccountRegistered"]
