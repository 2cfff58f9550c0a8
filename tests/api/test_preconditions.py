"""If-Match: a change or deletion is refused if the sub-user has changed since the client read the entity tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.clients import OWN_PASSWORD, Account, SubUser, require_problem
from tests.builders import deliver_mails
from tests.waiting import run_concurrently

if TYPE_CHECKING:
    from tests.api.clients import ApiClient, ApiClients


@pytest.fixture
def sub_user(account: Account) -> SubUser:
    """Return an active sub-user with a password of their own."""
    return account.create_with_own_password()


def test_change_with_the_current_tag_is_made(sub_user: SubUser, portal: ApiClient) -> None:
    """A change with a star or without the header is made too; each response has the new tag."""
    for number, headers in enumerate(({"If-Match": sub_user.fetch_etag()}, {"If-Match": "*"}, {"If-Match": " * "}, {})):
        changed = portal.patch(sub_user.path, json={"name": f"Name {number}"}, headers=headers)
        assert changed.status_code == 200
        assert changed.headers["ETag"] == sub_user.fetch_etag()


@pytest.mark.parametrize(
    "tag",
    ['"0"', '"999999"', 'W/"0"', '"-{}"', '"0{}", "0"', '"\u00b2"', '""', '"a", "{}b"', '"' + "9" * 400 + '"'],
)
def test_change_or_deletion_with_another_tag_is_refused(sub_user: SubUser, portal: ApiClient, tag: str) -> None:
    before = sub_user.fetch()
    headers = {"If-Match": tag.format("x" + sub_user.fetch_etag().strip('"'))}
    require_problem(portal.patch(sub_user.path, json={"name": "Ada"}, headers=headers), 412, "revision-mismatch")
    require_problem(portal.patch(sub_user.path, json={}, headers=headers), 412, "revision-mismatch")
    require_problem(portal.delete(sub_user.path, headers=headers), 412, "revision-mismatch")
    assert sub_user.fetch() == before


@pytest.mark.parametrize("tag", ['W/"{}"', '"0", "{}"', '"{}","0"', ' W/"7" ,, W/"{}", ', '"a,b", "{}"'])
def test_lists_and_weak_tags_match(sub_user: SubUser, portal: ApiClient, tag: str) -> None:
    """RFC 9110 allows lists; nginx weakens a tag when it compresses the response."""
    headers = {"If-Match": tag.format(sub_user.fetch_etag().strip('"'))}
    assert portal.patch(sub_user.path, json={"name": "Ada"}, headers=headers).status_code == 200
    headers = {"If-Match": tag.format(sub_user.fetch_etag().strip('"'))}
    assert portal.delete(sub_user.path, headers=headers).status_code == 204


@pytest.mark.parametrize("tag", ["", "1", '"', '"{}', "'{}'", 'w/"{}"', '"{}" "0"', '"{}" x', '*, "{}"', ",", '"a b"'])
def test_malformed_list_of_tags_is_refused(sub_user: SubUser, portal: ApiClient, tag: str) -> None:
    """A 412 would wrongly report a concurrent change."""
    before = sub_user.fetch()
    headers = {"If-Match": tag.format(sub_user.fetch_etag().strip('"'))}
    for response in (
        portal.patch(sub_user.path, json={"name": "Ada"}, headers=headers),
        portal.delete(sub_user.path, headers=headers),
    ):
        require_problem(response, 422, "invalid-input", "If-Match")
    assert sub_user.fetch() == before


def test_deletion_with_the_current_tag_is_made(sub_user: SubUser, portal: ApiClient) -> None:
    stale_tag = sub_user.fetch_etag()
    sub_user.change(name="Ada")
    require_problem(portal.delete(sub_user.path, headers={"If-Match": stale_tag}), 412, "revision-mismatch")
    assert portal.delete(sub_user.path, headers={"If-Match": sub_user.fetch_etag()}).status_code == 204


def test_one_of_concurrent_changes_with_the_same_tag_is_made(sub_user: SubUser, portal: ApiClient) -> None:
    """The others get 412."""
    headers = {"If-Match": sub_user.fetch_etag()}
    statuses = run_concurrently(
        [
            lambda name=name: portal.patch(sub_user.path, json={"name": name}, headers=headers).status_code  # type: ignore[misc]
            for name in ("Ada", "Alan", "Barbara", "Edsger")
        ]
    )
    assert sorted(statuses, key=str) == [200, 412, 412, 412]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Ada"},
        {"surname": "Lovelace"},
        {"visible": False},
        {"status": "inactive"},
        {"access_expires_at": "2099-01-01T00:00:00Z"},
        {"password": "another phrase for now"},
    ],
)
def test_each_change_by_the_owner_changes_the_tag(sub_user: SubUser, change: dict[str, object]) -> None:
    before = sub_user.fetch_etag()
    sub_user.change(**change)
    assert sub_user.fetch_etag() != before


def test_new_password_or_credentials_mail_changes_the_tag(account: Account, portal: ApiClient) -> None:
    sub_user = account.create_active()
    tags = [sub_user.fetch_etag()]
    sub_user = sub_user.set_own_password(OWN_PASSWORD)
    tags.append(sub_user.fetch_etag())
    portal.post(f"{sub_user.path}/credentials-mail")
    tags.append(sub_user.fetch_etag())
    assert len(set(tags)) == 3


def test_logins_and_deliveries_do_not_change_the_tag(clients: ApiClients, sub_user: SubUser) -> None:
    """A tag read before a login, a refused login, a logout or the delivery of a mail stays valid."""
    sub_user.change(password=OWN_PASSWORD + "!")
    before = sub_user.fetch_etag()
    mail_status_before = sub_user.fetch()["credentials_mail"]
    assert sub_user.log_in(password=OWN_PASSWORD + "!").status_code == 201
    assert sub_user.log_in(password="not what it is").status_code == 401
    clients.portal.delete(f"{sub_user.path}/sessions")
    deliver_mails(clients.service)
    assert (mail_status_before, sub_user.fetch()["credentials_mail"]) == ("pending", "sent")
    assert sub_user.fetch_etag() == before
    assert clients.portal.patch(sub_user.path, json={"name": "Ada"}, headers={"If-Match": before}).status_code == 200


def test_changes_of_other_sub_users_do_not_change_the_tag(sub_user: SubUser, account: Account) -> None:
    before = sub_user.fetch_etag()
    other_sub_user = account.create_active()
    other_sub_user.new_token()
    other_sub_user.change(name="Somebody else")
    account.portal.delete(other_sub_user.path)
    assert sub_user.fetch_etag() == before
