"""Order of the assurance levels, and the restricted ones."""

from __future__ import annotations

from itertools import combinations

from domain.assurance_level import AssuranceLevel

ORDER = [AssuranceLevel.TEMPORARY_PASSWORD, AssuranceLevel.PASSWORD, AssuranceLevel.SECOND_FACTOR]


def test_level_meets_itself_and_lower_levels() -> None:
    assert list(AssuranceLevel) == ORDER
    assert all(level.meets(level) for level in AssuranceLevel)
    for lower, higher in combinations(ORDER, 2):
        assert higher.meets(lower)
        assert not lower.meets(higher)


def test_only_a_temporary_password_restricts_a_session() -> None:
    assert [level for level in AssuranceLevel if level.is_restricted] == [AssuranceLevel.TEMPORARY_PASSWORD]


def test_stored_names_do_not_change() -> None:
    assert [str(level) for level in ORDER] == ["temporary_password", "password", "second_factor"]
