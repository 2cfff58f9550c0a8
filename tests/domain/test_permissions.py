"""What a sub-user may do on the portal (rule 10)."""

from __future__ import annotations

from domain.permissions import MAIN_ACCOUNT_ONLY, OPERATIONAL, Permission


def test_a_sub_user_has_every_operational_permission() -> None:
    """In the order in which they are shown; the words are part of the public interface."""
    assert [str(permission) for permission in OPERATIONAL] == [
        "assistants",
        "tools",
        "rag_collections",
        "statistics",
        "reports",
    ]


def test_what_concerns_the_account_itself_is_the_main_accounts_alone() -> None:
    assert {str(permission) for permission in MAIN_ACCOUNT_ONLY} == {
        "sub_user_management",
        "complete_logs",
        "billing_settings",
        "account_data",
    }


def test_every_permission_is_one_or_the_other() -> None:
    """Whoever adds one has to say whose it is: the two lists above tell them."""
    assert {*OPERATIONAL} | MAIN_ACCOUNT_ONLY == set(Permission)
    assert {*OPERATIONAL} & MAIN_ACCOUNT_ONLY == set()
