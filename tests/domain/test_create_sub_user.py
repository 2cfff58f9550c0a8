"""Creating a sub-user (rules 1, 8 and 9)."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.events import SubUserLimitRaised
from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, SubUserEmailTaken, SubUserLimitReached
from domain.sub_user import CredentialsMailState, SubUser
from tests.domain.event_builders import CLOSED, LUCA, MARIA, REGISTERED, created, deleted, erased, sub_user_fields
from tests.domain.given_when_then import LATER, NOW, event_spec, given, then_refused, when

TEN = [created(UUID(int=number), visible=number % 2 == 0) for number in range(10)]
WITH_EMAIL_OF_MARIA = {**sub_user_fields(LUCA), "email_hash": sub_user_fields(MARIA)["email_hash"]}


def test_new_sub_user_is_inactive() -> None:
    """It is visible, without an expiry, with a temporary password and no mail."""
    account = given(REGISTERED)
    assert when(account, MainAccount.create_sub_user, **sub_user_fields(MARIA)) == [created(MARIA)]
    assert account.sub_user(MARIA) == SubUser(
        **sub_user_fields(MARIA),
        created_at=NOW,
        visible=True,
        active=False,
        was_activated=False,
        locked=False,
        must_change_password=True,
        access_expires_at=None,
        last_login_at=None,
        credentials_version=1,
        credentials_mail=CredentialsMailState.NONE,
        mail_version=0,
        revision=1,
        password_issued_at=NOW,
    )
    assert account.sub_user(MARIA).temporary_password_expires_at is None


def test_new_sub_user_can_be_hidden_and_have_an_expiry() -> None:
    account = given(REGISTERED)
    arguments = {**sub_user_fields(MARIA), "visible": False, "access_expires_at": LATER}
    assert when(account, MainAccount.create_sub_user, **arguments) == [
        created(MARIA, visible=False, access_expires_at=LATER)
    ]
    assert account.sub_user(MARIA).visible is False
    assert account.sub_user(MARIA).access_expires_at == LATER


@pytest.mark.parametrize("visible", [True, False], ids=["visible", "hidden"])
def test_email_is_unique_within_the_account(visible: bool) -> None:
    """E-mails are compared by hash; those of hidden sub-users count."""
    account = given(REGISTERED, created(MARIA, visible=visible))
    then_refused(SubUserEmailTaken, account, MainAccount.create_sub_user, **WITH_EMAIL_OF_MARIA)


def test_repeated_creation_is_refused() -> None:
    then_refused(
        SubUserEmailTaken, given(REGISTERED, created(MARIA)), MainAccount.create_sub_user, **sub_user_fields(MARIA)
    )


def test_email_is_free_after_deletion() -> None:
    """Only existing sub-users reserve an e-mail (rules 1 and 7)."""
    account = given(REGISTERED, created(MARIA), deleted(MARIA), erased(MARIA))
    assert when(account, MainAccount.create_sub_user, **WITH_EMAIL_OF_MARIA) == [
        created(LUCA, email_hash=sub_user_fields(MARIA)["email_hash"])
    ]


def test_one_person_can_be_a_sub_user_of_several_accounts() -> None:
    """E-mails are unique within one account only (rule 1)."""
    for account in (given(REGISTERED), given(REGISTERED)):
        assert when(account, MainAccount.create_sub_user, **sub_user_fields(MARIA)) == [created(MARIA)]


def test_tenth_sub_user_is_created() -> None:
    account = given(REGISTERED, *TEN[:9])
    assert when(account, MainAccount.create_sub_user, **sub_user_fields(MARIA)) == [created(MARIA)]


def test_eleventh_sub_user_is_refused() -> None:
    """Hidden and inactive sub-users count towards the limit (rule 8)."""
    then_refused(SubUserLimitReached, given(REGISTERED, *TEN), MainAccount.create_sub_user, **sub_user_fields(MARIA))


def test_deleted_sub_user_does_not_count_towards_the_limit() -> None:
    account = given(REGISTERED, *TEN, deleted(UUID(int=0)))
    assert when(account, MainAccount.create_sub_user, **sub_user_fields(MARIA)) == [created(MARIA)]


def test_raised_limit_is_enforced() -> None:
    """With a limit of 11, the eleventh sub-user is created and the twelfth is refused."""
    account = given(REGISTERED, *TEN, event_spec(SubUserLimitRaised, sub_user_limit=11))
    assert when(account, MainAccount.create_sub_user, **sub_user_fields(MARIA)) == [created(MARIA)]
    then_refused(SubUserLimitReached, account, MainAccount.create_sub_user, **sub_user_fields(LUCA))


def test_taken_email_is_reported_before_the_limit() -> None:
    """A repeated request learns that the sub-user exists, not that the account is full."""
    same_email = {**sub_user_fields(MARIA), "email_hash": TEN[0].fields["email_hash"]}
    then_refused(SubUserEmailTaken, given(REGISTERED, *TEN), MainAccount.create_sub_user, **same_email)


def test_closed_account_creates_no_sub_user() -> None:
    then_refused(AccountIsClosed, given(REGISTERED, CLOSED), MainAccount.create_sub_user, **sub_user_fields(MARIA))


def test_ensure_can_add_raises_the_same_refusals() -> None:
    """The service calls it before it hashes the password."""
    given(REGISTERED, created(MARIA)).ensure_can_add({sub_user_fields(LUCA)["email_hash"]})
    with pytest.raises(SubUserEmailTaken):
        given(REGISTERED, created(MARIA)).ensure_can_add({sub_user_fields(MARIA)["email_hash"]})
    with pytest.raises(SubUserLimitReached):
        given(REGISTERED, *TEN).ensure_can_add({sub_user_fields(MARIA)["email_hash"]})
    with pytest.raises(AccountIsClosed):
        given(REGISTERED, CLOSED).ensure_can_add({sub_user_fields(MARIA)["email_hash"]})


def test_sub_user_is_found_by_email_hash() -> None:
    """Deleted sub-users are not found."""
    account = given(REGISTERED, created(MARIA), created(LUCA), deleted(LUCA))
    assert account.sub_user_with_email({sub_user_fields(MARIA)["email_hash"]}) == account.sub_user(MARIA)
    assert account.sub_user_with_email({sub_user_fields(LUCA)["email_hash"]}) is None
