"""Permissions of sub-users (rule 10)."""

from __future__ import annotations

from domain.assurance_level import AssuranceLevel
from domain.permission_catalog import MAIN_ACCOUNT_ONLY, OPERATIONAL, Permission, permissions_of


def test_sub_user_has_every_operational_permission() -> None:
    """They are in display order. The names are part of the public interface."""
    assert [str(permission) for permission in OPERATIONAL] == [
        "assistants",
        "tools",
        "rag_collections",
        "statistics",
        "reports",
    ]


def test_account_permissions_belong_to_the_main_account_only() -> None:
    assert {str(permission) for permission in MAIN_ACCOUNT_ONLY} == {
        "sub_user_management",
        "complete_logs",
        "billing_settings",
        "account_data",
    }


def test_every_permission_is_in_one_of_the_two_sets() -> None:
    """A new permission must be added to one of the sets above."""
    assert {*OPERATIONAL} | MAIN_ACCOUNT_ONLY == set(Permission)
    assert {*OPERATIONAL} & MAIN_ACCOUNT_ONLY == set()


def test_temporary_password_gives_no_permissions() -> None:
    """Every higher assurance level gives all of them."""
    assert permissions_of(AssuranceLevel.TEMPORARY_PASSWORD) == ()
    assert permissions_of(AssuranceLevel.PASSWORD) == OPERATIONAL
    assert permissions_of(AssuranceLevel.SECOND_FACTOR) == OPERATIONAL
