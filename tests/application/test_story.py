"""One sub-user's story, from being let in to being deleted, as the portal backend would live it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.permissions import OPERATIONAL
from domain.refusals import LoginRefused, SubUserNotFound
from projections.audit_queries import AuditFilter
from projections.sub_user_queries import SubUserFilter
from tests.people import PORTAL, Collaborator, Company, deliver_mails, kinds, mailed_password, text_of

if TYPE_CHECKING:
    from api.bootstrap import Service


def test_a_collaborator_comes_works_and_goes(service: Service, company: Company, followers: None) -> None:
    """Created, activated, mailed, logged in, given a password of their own, deleted: each step has its effect."""
    made = company.let_in("Grace@Company.example", password=None)
    assert made.state().active is False
    with pytest.raises(LoginRefused):
        made.log_in("whatever it may be")

    made.change(active=True)
    (mail,) = deliver_mails(service)
    assert mail["To"].addresses[0].addr_spec == "Grace@Company.example"
    assert company.email in text_of(mail)

    temporary = mailed_password(mail)
    first = service.sessions.log_in(company.email.upper(), "grace@company.EXAMPLE", temporary, PORTAL).value
    assert first.must_change_password
    assert first.permissions == ()

    own = service.sessions.change_own_password(first.token, temporary, "a phrase of my own", PORTAL).value
    assert own.permissions == OPERATIONAL
    assert service.sessions.current(own.token).person_id == made.sub_user_id
    assert not made.has_session(first.token)
    assert len(deliver_mails(service)) == 2

    (listed,) = service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None).items
    assert (listed.email, listed.status, listed.credentials_mail) == ("Grace@Company.example", "active", "sent")
    assert listed.must_change_password is False
    assert listed.last_login_at is not None

    made.delete()
    assert not made.has_session(own.token)
    with pytest.raises(LoginRefused):
        made.log_in("a phrase of my own")
    assert service.sub_user_queries.list(company.account_id, SubUserFilter(), 10, None).items == []
    with pytest.raises(SubUserNotFound):
        service.sub_user_queries.sub_user(company.account_id, made.sub_user_id)

    actions = [row.action for row in service.audit_queries.page(company.account_id, AuditFilter(), 50, None)[0]]
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


def test_a_sub_user_of_another_account_is_unknown(service: Service, company: Company) -> None:
    """Nothing of one account can be reached through another's id."""
    other = Company.register(service)
    stranger = Collaborator(other, company.let_in().sub_user_id, "x@company.example", "")

    for attempt in (
        lambda: stranger.change(name="Eve"),
        stranger.delete,
        lambda: service.sub_users.send_credentials_again(other.account_id, stranger.sub_user_id, PORTAL),
        lambda: service.sub_users.end_sessions(other.account_id, stranger.sub_user_id, PORTAL),
    ):
        with pytest.raises(SubUserNotFound):
            attempt()
    assert kinds(other) == ["MainAccountRegistered"]
