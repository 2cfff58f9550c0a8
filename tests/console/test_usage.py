"""Usage page of the console: plan, days and sub-users."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from application.commands.webhooks import DisableReason
from domain.plan import MS_PER_MINUTE
from tests.console.test_monitoring import timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.clients import SubUser
    from tests.conftest import TravelingClock
    from tests.console.browsing import Page
    from tests.console.conftest import AccountConsole

MAY = "/usage?month=2026-05"
NOON = "2026-05-10T12:00:00Z"


def report_usage(sub_user: SubUser, **usage: Any) -> None:
    """Report usage of a sub-user through the portal's API, by default in May 2026."""
    report = {"sub_user_id": sub_user.sub_user_id, "occurred_at": NOON, **usage}
    response = sub_user.account.portal.post(f"{sub_user.account.path}/usage", json={"usage": [report]})
    assert response.status_code == 201, response.text


def today(console: AccountConsole) -> date:
    return console.clients.service.clock().astimezone(UTC).date()


def now(console: AccountConsole) -> str:
    return console.clients.service.clock().isoformat()


def set_plan(console: AccountConsole, minutes: int, tokens: int) -> None:
    """Set the amounts included in the account's plan."""
    plan = {"included_minutes": minutes, "included_tokens": tokens, "period_start": today(console).isoformat()}
    assert console.account.portal.put(f"{console.account.path}/plan", json=plan).status_code == 200


def rows(page: Page) -> list[list[str]]:
    """Return the rows of the sub-user table."""
    table_rows = page.soup.select("table.table-cards tbody tr")
    return [[" ".join(cell.get_text(" ").split()) for cell in row.select("th, td")] for row in table_rows]


def meters(page: Page) -> list[tuple[str, str]]:
    """Return the value of each meter and the text below it."""
    return [
        (str(meter["value"]), " ".join(paragraph.get_text() for paragraph in meter.find_next_siblings("p")))
        for meter in page.soup.select("progress")
    ]


def test_usage_page_without_usage_shows_no_numbers(console: AccountConsole) -> None:
    page = console.owner().get("/usage")
    assert page.status == 200
    assert "No usage yet" in page.text
    assert not any(letter.isdigit() for letter in page.text)
    assert page.find("header a[aria-current=page]").text == "Usage"


def test_usage_page_is_translated_into_italian(new_console: Callable[..., AccountConsole]) -> None:
    console = new_console(language="it")
    owner = console.owner(language="it")
    assert "Ancora nessun consumo" in owner.get("/usage").text
    report_usage(console.account.create_sub_user(), conversation_ms=74_073_600, llm_tokens=1_234_567)
    page = owner.get(MAY)
    assert rows(page) == [["Grace Hopper", "1.234,6", "1.234.567"], ["Totale", "1.234,6", "1.234.567"]]
    assert "maggio 2026" in page.text


def test_usage_of_a_month_by_day_and_sub_user(console: AccountConsole) -> None:
    """The page shows numbers and bars, for every day of the month in UTC."""
    grace, ada = console.account.create_sub_user(), console.account.create_sub_user(name="<b>Ada", surname="Lovelace")
    report_usage(grace, conversation_ms=5_415_600, llm_tokens=1500)
    report_usage(ada, llm_tokens=500, occurred_at="2026-06-01T01:00:00+02:00")
    report_usage(ada, conversation_ms=300_000, occurred_at="2026-06-01T00:00:00Z")

    page = console.owner().get(MAY)

    assert rows(page) == [
        ["<b>Ada Lovelace", "0", "500"],
        ["Grace Hopper", "90.3", "1,500"],
        ["Total", "90.3", "2,000"],
    ]
    assert [bar["width"] for bar in page.soup.select("td.amount rect.activities")] == ["0.0", "33.3", "100.0", "100.0"]
    assert page.soup.select(f'a[href="/sub-users/{grace.sub_user_id}"]')
    minutes, tokens = page.soup.select("figure.chart")
    assert (len(minutes.select("g")), len(minutes.select("rect.activities"))) == (31, 1)
    assert len(tokens.select("rect.activities")) == 2
    assert "31 May 2026 \N{EN DASH} LLM tokens: 500" in tokens.text
    tables = page.soup.select("details.as-table")
    assert [len(table.select("tbody tr")) for table in tables] == [31, 31]
    assert "in UTC" in page.text
    assert not page.soup.select("progress")
    assert page.find("option[selected]")["value"] == "2026-05"


def test_totals_include_hidden_and_deleted_sub_users(console: AccountConsole) -> None:
    """The page says which usage the rows omit."""
    hidden, deleted = console.account.create_sub_user(visible=False), console.account.create_sub_user(name="Ada")
    report_usage(hidden, conversation_ms=120_000, llm_tokens=10)
    report_usage(deleted, conversation_ms=60_000, llm_tokens=7)
    assert console.account.portal.delete(deleted.path).status_code == 204
    owner = console.owner()

    page = owner.get(MAY)
    assert rows(page) == [["Deleted sub-users", "1", "7"], ["Total", "3", "17"]]
    assert "They used 2 minutes of conversation and 10 LLM tokens." in page.text
    assert "Ada" not in page.text

    page = owner.submit(page, "/usage", hidden=True)
    assert rows(page)[0] == ["Grace Hopper hidden", "2", "10"]
    assert "The total includes hidden sub-users" not in page.text
    assert page.find("input[name=hidden]").has_attr("checked")


