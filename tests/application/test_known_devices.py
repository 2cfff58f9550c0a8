"""Sign-ins from devices: the first from a device that is not known is recorded, and only a hash of its id is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from application.commands.accounts import AccountChanges
from domain.refusals import LoginRefused
from tests.builders import PORTAL, Company, deliver_mails, event_types, plain_text
from tests.postgres import fetch
from tests.table_contents import contents, tables_containing
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from uuid import UUID

    from api.bootstrap.service import Service
    from application.command_context import CommandContext
    from tests.builders import SubUserHandle
    from tests.conftest import TravelingClock

OWNER_PASSWORD = "the owner keeps this one"
LAPTOP, PHONE = "canary-laptop", "canary-phone"


def from_device(device_id: str) -> CommandContext:
    return replace(PORTAL, device_id_of=lambda _: device_id)


def new_devices(company: Company, sub_user_id: UUID | None = None) -> int:
    """Return the number of events about a new device of a person, by default the owner."""
    events = company.service.main_accounts.events.get(company.account_id)
    return sum(
        type(event).__name__ == "NewDeviceSignedIn" and getattr(event, "sub_user_id", None) == sub_user_id
        for event in events
    )


def devices_of(service: Service, person_id: UUID) -> int:
    query = "SELECT FROM devices WHERE person_id = %s"
    return len(fetch(service.settings.owner_url, query, person_id))


@pytest.fixture
def sub_user(company: Company) -> SubUserHandle:
    return company.create_with_own_password()


def test_first_sign_in_from_each_device_is_recorded(company: Company, sub_user: SubUserHandle) -> None:
    """In the transaction of the login, with its session."""
    session = sub_user.log_in(context=from_device(LAPTOP))
    (*_, logged_in, new_device) = company.service.main_accounts.events.get(company.account_id)
    assert (type(logged_in).__name__, type(new_device).__name__) == ("SubUserLoggedIn", "NewDeviceSignedIn")
    assert new_device.session_id == session.session_id  # type: ignore[attr-defined]
    for device_id, expected in ((LAPTOP, 1), (PHONE, 2), (PHONE, 2), (LAPTOP, 2)):
        sub_user.log_in(context=from_device(device_id))
        assert new_devices(company, sub_user.sub_user_id) == expected


def test_sign_in_without_a_device_records_none(company: Company, sub_user: SubUserHandle) -> None:
    sub_user.log_in()
    assert new_devices(company, sub_user.sub_user_id) == 0
    assert devices_of(company.service, sub_user.sub_user_id) == 0


def test_devices_differ_between_people(company: Company, sub_user: SubUserHandle) -> None:
    """The same device is new to the next person, and its hashes do not show that it is the same."""
    other = company.create_with_own_password()
    for person in (sub_user, other):
        person.log_in(context=from_device(LAPTOP))
        assert new_devices(company, person.sub_user_id) == 1
    assert len(fetch(company.service.settings.owner_url, "SELECT DISTINCT device_hash FROM devices")) == 2


def test_refused_login_does_not_make_a_device_known(company: Company, sub_user: SubUserHandle) -> None:
    with pytest.raises(LoginRefused):
        sub_user.log_in("a wrong password", from_device(LAPTOP))
    sub_user.log_in(context=from_device(LAPTOP))
    assert new_devices(company, sub_user.sub_user_id) == 1


def test_first_device_with_a_temporary_password_is_not_told(company: Company) -> None:
    """It becomes known with the password change. A further one is told, also with a temporary password."""
    sub_user = company.create_active()
    sessions = company.service.commands.sub_user_sessions
    token = sub_user.log_in(context=from_device(LAPTOP)).token
    assert devices_of(company.service, sub_user.sub_user_id) == 0
    own = "a password of my own"
    sessions.change_password(token, sub_user.password, own, from_device(LAPTOP))
    assert devices_of(company.service, sub_user.sub_user_id) == 1
    replace(sub_user, password=own).log_in(context=from_device(LAPTOP))
    assert new_devices(company, sub_user.sub_user_id) == 0

    sub_user.change(password="another phrase for now")
    token = sub_user.log_in("another phrase for now", from_device(PHONE)).token
    assert new_devices(company, sub_user.sub_user_id) == 0
    changed = sessions.change_password(token, "another phrase for now", own, from_device(PHONE)).value
    assert new_devices(company, sub_user.sub_user_id) == 1
    assert sub_user.has_session(changed.token)


def test_owners_devices_are_known_by_password_and_link(service: Service) -> None:
    owners = service.commands.owner_sessions
    registered = service.commands.accounts.register(
        PORTAL, email="owner-of-devices@company.example", company_name="Winds", password=OWNER_PASSWORD
    ).value
    company = Company(service, registered.account_id, registered.email)
    owners.log_in(company.email, OWNER_PASSWORD, from_device(LAPTOP))
    assert new_devices(company) == 1
    owners.log_in_by_link(owners.create_link(company.account_id), from_device(LAPTOP))
    assert new_devices(company) == 1
    owners.log_in_by_link(owners.create_link(company.account_id), from_device(PHONE))
    assert new_devices(company) == 2


def test_concurrent_sign_ins_from_a_new_device_are_told_once(company: Company, sub_user: SubUserHandle) -> None:
    outcomes = run_concurrently([lambda: sub_user.log_in(context=from_device(LAPTOP))] * 64)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert new_devices(company, sub_user.sub_user_id) == 1
    assert devices_of(company.service, sub_user.sub_user_id) == 1


@pytest.mark.parametrize(("language", "subject"), [("en", "New device"), ("it", "Nuovo dispositivo")])
def test_new_device_is_told_by_mail(company: Company, sub_user: SubUserHandle, language: str, subject: str) -> None:
    """When, from where and with what, and what to do. Nothing is mailed for a known device."""
    service = company.service
    service.commands.accounts.change(company.account_id, AccountChanges(language=language), PORTAL)
    mails_before = len(deliver_mails(service))
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
    for _ in range(2):
        sub_user.log_in(context=replace(from_device(LAPTOP), ip="192.0.2.44", user_agent=firefox))
    (mail,) = deliver_mails(service)[mails_before:]
    text = plain_text(mail)
    assert mail["To"].addresses[0].addr_spec == sub_user.email
    assert mail["Subject"].startswith(subject)
    assert "Firefox · Windows" in text
    assert "192.0.2.44" in text
    assert "/login?as=sub-user" in text
    assert company.email in text
    assert event_types(company)[-1] == "NoticeMailed"


def test_owner_is_told_of_a_new_device(company: Company) -> None:
    owners = company.service.commands.owner_sessions
    owners.log_in_by_link(owners.create_link(company.account_id), from_device(LAPTOP))
    (mail,) = deliver_mails(company.service)
    assert mail["To"].addresses[0].addr_spec == company.email
    assert "as the owner of the Winds & Waves account" in plain_text(mail).replace("\n", " ")


def test_no_table_has_a_device_id(company: Company, sub_user: SubUserHandle) -> None:
    sub_user.log_in(context=from_device(LAPTOP))
    assert tables_containing(contents(company.service.settings.owner_url), LAPTOP) == set()


def test_erasure_deletes_the_devices(company: Company, sub_user: SubUserHandle) -> None:
    """Of a deleted sub-user, and of the owner."""
    sub_user.log_in(context=from_device(LAPTOP))
    sub_user.delete()
    assert devices_of(company.service, sub_user.sub_user_id) == 0
    owners = company.service.commands.owner_sessions
    owners.log_in_by_link(owners.create_link(company.account_id), from_device(LAPTOP))
    assert devices_of(company.service, company.account_id) == 1
    company.service.commands.erasures.erase_account(company.account_id)
    assert devices_of(company.service, company.account_id) == 0


def test_device_is_forgotten_after_400_days(company: Company, sub_user: SubUserHandle, clock: TravelingClock) -> None:
    """The last use counts."""
    sub_user.log_in(context=from_device(LAPTOP))
    clock.advance(days=300)
    sub_user.log_in(context=from_device(LAPTOP))
    clock.advance(days=300)
    company.service.delete_expired()
    assert devices_of(company.service, sub_user.sub_user_id) == 1
    clock.advance(days=101)
    company.service.delete_expired()
    assert devices_of(company.service, sub_user.sub_user_id) == 0
