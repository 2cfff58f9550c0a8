"""What a sub-user sees and does: the password of their own, the profile, the colleagues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.console import colleagues
from domain.permissions import Permission
from tests.api.callers import OWN, TEMPORARY, is_active

if TYPE_CHECKING:
    from tests.conftest import TravelingClock
    from tests.console.browsing import Browser, Page
    from tests.console.conftest import House

ANOTHER = "another password of my own"


def restricted(house: House, **details: str) -> Browser:
    """Return the browser of somebody who logged in with a temporary password."""
    return house.sub_user(house.account.let_in_active(**details), password=TEMPORARY)


def set_password(browser: Browser, current: str, new: str) -> Page:
    return browser.submit(browser.get("/password"), current_password=current, new_password=new)


def test_the_first_login_leads_to_a_password_of_one_s_own(house: House) -> None:
    """Whatever else they open."""
    browser = restricted(house, name="Zoë")

    for path in ("/", "/profile", "/colleagues", "/sub-users", "/account"):
        page = browser.get(path)
        assert (page.path, page.find("h1").text) == ("/password", "Choose a password of your own"), path
    page = browser.get("/password")
    assert "Zoë" in page.text
    assert "Temporary password" in page.text
    assert not page.soup.select("header nav a[href='/profile']")


def test_the_new_password_opens_everything_that_is_theirs(house: House) -> None:
    """With another session; every other one ends."""
    one = house.account.let_in_active()
    browser, elsewhere = house.sub_user(one, password=TEMPORARY), house.sub_user(one, password=TEMPORARY)
    before = browser.cookie("session") or ""

    page = set_password(browser, TEMPORARY, OWN)

    assert (page.path, page.notice) == (
        "/profile",
        "Your password is set. You have been logged out everywhere else.",
    )
    assert browser.cookie("session") != before
    assert not is_active(house.doors.portal, before)
    assert elsewhere.get("/password").path == "/login?why=ended&next=/password"
    assert house.sub_user(one, password=OWN).get("/").path == "/profile"
    assert browser.get("/profile").notice == ""


def test_a_password_is_changed_later_too(house: House) -> None:
    """With the current one."""
    one = house.account.let_in_settled()
    browser = house.sub_user(one)
    assert browser.get("/password").find("h1").text == "Change your password"

    assert set_password(browser, OWN, ANOTHER).path == "/profile"
    assert house.sub_user(one, password=ANOTHER).get("/").path == "/profile"


@pytest.mark.parametrize(
    ("current", "new", "field", "told"),
    [
        ("", ANOTHER, "current_password", "Fill this in."),
        (OWN, "", "new_password", "Fill this in."),
        ("not what it is", ANOTHER, "current_password", "This is wrong."),
        (OWN, "too short", "new_password", "Write 15 to 128 characters."),
        (OWN, "x" * 10_000, "new_password", "This is empty or too long."),
        (OWN, "passwordpassword", "new_password", "This is too common or too easily guessed"),
        (OWN, "grace was here again", "new_password", "It must not contain the email address or the name."),
        (OWN, OWN, "new_password", "Choose one that differs from the current password."),
        (OWN, "with a \0 inside of it all", "new_password", "This contains characters that cannot be used."),
    ],
)
def test_what_is_wrong_stands_at_its_field(house: House, current: str, new: str, field: str, told: str) -> None:
    """And no password is shown again."""
    browser = house.sub_user()
    page = set_password(browser, current, new)

    assert page.status == 422
    assert page.error(field).startswith(told)
    assert page.find(f"#{field}")["aria-invalid"] == "true"
    assert len(page.soup.select(".notice.wrong[role=alert]")) == 1
    assert not page.soup.select("input[type=password][value]")
    assert browser.get("/profile").path == "/profile"


def test_guessing_the_current_password_has_to_wait(own_house: House, clock: TravelingClock) -> None:
    """The form says for how long."""
    clock.stand_still()
    browser = own_house.sub_user()
    for _ in range(5):
        assert set_password(browser, "not what it is", ANOTHER).status == 422
    page = set_password(browser, OWN, ANOTHER)

    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0
    assert "There were too many failed attempts." in page.find(".notice.warning[role=alert]").text


def test_who_is_let_out_meanwhile_is_told_so(house: House) -> None:
    """By a form as by a link: the next click leads to the login."""
    one = house.account.let_in_settled()
    browser = house.sub_user(one)
    form = browser.get("/password")
    one.change(active=False)

    for page in (
        browser.submit(form, current_password=OWN, new_password=ANOTHER),
        browser.get("/colleagues"),
        browser.get("/profile"),
    ):
        assert page.path.startswith("/login?why=ended")
        assert "Your session has ended. Log in again." in page.text


def test_the_profile_says_who_they_are_and_what_they_may_do(house: House) -> None:
    """In words."""
    one = house.account.let_in_settled(name="Maria", surname="<i>Rossi</i>", access_expires_at="2033-05-01T10:00:00Z")
    page = house.sub_user(one).get("/profile")

    assert page.find("h1").text == "Maria <i>Rossi</i>"
    for told in (one.email, house.account.email, "Winds & Waves", "1 May 2033, 10:00", "See statistics"):
        assert told in page.text
    assert page.find("header a[aria-current=page]").text == "Profile"
    words = [item.text for item in page.soup.select("main li")]
    assert len(set(words)) == len(Permission)
    assert "Manage sub-users" in words[-4:]


def test_the_profile_speaks_italian(house: House) -> None:
    """Where the account or the browser does."""
    house.account.portal.patch(house.account.path, json={"language": "it"})
    page = house.sub_user().get("/profile")

    assert "Che cosa puoi fare" in page.text
    assert "nessuna scadenza" in page.text


def test_the_profile_lists_own_sessions_alone(house: House) -> None:
    """And tells which is this one."""
    one = house.account.let_in_settled()
    browser = house.sub_user(one)
    house.sub_user(one, address="203.0.113.9")
    house.sub_user()
    page = browser.get("/profile")

    rows = [" ".join(row.get_text(" ").split()) for row in page.soup.select("tbody tr")]
    assert ["this one" in row for row in rows].count(True) == 1
    assert any("203.0.113.9" in row and "Firefox · Linux" in row and "this one" not in row for row in rows)
    tokens_of_others = [row for row in rows if "198.51.100.7" in row]
    assert len(tokens_of_others) == 1


def test_colleagues_are_the_visible_ones(house: House) -> None:
    """With their status; hidden ones are nowhere, and nor is another account's anybody."""
    one = house.account.let_in_settled(name="Ada")
    house.account.let_in(name="Zoë", surname="<b>Bold</b>")
    hidden = house.account.let_in_settled(name="Secret", visible=False)
    elsewhere = house.doors.account().let_in(name="Elsewhere")
    page = house.sub_user(one).get("/colleagues")

    rows = [" ".join(row.get_text(" ").split()) for row in page.soup.select("tbody tr")]
    assert [row.split()[0] for row in rows] == ["Ada", "Zoë"]
    assert "you" in rows[0]
    assert rows[0].endswith("Active")
    assert "<b>Bold</b>" in rows[1]
    assert rows[1].endswith("Inactive")
    for absent in (hidden.email, "Secret", elsewhere.email):
        assert absent not in page.response.text
    assert "Ada" in house.sub_user(hidden).get("/colleagues").text