@pytest.mark.parametrize(
    ("minutes", "percent", "text"),
    [
        (79.99, "79", "80 of 100 used (79%)"),
        (80, "80", "80 of 100 used (80%) You've used at least 80% of what the plan includes."),
        (99.9, "99", "99.9 of 100 used (99%) You've used at least 80% of what the plan includes."),
        (100, "100", "100 of 100 used (100%) You've used everything the plan includes."),
        (1250, "100", "1,250 of 100 used (1,250%) You've used everything the plan includes."),
    ],
)
def test_plan_usage_is_shown_as_meter_and_text(
    console: AccountConsole, minutes: float, percent: str, text: str
) -> None:
    """An amount that the plan does not include has no meter."""
    set_plan(console, 100, 0)
    report_usage(
        console.account.create_sub_user(),
        conversation_ms=round(minutes * MS_PER_MINUTE),
        llm_tokens=5,
        occurred_at=now(console),
    )

    page = console.owner().get("/usage")

    assert meters(page) == [(percent, text)]
    assert "5 used; the plan includes none." in page.text


def test_plan_without_usage_shows_empty_meters(console: AccountConsole) -> None:
    set_plan(console, 100, 1000)
    page = console.owner().get("/usage")
    assert meters(page) == [("0", "0 of 100 used (0%)"), ("0", "0 of 1,000 used (0%)")]
    assert "No usage yet" in page.text


def test_empty_month_links_to_other_months(console: AccountConsole) -> None:
    earlier_day = today(console).replace(day=1) - timedelta(days=20)
    occurred_at = datetime(earlier_day.year, earlier_day.month, earlier_day.day, tzinfo=UTC).isoformat()
    report_usage(console.account.create_sub_user(), llm_tokens=3, occurred_at=occurred_at)
    owner = console.owner()

    assert "No usage from" in owner.get("/usage").text
    page = owner.get(f"/usage?month={earlier_day.isoformat()[:7]}")
    assert rows(page)[-1] == ["Total", "0", "3"]
    assert "No usage from" in page.find(".charts").text  # no minutes


def test_only_months_of_the_account_are_offered(own_console: AccountConsole, clock: TravelingClock) -> None:
    registered_on = today(own_console)
    clock.advance(days=70)
    report_usage(own_console.account.create_sub_user(), llm_tokens=3, occurred_at=now(own_console))
    options = [str(option["value"]) for option in own_console.owner().get("/usage").soup.select("#month option")]
    assert options[-1] == registered_on.isoformat()[:7]
    assert len(options) in {4, 5}  # with the current period


@pytest.mark.parametrize(
    "month",
    [
        "x",
        "2026-13",
        "2026-05-01",
        "1969-12",
        "2999-01",
        "9999-12",
        "0001-01",
        "a%00b",
        "2026-5",
        "%D9%A2%D9%A0%D9%A2%D9%A6-05",
    ],
)
def test_invalid_month_is_reported_at_its_field(console: AccountConsole, month: str) -> None:
    page = console.owner().get(f"/usage?month={month}")
    assert page.status == 422
    assert page.error("month") == "Choose a month from the list."


@pytest.mark.parametrize("month", ["", "%20", "1970-01"])
def test_boundary_months_are_accepted(console: AccountConsole, month: str) -> None:
    """Without a month, the page shows the current period. Months that the list no longer offers are shown too."""
    page = console.owner().get(f"/usage?month={month}&page=2")
    assert page.status == 200


def test_usage_excludes_other_accounts(new_console: Callable[..., AccountConsole], console: AccountConsole) -> None:
    report_usage(new_console().account.create_sub_user(name="Somebody"), llm_tokens=1)
    assert "No usage from" in console.owner().get(MAY).text


def test_usage_page_is_refused_to_sub_users(console: AccountConsole) -> None:
    assert console.sub_user().get("/usage").status == 403


def test_timeline_shows_usage_plans_and_webhooks(console: AccountConsole) -> None:
    """The action filter lists them too."""
    set_plan(console, 1000, 5)
    report_usage(console.account.create_sub_user(), conversation_ms=90_000, llm_tokens=1234, occurred_at=now(console))
    body = {"account_id": console.account.account_id, "url": "https://receiver.example/"}
    webhook: Any = console.account.portal.post("/v1/webhooks", json=body).json
    console.clients.service.commands.webhook_disabling.disable(UUID(webhook["webhook_id"]), DisableReason.GONE)

    page = console.owner().get("/monitoring")

    text = "\n".join(timeline(page))
    for sentence in (
        "Winds & Waves set the monthly plan (minutes: 1,000, tokens: 5)",
        "Grace Hopper used 1.5 min of conversation and 1,234 LLM tokens",
        "Winds & Waves added a webhook",
        "A webhook was disabled (its receiver answered 410 Gone)",
    ):
        assert sentence in text
    assert page.find('optgroup[label="Log and webhooks"]').select('option[value="webhook.disabled"]')
