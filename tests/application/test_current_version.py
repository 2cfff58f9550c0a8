"""Every decision uses the current version of its stream, however many events another process recorded meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from application.commands.accounts import AccountChanges
from application.errors import InvalidValue
from domain.refusals import (
    AccountIsClosed,
    LoginRefused,
    RevisionMismatch,
    SubUserEmailTaken,
    SubUserIsInactive,
    SubUserLimitReached,
    SubUserNotFound,
)
from tests.application.gaps import GAPS, SOME_GAPS, pad
from tests.builders import PORTAL, SUPPORT, Company

if TYPE_CHECKING:
    from api.bootstrap.service import Service
    from tests.builders import SubUserHandle

OWNER_PASSWORD = "seven wet umbrellas"


@pytest.fixture
def local(service_pair: tuple[Service, Service]) -> Company:
    """A company as seen by a process that has loaded its account."""
    company = Company.register(service_pair[0])
    company.create_with_own_password()
    company.state()
    return company


@pytest.fixture
def remote(local: Company, service_pair: tuple[Service, Service]) -> Company:
    """The same company as seen by another process."""
    return local.with_service(service_pair[1])


def load_locally(local: Company, sub_user: SubUserHandle) -> SubUserHandle:
    """Load the account in the first process, and return the sub-user as seen by it."""
    local.state()
    return sub_user.with_service(local.service)


@pytest.mark.parametrize("gap", GAPS)
def test_deactivation_is_effective(local: Company, remote: Company, gap: int) -> None:
    """The gap ends with an activation: the deactivation must not be taken for a repetition."""
    inactive = load_locally(local, local.create_sub_user())
    pad(remote, gap - 1)
    inactive.with_service(remote.service).change(active=True)

    assert inactive.change(active=False).value.status == "inactive"

    assert not inactive.with_service(remote.service).state().active


@pytest.mark.parametrize("field", ["name", "visible"])
@pytest.mark.parametrize("gap", GAPS)
def test_reverting_change_is_recorded(local: Company, remote: Company, gap: int, field: str) -> None:
    """It would be no change, compared with the state before the gap."""
    before, during = {"name": ("Grace", "Ada"), "visible": (True, False)}[field]
    sub_user = load_locally(local, local.create_sub_user())
    pad(remote, gap - 1)
    sub_user.with_service(remote.service).change(**{field: during})

    changed = sub_user.change(**{field: before}).value

    assert getattr(changed, field) == before
    assert changed.revision == 3


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_sub_user_created_in_the_gap_is_found(local: Company, remote: Company, gap: int) -> None:
    pad(remote, gap - 1)
    created = remote.create_sub_user()

    assert created.with_service(local.service).change(name="Ada").value.name == "Ada"


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_revision_of_the_gap_is_compared(local: Company, remote: Company, gap: int) -> None:
    sub_user = load_locally(local, local.create_sub_user())
    pad(remote, gap - 1)
    revision = sub_user.with_service(remote.service).change(name="Ada").value.revision

    with pytest.raises(RevisionMismatch):
        sub_user.change(name="Grace", if_revisions={revision - 1})
    assert sub_user.change(name="Grace", if_revisions={revision}).value.name == "Grace"


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_sub_user_deleted_in_the_gap_is_not_found(local: Company, remote: Company, gap: int) -> None:
    """No command finds the sub-user."""
    sub_user = load_locally(local, local.create_active())
    pad(remote, gap - 2)  # a deletion is two events
    sub_user.with_service(remote.service).delete()

    commands = local.service.commands.sub_users
    for command in (
        lambda: sub_user.change(active=False),
        sub_user.delete,
        lambda: commands.send_credentials_again(local.account_id, sub_user.sub_user_id, PORTAL),
        lambda: commands.end_sessions(local.account_id, sub_user.sub_user_id, PORTAL),
        lambda: commands.sessions(local.account_id, sub_user.sub_user_id),
    ):
        with pytest.raises(SubUserNotFound):
            command()


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_sub_user_created_in_the_gap_is_deleted(local: Company, remote: Company, gap: int) -> None:
    """Their sessions end, and their e-mail is free again."""
    pad(remote, gap - 4)  # creating, activating and choosing a password record six events
    created = remote.create_with_own_password()
    token = created.log_in().token

    created.with_service(local.service).delete()

    assert not created.has_session(token)
    remote.create_sub_user(created.email)


@pytest.mark.parametrize("chosen", [False, True], ids=["temporary password", "own password"])
@pytest.mark.parametrize("gap", SOME_GAPS)
def test_correct_password_signs_in_after_the_gap(local: Company, remote: Company, gap: int, *, chosen: bool) -> None:
    """The password is neither refused nor counted as a failure."""
    sub_user = load_locally(local, local.create_sub_user())
    remote_sub_user = sub_user.with_service(remote.service)
    pad(remote, gap - 1)
    remote_sub_user.change(active=True)
    if chosen:
        remote_sub_user = remote_sub_user.choose_password("a password of my own")

    new_session = remote_sub_user.with_service(local.service).log_in()

    assert new_session.must_change_password is not chosen
    assert not [event for event in local.service.main_accounts.events.get(local.account_id) if hasattr(event, "why")]


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_password_replaced_in_the_gap_is_refused(local: Company, remote: Company, gap: int) -> None:
    """The new password is accepted."""
    sub_user = load_locally(local, local.create_with_own_password())
    pad(remote, gap - 1)
    sub_user.with_service(remote.service).change(password="another phrase for now")

    with pytest.raises(LoginRefused):
        sub_user.log_in()
    assert sub_user.log_in("another phrase for now").must_change_password


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_owners_password_replaced_in_the_gap_is_refused(local: Company, remote: Company, gap: int) -> None:
    """The new password is accepted."""
    local.service.commands.accounts.change(local.account_id, AccountChanges(password="eight dry umbrellas"), PORTAL)
    local.service.commands.owner_sessions.log_in(local.email, "eight dry umbrellas", PORTAL)
    pad(remote, gap - 1)
    remote.service.commands.accounts.change(remote.account_id, AccountChanges(password=OWNER_PASSWORD), PORTAL)

    with pytest.raises(LoginRefused):
        local.service.commands.owner_sessions.log_in(local.email, "eight dry umbrellas", PORTAL)
    assert (
        local.service.commands.owner_sessions.log_in(local.email, OWNER_PASSWORD, PORTAL).value.account_id
        == local.account_id
    )


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_credentials_are_sent_to_a_sub_user_activated_in_the_gap(local: Company, remote: Company, gap: int) -> None:
    """They are not sent to a sub-user who was deactivated in the gap."""
    activated = load_locally(local, local.create_sub_user())
    deactivated = load_locally(local, local.create_active())
    pad(remote, gap - 2)
    deactivated.with_service(remote.service).change(active=False)
    activated.with_service(remote.service).change(active=True)

    commands = local.service.commands.sub_users
    sent = commands.send_credentials_again(local.account_id, activated.sub_user_id, PORTAL).value
    assert sent.credentials_mail == "pending"
    with pytest.raises(SubUserIsInactive):
        commands.send_credentials_again(local.account_id, deactivated.sub_user_id, PORTAL)


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_limit_and_emails_of_the_gap_apply(local: Company, remote: Company, gap: int) -> None:
    """Deletions, creations and a raised limit of the gap all count."""
    sub_users = [local.create_sub_user() for _ in range(9)]  # with the one of the fixture the account is full
    local.state()
    pad(remote, gap - 2)
    sub_users[0].with_service(remote.service).delete()

    replacement = local.create_sub_user(sub_users[0].email)
    with pytest.raises(SubUserLimitReached):
        local.create_sub_user()
    pad(remote, gap - 1)
    remote.service.commands.accounts.raise_sub_user_limit(remote.account_id, 11, SUPPORT)
    with pytest.raises(SubUserEmailTaken):
        local.create_sub_user(replacement.email)
    local.create_sub_user()


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_account_closed_in_the_gap_is_closed(local: Company, remote: Company, gap: int) -> None:
    """Commands and logins are refused."""
    sub_user = load_locally(local, local.create_with_own_password())
    token = sub_user.log_in().token
    pad(remote, gap - 1)
    remote.service.commands.accounts.close(remote.account_id, PORTAL)

    with pytest.raises(AccountIsClosed):
        sub_user.change(active=False)
    with pytest.raises(AccountIsClosed):
        local.create_sub_user()
    with pytest.raises(LoginRefused):
        sub_user.log_in()
    assert not sub_user.has_session(token)


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_name_of_the_gap_is_checked_in_new_passwords(local: Company, remote: Company, gap: int) -> None:
    """A password with the current name is refused; one with the former name is accepted."""
    sub_user = load_locally(local, local.create_sub_user(surname="Lighthouse"))
    pad(remote, gap - 1)
    sub_user.with_service(remote.service).change(surname="Marmalade")

    with pytest.raises(InvalidValue):
        sub_user.change(password="marmalade marmalade")
    sub_user.change(password="lighthouse lighthouse")
