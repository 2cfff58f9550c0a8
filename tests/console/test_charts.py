"""Where the bars of charts stand."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.charts import (
    HEIGHT,
    LOWEST_BAR,
    MOST_PEOPLE,
    PERSON_WIDTH,
    amount_chart,
    day_chart,
    person_bars,
    scale_top,
)
from projections.audit_counts import DayCount, PersonCount

FIRST = date(2026, 11, 1)
numbers = st.integers(0, 10**9)


def days(*counts: tuple[int, int]) -> list[DayCount]:
    """Return days in a row with so many logins and activities."""
    return [
        DayCount(FIRST + timedelta(days=number), logins, activities)
        for number, (logins, activities) in enumerate(counts)
    ]


def person(logins: int, activities: int) -> PersonCount:
    return PersonCount(uuid4(), "Grace Hopper", True, logins, activities)


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 2), (1, 2), (2, 2), (3, 4), (7, 8), (9, 10), (10, 10), (11, 20), (61, 80), (81, 100), (101, 200)],
)
def test_a_scale_ends_with_a_round_number(most: int, top: int) -> None:
    assert scale_top(most) == top


@given(numbers)
def test_a_scale_has_room_for_everything_and_a_whole_middle(most: int) -> None:
    top = scale_top(most)
    assert most <= top <= max(2, 2 * most)
    assert top % 2 == 0


def test_bars_are_as_high_as_the_scale_says() -> None:
    chart = day_chart(days((0, 0), (5, 10), (1, 0)))

    assert chart.ticks == (10, 5, 0)
    assert chart.width == 30
    assert [(bars.logins_height, bars.activities_height) for bars in chart.days] == [(0, 0), (50, 100), (10, 0)]
    assert (chart.logins, chart.activities, chart.is_empty) == (6, 10, False)


def test_what_little_there_is_can_be_seen_beside_much() -> None:
    assert day_chart(days((1, 1_000_000))).days[0].logins_height == LOWEST_BAR


def test_nothing_at_all_is_empty() -> None:
    assert day_chart(days((0, 0), (0, 0))).is_empty


@pytest.mark.parametrize(
    ("count", "marked"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (30, [0, 14, 29]), (92, [0, 45, 91])]
)
def test_the_scale_names_the_first_day_the_middle_one_and_the_last(count: int, marked: list[int]) -> None:
    assert day_chart(days(*[(1, 1)] * count)).marks == [FIRST + timedelta(days=number) for number in marked]


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=92))
def test_no_bar_leaves_the_drawing_or_meets_another(counts: list[tuple[int, int]]) -> None:
    chart = day_chart(days(*counts))

    for bars in chart.days:
        assert bars.x <= bars.logins_x < bars.logins_x + bars.bar_width < bars.activities_x
        assert bars.activities_x + bars.bar_width < bars.x + 10 <= chart.width
        assert max(bars.logins_height, bars.activities_height) <= HEIGHT
    assert chart.counts == days(*counts)


def test_the_longest_bars_are_those_of_who_did_most() -> None:
    bars = person_bars([person(1, 3), person(1, 0)])

    assert [(one.activities_width, one.logins_width) for one in bars] == [(75, 25), (0, 25)]


@given(st.lists(st.tuples(numbers, numbers).filter(any), max_size=30))
def test_at_most_ten_people_have_bars_and_all_have_room(counts: list[tuple[int, int]]) -> None:
    everybody = sorted((person(*count) for count in counts), key=lambda one: -one.logins - one.activities)
    bars = person_bars(everybody)

    assert [one.count for one in bars] == everybody[:MOST_PEOPLE]
    assert all(one.activities_width + one.logins_width <= PERSON_WIDTH + 0.01 for one in bars)


def test_bars_of_amounts_are_as_high_as_the_scale_says() -> None:
    """The scale has whole numbers, whatever the amounts."""
    chart = amount_chart([(FIRST, 0), (FIRST + timedelta(days=1), 9.1), (FIRST + timedelta(days=2), 0.05)])

    assert (chart.ticks, chart.width, chart.is_empty) == ((10, 5, 0), 30, False)
    assert [bar.height for bar in chart.days] == [0, 91, LOWEST_BAR]
    assert all(bar.x < bar.bar_x < bar.bar_x + bar.bar_width < bar.x + 10 for bar in chart.days)
    assert amount_chart([(FIRST, 0)]).is_empty
