"""Second factors of sub-users and the owner, and the account's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain import events
from domain.event_metadata import Ciphertext
from domain.main_account import MainAccount
from domain.refusals import (
    AccountIsClosed,
    LastSecondFactor,
    LoginRefused,
    NoSecondFactor,
    SecondFactorLimitReached,
    SecondFactorNotFound,
    SubUserNotFound,
)
from domain.second_factor import SecondFactorKind, SecondFactorPolicy, VerificationMethod
from domain.snapshot import MainAccountSnapshot
from tests.domain.event_builders import CLOSED, MARIA, REGISTERED, SESSION, activated, created, deactivated, deleted
from tests.domain.given_when_then import EventSpec, event_spec, given, then_refused, when

if TYPE_CHECKING:
    from typing import Any

FACTOR, OTHER_FACTOR = UUID(int=1), UUID(int=2)
REQUIRED = event_spec(events.SecondFactorPolicySet, policy=SecondFactorPolicy.REQUIRED)
PEOPLE = pytest.mark.parametrize("person", [MARIA, None], ids=["sub-user", "owner"])
ACTIVE = (REGISTERED, created(MARIA), activated(MARIA))


def factor(factor_id: UUID = FACTOR) -> dict[str, Any]:
    kind, name = SecondFactorKind.PASSKEY, Ciphertext("a name")
    return {"factor_id": factor_id, "kind": kind, "name": name, "signs_in_alone": True}


def added(person: UUID | None, factor_id: UUID = FACTOR) -> EventSpec:
    return event_spec(events.SecondFactorAdded, sub_user_id=person, **factor(factor_id))


def removed(person: UUID | None, remaining: int) -> EventSpec:
    return event_spec(events.SecondFactorRemoved, sub_user_id=person, factor_id=FACTOR, remaining=remaining)


def has_second_factor(account: MainAccount) -> bool:
    return account.sub_user(MARIA).has_second_factor


@PEOPLE
def test_adding_and_removing(person: UUID | None) -> None:
    """A snapshot has the factors, too."""
    account = given(*ACTIVE)
    assert when(account, MainAccount.add_second_factor, person, **factor()) == [added(person)]
    assert has_second_factor(account) is (person is MARIA)
    account = MainAccountSnapshot.take(account).mutate(None)
    assert has_second_factor(account) is (person is MARIA)
    assert when(account, MainAccount.add_second_factor, person, **factor(OTHER_FACTOR)) == [added(person, OTHER_FACTOR)]
    assert when(account, MainAccount.remove_second_factor, person, FACTOR) == [removed(person, 1)]
    assert list(account.factors_of(person)) == [OTHER_FACTOR]
    then_refused(SecondFactorNotFound, account, MainAccount.remove_second_factor, person, FACTOR)


@PEOPLE
def test_at_most_ten(person: UUID | None) -> None:
    account = given(*ACTIVE, *(added(person, UUID(int=number)) for number in range(10)))
    then_refused(SecondFactorLimitReached, account, MainAccount.add_second_factor, person, **factor(UUID(int=11)))


@PEOPLE
def test_the_last_one_stays_if_the_policy_requires_it(person: UUID | None) -> None:
    then_refused(
        LastSecondFactor, given(*ACTIVE, added(person), REQUIRED), MainAccount.remove_second_factor, person, FACTOR
    )
    account = given(*ACTIVE, added(person))
    assert when(account, MainAccount.remove_second_factor, person, FACTOR) == [removed(person, 0)]
    assert not has_second_factor(account)


@PEOPLE
def test_reset_removes_all(person: UUID | None) -> None:
    """Another one records nothing."""
    account = given(*ACTIVE, added(person), added(person, OTHER_FACTOR), REQUIRED)
    reset = event_spec(events.SecondFactorsReset, sub_user_id=person)
    assert when(account, MainAccount.reset_second_factors, person) == [reset]
    assert not account.factors_of(person)
    assert when(account, MainAccount.reset_second_factors, person) == []


@PEOPLE
def test_recovery_codes_need_a_factor(person: UUID | None) -> None:
    then_refused(NoSecondFactor, given(*ACTIVE), MainAccount.issue_recovery_codes, person)
    issued = event_spec(events.RecoveryCodesIssued, sub_user_id=person, count=10)
    assert when(given(*ACTIVE, added(person)), MainAccount.issue_recovery_codes, person) == [issued]


def test_the_same_policy_records_nothing() -> None:
    account = given(REGISTERED)
    assert when(account, MainAccount.set_second_factor_policy, SecondFactorPolicy.OPTIONAL) == []
    assert when(account, MainAccount.set_second_factor_policy, SecondFactorPolicy.REQUIRED) == [REQUIRED]
    assert when(account, MainAccount.set_second_factor_policy, SecondFactorPolicy.REQUIRED) == []


@pytest.mark.parametrize(
    ("history", "person", "why"),
    [
        ((*ACTIVE, deactivated(MARIA)), MARIA, "inactive"),
        ((*ACTIVE, CLOSED), MARIA, "account_closed"),
        ((*ACTIVE, CLOSED), None, "account_closed"),
    ],
)
def test_verification_needs_access(history: tuple[EventSpec, ...], person: UUID | None, why: str) -> None:
    """So does a login with a passkey alone."""
    arguments = (person, SESSION, VerificationMethod.TOTP)
    assert then_refused(LoginRefused, given(*history), MainAccount.verify_second_factor, *arguments).why == why
    if person is not None:
        refusal = then_refused(LoginRefused, given(*history), MainAccount.log_in_with_passkey, person, SESSION)
        assert refusal.why == why


@PEOPLE
def test_few_of_many_refusals_are_recorded(person: UUID | None) -> None:
    account = given(*ACTIVE)
    recorded = [
        event
        for failures in range(1, 65)
        for event in when(
            account, MainAccount.record_refused_second_factor, person, VerificationMethod.TOTP, "wrong_code", failures
        )
    ]
    assert [event.fields["failures"] for event in recorded] == [1, 2, 3, 4, 5, 8, 16, 32, 64]


def test_a_deleted_sub_user_has_none() -> None:
    """Nor are refusals recorded of one."""
    account = given(*ACTIVE, added(MARIA), deleted(MARIA))
    assert account.second_factors == {}
    then_refused(SubUserNotFound, account, MainAccount.add_second_factor, MARIA, **factor())
    arguments = (MARIA, VerificationMethod.TOTP, "wrong_code", 1)
    assert when(account, MainAccount.record_refused_second_factor, *arguments) == []


@pytest.mark.parametrize("method", [MainAccount.reset_second_factors, MainAccount.issue_recovery_codes])
def test_nothing_changes_in_a_closed_account(method: Any) -> None:
    then_refused(AccountIsClosed, given(*ACTIVE, added(None), CLOSED), method, None)