def test_many_colleagues_come_in_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, and back to the first."""
    monkeypatch.setattr(colleagues, "ON_A_PAGE", 2)
    one = house.account.let_in_settled(name="A")
    for name in ("B", "C"):
        house.account.let_in(name=name)
    browser = house.sub_user(one)
    page = browser.get("/colleagues")
    assert [row.text.split()[0] for row in page.soup.select("tbody th")] == ["A", "B"]
    page = browser.get(str(page.find("main nav a")["href"]))
    assert [row.text.split()[0] for row in page.soup.select("tbody th")] == ["C"]
    assert page.find("main nav a")["href"] == "/colleagues"


@pytest.mark.parametrize("cursor", ["nonsense", "%00", "x" * 5000, "%ED%A0%80"])
def test_a_made_up_cursor_is_refused(house: House, cursor: str) -> None:
    """With a page that says so."""
    assert house.sub_user().get(f"/colleagues?cursor={cursor}").status == 422


def test_a_cursor_of_another_account_is_refused(
    new_house: object, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leads nowhere."""
    monkeypatch.setattr(colleagues, "ON_A_PAGE", 1)
    house.account.let_in(name="B")
    href = str(house.sub_user().get("/colleagues").find("main nav a")["href"])
    other = house.of(house.doors)

    assert other.sub_user().get(href).status == 422
