"""The usage page: how the plan stands, what was used by day, and by whom."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from application.webhooks import Why

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.callers import SubUser
    from tests.console.browsing import Page
    from tests.console.conftest import House

MAY = "/usage?month=2026-05"
NOON = "2026-05-10T12:00:00Z"


def report(one: SubUser, **used: Any) -> None:
    """Have the portal report what they used, in May 2026 if no time is told."""
    row = {"sub_user_id": one.sub_user_id, "occurred_at": NOON, **used}
    answer = one.account.portal.post(f"{one.account.path}/usage", json={"usage": [row]})
    assert answer.status_code == 201, answer.text


def today(house: House) -> date:
    return house.doors.service.clock().astimezone(UTC).date()


def now(house: House) -> str:
    return house.doors.service.clock().isoformat()


def include(house: House, minutes: int, tokens: int) -> None:
    """Have the portal say what the plan includes."""
    plan = {"included_minutes": minutes, "included_tokens": tokens, "period_start": today(house).isoformat()}
    assert house.account.portal.put(f"{house.account.path}/plan", json=plan).status_code == 200


def rows(page: Page) -> list[list[str]]:
    """Return the rows of the table of sub-users."""
    found = page.soup.select("table.table-cards tbody tr")
    return [[" ".join(cell.get_text(" ").split()) for cell in row.select("th, td")] for row in found]


def meters(page: Page) -> list[tuple[str, str]]:
    """Return how full each meter is, and the words below it."""
    return [
        (str(meter["value"]), " ".join(text.get_text() for text in meter.find_next_siblings("p")))
        for meter in page.soup.select("progress")
    ]


def test_it_says_that_nothing_has_been_recorded(house: House) -> None:
    """And shows no number that nobody counted."""
    page = house.owner().get("/usage")
    assert page.status == 200
    assert "No usage has been recorded yet" in page.text
    assert not any(letter.isdigit() for letter in page.text)
    assert page.find("header a[aria-current=page]").text == "Usage"


def test_it_speaks_italian(new_house: Callable[..., House]) -> None:
    house = new_house(language="it")
    owner = house.owner(language="it")
    assert "Non è stato ancora registrato alcun consumo" in owner.get("/usage").text
    report(house.account.let_in(), conversation_minutes=1234.56, llm_tokens=1_234_567)
    page = owner.get(MAY)
    assert rows(page) == [["Grace Hopper", "1.234,6", "1.234.567"], ["Tutti", "1.234,6", "1.234.567"]]
    assert "maggio 2026" in page.text


def test_a_month_by_day_and_by_sub_user(house: House) -> None:
    """In numbers and in bars; every day of it is there, as UTC has it."""
    grace, ada = house.account.let_in(), house.account.let_in(name="<b>Ada", surname="Lovelace")
    report(grace, conversation_minutes=90.26, llm_tokens=1500)
    report(ada, llm_tokens=500, occurred_at="2026-06-01T01:00:00+02:00")
    report(ada, conversation_minutes=5, occurred_at="2026-06-01T00:00:00Z")

    page = house.owner().get(MAY)

    assert rows(page) == [
        ["<b>Ada Lovelace", "0", "500"],
        ["Grace Hopper", "90.3", "1,500"],
        ["Everybody", "90.3", "2,000"],
    ]
    assert [bar["width"] for bar in page.soup.select("td.amount rect.activities")] == ["0.0", "33.3", "100.0", "100.0"]
    assert page.soup.select(f'a[href="/sub-users/{grace.sub_user_id}"]')
    minutes, tokens = page.soup.select("figure.chart")
    assert (len(minutes.select("g")), len(minutes.select("rect.activities"))) == (31, 1)
    assert len(tokens.select("rect.activities")) == 2
    assert "31 May 2026 \N{EN DASH} LLM tokens: 500" in tokens.text
    as_tables = page.soup.select("details.as-table")
    assert [len(table.select("tbody tr")) for table in as_tables] == [31, 31]
    assert "in UTC" in page.text
    assert not page.soup.select("progress")
    assert page.find("option[selected]")["value"] == "2026-05"


def test_hidden_and_deleted_sub_users(house: House) -> None:
    """Totals have everybody, and it is said whom the rows leave out."""
    hidden, gone = house.account.let_in(visible=False), house.account.let_in(name="Ada")
    report(hidden, conversation_minutes=2, llm_tokens=10)
    report(gone, conversation_minutes=1, llm_tokens=7)
    assert house.account.portal.delete(gone.path).status_code == 204
    owner = house.owner()

    page = owner.get(MAY)
    assert rows(page) == [["Deleted sub-users, together", "1", "7"], ["Everybody", "3", "17"]]
    assert "They used 2 minutes of conversation and 10 LLM tokens." in page.text
    assert "Ada" not in page.text

    page = owner.submit(page, "/usage", hidden=True)
    assert rows(page)[0] == ["Grace Hopper hidden", "2", "10"]
    assert "do not add up" not in page.text
    assert page.find("input[name=hidden]").has_attr("checked")


@pytest.mark.parametrize(
    ("minutes", "percent", "told"),
    [
        (79.99, "79", "80 of 100 used (79 %)"),
        (80, "80", "80 of 100 used (80 %) At least 80 % of what the plan includes is used."),
        (99.9, "99", "99.9 of 100 used (99 %) At least 80 % of what the plan includes is used."),
        (100, "100", "100 of 100 used (100 %) All that the plan includes is used."),
        (1250, "100", "1,250 of 100 used (1,250 %) All that the plan includes is used."),
    ],
)
def test_how_the_plan_stands(house: House, minutes: float, percent: str, told: str) -> None:
    """As a meter and in words; what is not included has no meter."""
    include(house, 100, 0)
    report(house.account.let_in(), conversation_minutes=minutes, llm_tokens=5, occurred_at=now(house))

    page = house.owner().get("/usage")

    assert meters(page) == [(percent, told)]
    assert "5 used; the plan includes none." in page.text


def test_a_plan_of_which_nothing_is_used(house: House) -> None:
    """It is shown beside the words that there is nothing."""
    include(house, 100, 1000)
    page = house.owner().get("/usage")
    assert meters(page) == [("0", "0 of 100 used (0 %)"), ("0", "0 of 1,000 used (0 %)")]
    assert "No usage has been recorded yet" in page.text


def test_an_empty_month_beside_others(house: House) -> None:
    """The page of this month then still leads to those."""
    earlier = today(house).replace(day=1) - timedelta(days=20)
    at = datetime(earlier.year, earlier.month, earlier.day, tzinfo=UTC).isoformat()
    report(house.account.let_in(), llm_tokens=3, occurred_at=at)
    owner = house.owner()

    page = owner.get("/usage")
    assert "Nothing was used from" in page.text
    page = owner.submit(page, "/usage", month=earlier.isoformat()[:7])
    assert rows(page)[-1] == ["Everybody", "0", "3"]
    assert "Nothing was used from" in page.find(".charts").text  # no minutes


@pytest.mark.parametrize("month", ["x", "2026-13", "2026-05-01", "1969-12", "2999-01", "9999-12", "0001-01", "a%00b"])
def test_what_is_no_month(house: House, month: str) -> None:
    """The form is shown again."""
    page = house.owner().get(f"/usage?month={month}")
    assert page.status == 422
    assert page.error("month") == "Choose a month from the list."


@pytest.mark.parametrize("month", ["", "%20", "1970-01"])
def test_months_at_the_edge(house: House, month: str) -> None:
    """None chosen is the period that is running; an old one that is not offered can be asked for."""
    page = house.owner().get(f"/usage?month={month}&page=2")
    assert page.status == 200


def test_other_accounts_are_apart(new_house: Callable[..., House], house: House) -> None:
    report(new_house().account.let_in(name="Somebody"), llm_tokens=1)
    assert "Nothing was used from" in house.owner().get(MAY).text


def test_sub_users_do_not_see_it(house: House) -> None:
    assert house.sub_user().get("/usage").status == 403


def test_the_time_line_tells_of_usage_plans_and_webhooks(house: House) -> None:
    """In words, and the filter has a place for each."""
    include(house, 1000, 5)
    report(house.account.let_in(), conversation_minutes=1.5, llm_tokens=1234, occurred_at=now(house))
    body = {"account_id": house.account.account_id, "url": "https://receiver.example/"}
    made: Any = house.account.portal.post("/v1/webhooks", json=body).json
    house.doors.service.webhooks.disable(UUID(made["webhook_id"]), Why.GONE)

    page = house.owner().get("/monitoring")

    for sentence in (
        "Winds & Waves set what the plan includes a month: 1,000 minutes, 5 tokens",
        "Grace Hopper used the plan: 1.5 min of conversation, 1,234 LLM tokens",
        "Winds & Waves added a webhook",
        "A webhook was disabled: its receiver said that it is gone",
    ):
        assert sentence in page.text
    assert page.find('optgroup[label="Webhooks"]').select('option[value="webhook.disabled"]')
