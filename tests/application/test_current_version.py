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


def load_locally(local: Company, collaborator: SubUserHandle) -> SubUserHandle:
    """Load the account in the first process, and return the sub-user as seen by it."""
    local.state()
    return collaborator.with_service(local.service)


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
    """Compared with the state before the gap, it would be no change."""
    before, during = {"name": ("Grace", "Ada"), "visible": (True, False)}[field]
    collaborator = load_locally(local, local.create_sub_user())
    pad(remote, gap - 1)
    collaborator.with_service(remote.service).change(**{field: during})

    changed = collaborator.change(**{field: before}).value

    assert getattr(changed, field) == before
    assert changed.revision == 3


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_sub_user_created_in_the_gap_is_found(local: Company, remote: Company, gap: int) -> None:
    pad(remote, gap - 1)
    created = remote.create_sub_user()

    assert created.with_service(local.service).change(name="Ada").value.name == "Ada"


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_revision_of_the_gap_is_compared(local: Company, remote: Company, gap: int) -> None:
    collaborator = load_locally(local, local.create_sub_user())
    pad(remote, gap - 1)
    revision = collaborator.with_service(remote.service).change(name="Ada").value.revision

    with pytest.raises(RevisionMismatch):
        collaborator.change(name="Grace", if_revisions={revision - 1})
    assert collaborator.change(name="Grace", if_revisions={revision}).value.name == "Grace"


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_sub_user_deleted_in_the_gap_is_not_found(local: Company, remote: Company, gap: int) -> None:
    """By any command on them."""
    collaborator = load_locally(local, local.create_active())
    pad(remote, gap - 2)  # a deletion is two events
    collaborator.with_service(remote.service).delete()

    sub_users = local.service.commands.sub_users
    for command in (
        lambda: collaborator.change(active=False),
        collaborator.delete,
        lambda: sub_users.send_credentials_again(local.account_id, collaborator.sub_user_id, PORTAL),
        lambda: sub_users.end_sessions(local.account_id, collaborator.sub_user_id, PORTAL),
        lambda: sub_users.sessions(local.account_id, collaborator.sub_user_id),
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
    """It is neither refused nor counted as a failure."""
    collaborator = load_locally(local, local.create_sub_user())
    remote_collaborator = collaborator.with_service(remote.service)
    pad(remote, gap - 1)
    remote_collaborator.change(active=True)
    if chosen:
        remote_collaborator = remote_collaborator.choose_password("a password of my own")

    opened_session = remote_collaborator.with_service(local.service).log_in()

    assert opened_session.must_change_password is not chosen
    assert not [event for event in local.service.main_accounts.events.get(local.account_id) if hasattr(event, "why")]


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_password_replaced_in_the_gap_is_refused(local: Company, remote: Company, gap: int) -> None:
    """The new one is accepted."""
    collaborator = load_locally(local, local.create_with_own_password())
    pad(remote, gap - 1)
    collaborator.with_service(remote.service).change(password="another phrase for now")

    with pytest.raises(LoginRefused):
        collaborator.log_in()
    assert collaborator.log_in("another phrase for now").must_change_password


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_owners_password_replaced_in_the_gap_is_refused(local: Company, remote: Company, gap: int) -> None:
    """The new one is accepted."""
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
    """And not to one deactivated in it."""
    activated = load_locally(local, local.create_sub_user())
    deactivated = load_locally(local, local.create_active())
    pad(remote, gap - 2)
    deactivated.with_service(remote.service).change(active=False)
    activated.with_service(remote.service).change(active=True)

    sub_users = local.service.commands.sub_users
    sent = sub_users.send_credentials_again(local.account_id, activated.sub_user_id, PORTAL).value
    assert sent.credentials_mail == "pending"
    with pytest.raises(SubUserIsInactive):
        sub_users.send_credentials_again(local.account_id, deactivated.sub_user_id, PORTAL)


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_limit_and_emails_of_the_gap_apply(local: Company, remote: Company, gap: int) -> None:
    """Deletions, creations and a raised limit of the gap all count."""
    collaborators = [local.create_sub_user() for _ in range(9)]  # with the one of the fixture the account is full
    local.state()
    pad(remote, gap - 2)
    collaborators[0].with_service(remote.service).delete()

    replacement = local.create_sub_user(collaborators[0].email)
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
    collaborator = load_locally(local, local.create_with_own_password())
    token = collaborator.log_in().token
    pad(remote, gap - 1)
    remote.service.commands.accounts.close(remote.account_id, PORTAL)

    with pytest.raises(AccountIsClosed):
        collaborator.change(active=False)
    with pytest.raises(AccountIsClosed):
        local.create_sub_user()
    with pytest.raises(LoginRefused):
        collaborator.log_in()
    assert not collaborator.has_session(token)


@pytest.mark.parametrize("gap", SOME_GAPS)
def test_name_of_the_gap_is_checked_in_new_passwords(local: Company, remote: Company, gap: int) -> None:
    """A password with the current name is refused; one with the former name is accepted."""
    collaborator = load_locally(local, local.create_sub_user(surname="Lighthouse"))
    pad(remote, gap - 1)
    collaborator.with_service(remote.service).change(surname="Marmalade")

    with pytest.raises(InvalidValue):
        collaborator.change(password="marmalade marmalade")
    collaborator.change(password="lighthouse lighthouse")
