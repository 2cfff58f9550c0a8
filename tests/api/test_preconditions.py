"""If-Match: a change that is meant for a sub-user as they were is not made to one who has been changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.callers import OWN, Account, SubUser, require_problem
from tests.people import deliver_mails
from tests.waiting import at_once

if TYPE_CHECKING:
    from tests.api.callers import Caller, Doors


@pytest.fixture
def one(account: Account) -> SubUser:
    """Give a sub-user who is active, with a password of their own."""
    return account.let_in_settled()


def test_a_change_with_the_present_tag_is_made(one: SubUser, portal: Caller) -> None:
    """And so are one with a star and one without any, each answering the new tag."""
    for number, headers in enumerate(({"If-Match": one.etag()}, {"If-Match": "*"}, {"If-Match": " * "}, {})):
        changed = portal.patch(one.path, json={"name": f"Name {number}"}, headers=headers)
        assert changed.status_code == 200
        assert changed.headers["ETag"] == one.etag()


@pytest.mark.parametrize(
    "tag",
    ['"0"', '"999999"', "", "1", '"', 'W/"{}"', '"{}', "'{}'", '"-{}"', '"{}", "0"', '"\u00b2"', '"' + "9" * 400 + '"'],
)
def test_a_change_with_another_tag_is_not_made(one: SubUser, portal: Caller, tag: str) -> None:
    """412 for an old one, a weak one, several, and for what is no tag; neither changed nor deleted."""
    before = one.shown()
    headers = {"If-Match": tag.format(one.etag().strip('"'))}
    require_problem(portal.patch(one.path, json={"name": "Ada"}, headers=headers), 412, "revision-mismatch")
    require_problem(portal.patch(one.path, json={}, headers=headers), 412, "revision-mismatch")
    require_problem(portal.delete(one.path, headers=headers), 412, "revision-mismatch")
    assert one.shown() == before


def test_a_deletion_with_the_present_tag_is_made(one: SubUser, portal: Caller) -> None:
    """And not with the one before."""
    old = one.etag()
    one.change(name="Ada")
    require_problem(portal.delete(one.path, headers={"If-Match": old}), 412, "revision-mismatch")
    assert portal.delete(one.path, headers={"If-Match": one.etag()}).status_code == 204


def test_of_two_changes_with_the_same_tag_at_once_one_is_made(one: SubUser, portal: Caller) -> None:
    """The other one gets 412."""
    headers = {"If-Match": one.etag()}
    answers = at_once(
        [
            lambda name=name: portal.patch(one.path, json={"name": name}, headers=headers).status_code  # type: ignore[misc]
            for name in ("Ada", "Alan", "Barbara", "Edsger")
        ]
    )
    assert sorted(answers, key=str) == [200, 412, 412, 412]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Ada"},
        {"surname": "Lovelace"},
        {"visible": False},
        {"active": False},
        {"access_expires_at": "2099-01-01T00:00:00Z"},
        {"password": "another phrase for now"},
    ],
)
def test_whatever_the_owner_changes_changes_the_tag(one: SubUser, change: dict[str, object]) -> None:
    """Each thing by itself."""
    before = one.etag()
    one.change(**change)
    assert one.etag() != before


def test_a_new_password_or_new_access_data_changes_the_tag(account: Account, portal: Caller) -> None:
    """Be it the sub-user's own or the main account's doing."""
    one = account.let_in_active()
    tags = [one.etag()]
    one = one.choosing(OWN)
    tags.append(one.etag())
    portal.post(f"{one.path}/credentials-mail")
    tags.append(one.etag())
    assert len(set(tags)) == 3


def test_logins_and_mails_leave_the_tag_alone(doors: Doors, one: SubUser) -> None:
    """Their own login, a refused one and a logout, and what comes of a mail: a tag read before stays good."""
    one.change(password=OWN + "!")
    before = one.etag()
    mailed = one.shown()["credentials_mail"]
    assert one.log_in(password=OWN + "!").status_code == 201
    assert one.log_in(password="not what it is").status_code == 401
    doors.portal.delete(f"{one.path}/sessions")
    deliver_mails(doors.service)
    assert (mailed, one.shown()["credentials_mail"]) == ("pending", "sent")
    assert one.etag() == before
    assert doors.portal.patch(one.path, json={"name": "Ada"}, headers={"If-Match": before}).status_code == 200


def test_what_others_do_leaves_the_tag_alone(one: SubUser, account: Account) -> None:
    """Another sub-user of the account logs in, is changed, is deleted."""
    before = one.etag()
    other = account.let_in_active()
    other.token()
    other.change(name="Somebody else")
    account.portal.delete(other.path)
    assert one.etag() == before
