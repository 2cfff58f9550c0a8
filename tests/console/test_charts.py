"""Geometry of the charts: scales, bars and labels."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.monitoring.charts import (
    HEIGHT,
    MAX_PEOPLE,
    MIN_BAR_HEIGHT,
    PERSON_WIDTH,
    amount_chart,
    day_chart,
    person_bars,
    scale_top,
)
from projections.audit_log.counts import DayCount, PersonCount

FIRST = date(2026, 11, 1)
counts = st.integers(0, 10**9)


def days(*counts: tuple[int, int]) -> list[DayCount]:
    """Return consecutive days with the given logins and activities."""
    return [
        DayCount(FIRST + timedelta(days=number), logins, activities)
        for number, (logins, activities) in enumerate(counts)
    ]


def person(logins: int, activities: int) -> PersonCount:
    return PersonCount(uuid4(), "Grace Hopper", True, logins, activities)


@pytest.mark.parametrize(
    ("maximum", "top"),
    [(0, 2), (1, 2), (2, 2), (3, 4), (7, 8), (9, 10), (10, 10), (11, 20), (61, 80), (81, 100), (101, 200)],
)
def test_scale_top_is_a_round_number(maximum: int, top: int) -> None:
    assert scale_top(maximum) == top


@given(counts)
def test_scale_covers_the_maximum_and_has_an_integer_midpoint(maximum: int) -> None:
    top = scale_top(maximum)
    assert maximum <= top <= max(2, 2 * maximum)
    assert top % 2 == 0


def test_bar_heights_follow_the_scale() -> None:
    chart = day_chart(days((0, 0), (5, 10), (1, 0)))

    assert chart.ticks == (10, 5, 0)
    assert chart.width == 30
    assert [(bars.logins_height, bars.activities_height) for bars in chart.days] == [(0, 0), (50, 100), (10, 0)]
    assert (chart.logins, chart.activities, chart.is_empty) == (6, 10, False)


def test_small_counts_have_a_minimum_bar_height() -> None:
    assert day_chart(days((1, 1_000_000))).days[0].logins_height == MIN_BAR_HEIGHT


def test_chart_without_counts_is_empty() -> None:
    assert day_chart(days((0, 0), (0, 0))).is_empty


@pytest.mark.parametrize(
    ("count", "marked"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (30, [0, 14, 29]), (92, [0, 45, 91])]
)
def test_first_middle_and_last_day_are_labeled(count: int, marked: list[int]) -> None:
    assert day_chart(days(*[(1, 1)] * count)).marks == [FIRST + timedelta(days=number) for number in marked]


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=92))
def test_bars_stay_inside_the_chart_and_do_not_overlap(counts_by_day: list[tuple[int, int]]) -> None:
    chart = day_chart(days(*counts_by_day))

    for bars in chart.days:
        assert bars.x <= bars.logins_x < bars.logins_x + bars.bar_width < bars.activities_x
        assert bars.activities_x + bars.bar_width < bars.x + 10 <= chart.width
        assert max(bars.logins_height, bars.activities_height) <= HEIGHT
    assert chart.counts == days(*counts_by_day)


def test_person_bar_lengths_follow_the_counts() -> None:
    bars = person_bars([person(1, 3), person(1, 0)])

    assert [(bar.activities_width, bar.logins_width) for bar in bars] == [(75, 25), (0, 25)]


@given(st.lists(st.tuples(counts, counts).filter(any), max_size=30))
def test_at_most_ten_person_bars_fit_the_width(counts_by_person: list[tuple[int, int]]) -> None:
    people = sorted((person(*count) for count in counts_by_person), key=lambda count: -count.logins - count.activities)
    bars = person_bars(people)

    assert [bar.count for bar in bars] == people[:MAX_PEOPLE]
    assert all(bar.activities_width + bar.logins_width <= PERSON_WIDTH + 0.01 for bar in bars)


def test_amount_bar_heights_follow_the_scale() -> None:
    """The scale has integers for any amounts."""
    chart = amount_chart([(FIRST, 0), (FIRST + timedelta(days=1), 9.1), (FIRST + timedelta(days=2), 0.05)])

    assert (chart.ticks, chart.width, chart.is_empty) == ((10, 5, 0), 30, False)
    assert [bar.height for bar in chart.days] == [0, 91, MIN_BAR_HEIGHT]
    assert all(bar.x < bar.bar_x < bar.bar_x + bar.bar_width < bar.x + 10 for bar in chart.days)
    assert amount_chart([(FIRST, 0)]).is_empty
