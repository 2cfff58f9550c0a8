"""Letting a collaborator in (rules 1, 8 and 9)."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.events import SubUserLimitRaised
from domain.main_account import MainAccount
from domain.refusals import AccountIsClosed, SubUserEmailTaken, SubUserLimitReached
from domain.sub_user import CredentialsMailState, SubUser
from tests.domain.facts import CLOSED, LUCA, MARIA, REGISTERED, created, deleted, erased, person
from tests.domain.given_when_then import LATER, NOW, fact, given, then_refused, when

TEN = [created(UUID(int=number), visible=number % 2 == 0) for number in range(10)]
WITH_EMAIL_OF_MARIA = {**person(LUCA), "email_hash": person(MARIA)["email_hash"]}


def test_a_sub_user_starts_inactive() -> None:
    """Visible, without an end to their access, with a password to be replaced, and told of nothing as yet."""
    account = given(REGISTERED)
    assert when(account, MainAccount.create_sub_user, **person(MARIA)) == [created(MARIA)]
    assert account.sub_user(MARIA) == SubUser(
        **person(MARIA),
        created_at=NOW,
        visible=True,
        active=False,
        was_activated=False,
        locked=False,
        must_change_password=True,
        access_expires_at=None,
        last_login_at=None,
        credentials=1,
        credentials_mail=CredentialsMailState.NONE,
        mail_version=0,
        revision=1,
    )


def test_a_sub_user_can_start_hidden_and_with_an_end() -> None:
    """Visibility and access expiry can be given from the start."""
    account = given(REGISTERED)
    asked = {**person(MARIA), "visible": False, "access_expires_at": LATER}
    assert when(account, MainAccount.create_sub_user, **asked) == [
        created(MARIA, visible=False, access_expires_at=LATER)
    ]
    assert account.sub_user(MARIA).visible is False
    assert account.sub_user(MARIA).access_expires_at == LATER


@pytest.mark.parametrize("visible", [True, False], ids=["visible", "hidden"])
def test_an_email_is_given_once(visible: bool) -> None:
    """E-mails are told apart by their hash, which is the same in any case; hidden sub-users have theirs as well."""
    account = given(REGISTERED, created(MARIA, visible=visible))
    then_refused(SubUserEmailTaken, account, MainAccount.create_sub_user, **WITH_EMAIL_OF_MARIA)


def test_the_same_command_again_meets_its_own_email() -> None:
    """A repeated command creates nobody."""
    then_refused(SubUserEmailTaken, given(REGISTERED, created(MARIA)), MainAccount.create_sub_user, **person(MARIA))


def test_an_email_is_free_again_after_deletion() -> None:
    """Only living sub-users have an e-mail (rules 1 and 7)."""
    account = given(REGISTERED, created(MARIA), deleted(MARIA), erased(MARIA))
    assert when(account, MainAccount.create_sub_user, **WITH_EMAIL_OF_MARIA) == [
        created(LUCA, email_hash=person(MARIA)["email_hash"])
    ]


def test_the_same_person_may_be_a_sub_user_of_several_accounts() -> None:
    """An account knows nothing of the others (rule 1)."""
    for account in (given(REGISTERED), given(REGISTERED)):
        assert when(account, MainAccount.create_sub_user, **person(MARIA)) == [created(MARIA)]


def test_the_tenth_sub_user_is_let_in() -> None:
    """The limit is how many there may be."""
    account = given(REGISTERED, *TEN[:9])
    assert when(account, MainAccount.create_sub_user, **person(MARIA)) == [created(MARIA)]


def test_the_eleventh_sub_user_is_not() -> None:
    """Hidden and inactive sub-users count as well (rule 8)."""
    then_refused(SubUserLimitReached, given(REGISTERED, *TEN), MainAccount.create_sub_user, **person(MARIA))


def test_a_deleted_sub_user_makes_room() -> None:
    """Only living sub-users count."""
    account = given(REGISTERED, *TEN, deleted(UUID(int=0)))
    assert when(account, MainAccount.create_sub_user, **person(MARIA)) == [created(MARIA)]


def test_a_raised_limit_makes_room_for_so_many() -> None:
    """Eleven after a raise by one, and no twelfth."""
    account = given(REGISTERED, *TEN, fact(SubUserLimitRaised, sub_user_limit=11))
    assert when(account, MainAccount.create_sub_user, **person(MARIA)) == [created(MARIA)]
    then_refused(SubUserLimitReached, account, MainAccount.create_sub_user, **person(LUCA))


def test_a_taken_email_is_told_before_a_full_account() -> None:
    """Whoever asks again learns that the sub-user exists, not that the account is full."""
    again = {**person(MARIA), "email_hash": TEN[0].fields["email_hash"]}
    then_refused(SubUserEmailTaken, given(REGISTERED, *TEN), MainAccount.create_sub_user, **again)


def test_a_closed_account_lets_nobody_in() -> None:
    then_refused(AccountIsClosed, given(REGISTERED, CLOSED), MainAccount.create_sub_user, **person(MARIA))


def test_the_refusals_can_be_foreseen() -> None:
    """What would be refused is known before a password is hashed for it."""
    given(REGISTERED, created(MARIA)).require_room_for(person(LUCA)["email_hash"])
    with pytest.raises(SubUserEmailTaken):
        given(REGISTERED, created(MARIA)).require_room_for(person(MARIA)["email_hash"])
    with pytest.raises(SubUserLimitReached):
        given(REGISTERED, *TEN).require_room_for(person(MARIA)["email_hash"])
    with pytest.raises(AccountIsClosed):
        given(REGISTERED, CLOSED).require_room_for(person(MARIA)["email_hash"])


def test_a_sub_user_is_found_by_the_hash_of_their_email() -> None:
    """Among the living ones of this account."""
    account = given(REGISTERED, created(MARIA), created(LUCA), deleted(LUCA))
    assert account.sub_user_with_email(person(MARIA)["email_hash"]) == account.sub_user(MARIA)
    assert account.sub_user_with_email(person(LUCA)["email_hash"]) is None
