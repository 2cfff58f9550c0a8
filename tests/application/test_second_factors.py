"""Second factors in the application: proofs are good once under concurrency, and changes bind existing sessions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from application.commands.accounts import AccountChanges
from application.errors import SessionEnded, TooManyAttempts
from application.sign_in.new_session import token_hash
from application.sign_in.second_factors.verification import RecoveryCodeProof, TotpProof
from application.throttle_keys import second_factor_keys
from domain.access_decision import Missing, Question
from domain.assurance_level import AssuranceLevel
from domain.refusals import LoginRefused, NoSecondFactor, SecondFactorNeeded, SecondFactorWrong
from domain.second_factor import SecondFactorPolicy
from tests.builders import PORTAL, SUPPORT, Company, SubUserHandle, context_from, event_types
from tests.postgres import fetch
from tests.second_factors import Person
from tests.throttling import count_failures, ips_in_distinct_networks
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap.service import Service
    from application.sign_in.second_factors.verification import Proof
    from tests.conftest import TravelingClock

USES = 64
PHRASE = "a phrase of the owner's own"


@pytest.fixture
def sub_user(company: Company) -> SubUserHandle:
    """Return a sub-user with a password of their own."""
    return company.create_with_own_password()


@pytest.fixture
def person(service: Service, sub_user: SubUserHandle) -> Person:
    """Return the sub-user with a session."""
    return Person(service, sub_user.log_in().token)


@pytest.fixture
def owner(service: Service, company: Company) -> Person:
    """Return the owner with a session."""
    service.commands.accounts.change(company.account_id, AccountChanges(password=PHRASE), PORTAL)
    return Person(service, log_in_owner(service, company), is_owner=True)


def log_in_owner(service: Service, company: Company) -> str:
    return service.commands.owner_sessions.log_in(company.email, PHRASE, PORTAL).value.token


def set_policy(company: Company, policy: SecondFactorPolicy) -> None:
    changes = AccountChanges(second_factor_policy=policy)
    company.service.commands.accounts.change(company.account_id, changes, PORTAL)


def uses(services: list[Service], sub_user: SubUserHandle, proofs: Iterator[Proof]) -> list[Callable[[], Any]]:
    """Return uses of proofs, each in its own session, from its own network, in one of the services."""
    people = [
        Person(services[number % len(services)], sub_user.log_in(context=context_from(ip)).token)
        for number, ip in enumerate(ips_in_distinct_networks(USES))
    ]
    contexts = map(context_from, ips_in_distinct_networks(USES))
    return [
        partial(person.verify, proof, context) for person, proof, context in zip(people, proofs, contexts, strict=False)
    ]


@pytest.mark.parametrize("kind", ["totp", "recovery_code", "passkey"])
def test_64_concurrent_uses_of_one_proof_open_one_session(
    build: Callable[..., Service], service: Service, sub_user: SubUserHandle, person: Person, kind: str
) -> None:
    """In two services on one database. The others are refused, and the proof stays used."""
    services = [service, build()]
    proof: Proof
    if kind == "passkey":
        proof = person.answer(person.add_passkey())
    else:
        added = person.add_totp()
        proof = person.code(added) if kind == "totp" else RecoveryCodeProof(added.recovery_codes[0])
    results = run_concurrently(uses(services, sub_user, iter([proof] * USES)))
    assert Counter(type(result).__name__ for result in results) == {"NewSession": 1, "SecondFactorWrong": USES - 1}
    assert event_types(sub_user.company).count("SecondFactorVerified") == 2
    with pytest.raises(SecondFactorWrong):
        Person(service, sub_user.log_in().token).verify(proof)


def test_64_concurrent_logins_with_one_answer_of_a_passkey_open_one_session(
    build: Callable[..., Service], service: Service, person: Person
) -> None:
    services = [service, build()]
    answer = person.sign_in_answer(person.add_passkey())
    attempts = [
        partial(replace(person, service=services[number % 2]).sign_in, answer, context_from(ip))
        for number, ip in enumerate(ips_in_distinct_networks(USES))
    ]
    results = run_concurrently(attempts)
    assert Counter(type(result).__name__ for result in results) == {"NewSession": 1, "LoginRefused": USES - 1}


def test_concurrent_confirmations_add_one_factor(
    build: Callable[..., Service], service: Service, sub_user: SubUserHandle, person: Person
) -> None:
    """Only one of several sessions adds the first factor: the others then need one."""
    people = [Person(each, sub_user.log_in().token) for each in [service, build()] * 4]
    results = run_concurrently([each.add_totp for each in people])
    assert Counter(type(result).__name__ for result in results) == {"AddedTotp": 1, SecondFactorNeeded.__name__: 7}


def test_throttling_holds_under_concurrency(
    build: Callable[..., Service], service: Service, sub_user: SubUserHandle, person: Person
) -> None:
    """Of 64 wrong codes from one address at the same time, five are verified."""
    person.add_totp()
    services = [service, build()]
    attempts = [
        partial(Person(services[number % 2], sub_user.log_in().token).verify, TotpProof("wrong"))
        for number in range(USES)
    ]
    counts = Counter(type(result).__name__ for result in run_concurrently(attempts))
    assert counts == {"SecondFactorWrong": 5, TooManyAttempts.__name__: USES - 5}


def test_guesses_do_not_lock_a_person_out(service: Service, sub_user: SubUserHandle, person: Person) -> None:
    """After 100 failures from anywhere, a known network still works, and other networks get one attempt an hour."""
    added = person.add_totp()
    code, context = person.code(added), context_from("198.51.100.1")
    Person(service, sub_user.log_in().token).verify(RecoveryCodeProof(added.recovery_codes[0]), context)
    keys = [second_factor_keys(service.keyed_hasher, sub_user.sub_user_id, ip) for ip in ips_in_distinct_networks(100)]
    count_failures(service, keys)
    with pytest.raises(SecondFactorWrong):
        Person(service, sub_user.log_in().token).verify(code, context_from("203.0.113.1"))
    assert Person(service, sub_user.log_in().token).verify(code, context).assurance is AssuranceLevel.SECOND_FACTOR


def test_codes_and_passwords_are_counted_apart(
    service: Service, clock: TravelingClock, sub_user: SubUserHandle, person: Person
) -> None:
    """A right code does not reset the failures of the password, nor a login those of codes."""
    clock.freeze()
    added = person.add_totp()
    for _ in range(4):
        with pytest.raises(LoginRefused):
            sub_user.log_in("not the password")
        with pytest.raises(SecondFactorWrong):
            person.verify(TotpProof("wrong"))
    person.verify(person.code(added))
    with pytest.raises(LoginRefused):
        sub_user.log_in("not the password")
    with pytest.raises(TooManyAttempts):
        sub_user.log_in("not the password")
    with pytest.raises(SecondFactorWrong):
        person.verify(TotpProof("wrong"))


def test_few_of_many_refusals_are_recorded(service: Service, sub_user: SubUserHandle, person: Person) -> None:
    """The first five in a row, then those whose number is a power of two."""
    person.add_totp()
    for ip in ips_in_distinct_networks(20):
        with pytest.raises(SecondFactorWrong):
            person.verify(TotpProof("wrong"), context_from(ip))
    assert event_types(sub_user.company).count("SecondFactorRefused") == 7


def test_a_lost_session_verifies_nothing(sub_user: SubUserHandle, person: Person) -> None:
    added = person.add_totp()
    code = person.code(added)
    sub_user.change(active=False)
    with pytest.raises(SessionEnded):
        person.verify(code)


@pytest.mark.parametrize("end_access", ["deactivate", "close"])
def test_a_passkey_signs_nobody_in_without_access(
    service: Service, company: Company, sub_user: SubUserHandle, person: Person, end_access: str
) -> None:
    authenticator = person.add_passkey()
    assert person.sign_in(person.sign_in_answer(authenticator)).assurance is AssuranceLevel.SECOND_FACTOR
    if end_access == "deactivate":
        sub_user.change(active=False)
    else:
        service.commands.accounts.close(company.account_id, PORTAL)
    with pytest.raises(LoginRefused):
        person.sign_in(person.sign_in_answer(authenticator))


def test_a_login_with_a_passkey_ends_no_lock_of_the_password(
    service: Service, company: Company, sub_user: SubUserHandle, person: Person
) -> None:
    authenticator = person.add_passkey()

    def lock(account: Any) -> tuple[None, list[Any]]:
        metadata = PORTAL.without_personal_data()
        account.record_refused_login(sub_user.sub_user_id, "wrong_password", 100, at=service.clock(), metadata=metadata)
        return None, []

    service.main_accounts.change(company.account_id, lock)
    person.sign_in(person.sign_in_answer(authenticator))
    assert sub_user.state().locked


def test_the_owner_has_second_factors_too(service: Service, company: Company, owner: Person) -> None:
    """A code, a recovery code and a passkey; a passkey of the owner signs no sub-user in."""
    added, authenticator = owner.add_totp(), owner.add_passkey()
    second = replace(owner, token=log_in_owner(service, company))
    second.verify(owner.code(added))
    third = replace(owner, token=log_in_owner(service, company))
    third.verify(RecoveryCodeProof(added.recovery_codes[0]))
    assert owner.sign_in(owner.sign_in_answer(authenticator)).person_id == company.account_id
    as_sub_user = replace(owner, is_owner=False)
    with pytest.raises(LoginRefused):
        as_sub_user.sign_in(as_sub_user.sign_in_answer(authenticator))


def test_support_resets_the_owners_factors(service: Service, company: Company, owner: Person) -> None:
    """With the reason in the history. The owner's sessions end."""
    added = owner.add_totp()
    service.commands.second_factor_resets.reset(company.account_id, None, SUPPORT)
    assert service.queries.sessions.find(token_hash(owner.token), service.clock()) is None
    second = replace(owner, token=log_in_owner(service, company))
    with pytest.raises(NoSecondFactor):
        second.verify(RecoveryCodeProof(added.recovery_codes[0]))


def test_a_change_of_the_policy_binds_every_later_check(service: Service, company: Company, person: Person) -> None:
    """While the policy changes back and forth, every check agrees with the policy before or after it."""
    question = Question("assistants")

    def is_allowed() -> bool:
        checked = service.commands.access.check_session(token_hash(person.token), [question])
        assert checked is not None
        (decision,) = checked.decisions
        assert decision.missing in {None, Missing.SECOND_FACTOR}
        return decision.is_allowed

    for _ in range(20):
        set_policy(company, SecondFactorPolicy.REQUIRED)
        assert not is_allowed()
        set_policy(company, SecondFactorPolicy.OPTIONAL)
        assert is_allowed()


def test_concurrent_changes_of_the_policy_agree_with_the_events(
    build: Callable[..., Service], service: Service, company: Company, person: Person
) -> None:
    """The row by which sessions are checked is that of the last event."""
    companies = [company, company.with_service(build())]
    policies = [SecondFactorPolicy.REQUIRED, SecondFactorPolicy.OPTIONAL]
    run_concurrently([partial(set_policy, companies[n % 2], policies[n // 2 % 2]) for n in range(32)])
    checked = service.commands.access.check_session(token_hash(person.token), [])
    assert checked is not None
    is_required = company.state().second_factor_policy is SecondFactorPolicy.REQUIRED
    assert checked.step_up_required is is_required


@pytest.mark.parametrize("how", ["delete", "reset", "remove"])
def test_secrets_are_deleted_with_the_factors(
    service: Service, sub_user: SubUserHandle, person: Person, database_url: str, how: str
) -> None:
    """Deleting the person, a reset, and removing the last factor delete codes and challenges, too."""
    person.add_totp()
    commands = service.commands
    commands.sub_user_second_factors.offer_totp(person.token)
    match how:
        case "delete":
            sub_user.delete()
        case "reset":
            commands.second_factor_resets.reset(sub_user.company.account_id, sub_user.sub_user_id, PORTAL)
        case _:
            (factor,) = commands.sub_user_second_factors.list_all(person.token).items
            commands.sub_user_second_factors.remove(person.token, factor.factor_id, PORTAL)
    for table in ("second_factors", "recovery_codes", "sign_in_challenges"):
        assert fetch(database_url, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608  # a constant


def test_erasing_an_account_erases_the_owners_factors(
    service: Service, company: Company, owner: Person, database_url: str
) -> None:
    owner.add_totp()
    service.commands.erasures.erase_account(company.account_id)
    assert fetch(database_url, "SELECT count(*) FROM second_factors") == [(0,)]
    assert fetch(database_url, "SELECT count(*) FROM recovery_codes") == [(0,)]


def test_recovery_codes_are_random_and_long(person: Person) -> None:
    """Like generated passwords: 25 characters with 123 random bits."""
    codes = person.add_totp().recovery_codes
    assert len({*codes}) == 10
    assert all(len(code.replace("-", "")) == 25 for code in codes)
