"""The initial permission catalogue (rule 10)."""

from __future__ import annotations

from domain.permission_catalogue import INITIAL_CATALOGUE


def test_a_new_sub_user_may_be_granted_every_operational_permission() -> None:
    """They are in display order. The names are part of the public interface."""
    assert list(INITIAL_CATALOGUE.grantable) == ["assistants", "tools", "rag_collections", "statistics", "reports"]


def test_account_permissions_belong_to_the_main_account_only() -> None:
    reserved = {permission.name for permission in INITIAL_CATALOGUE.permissions if permission.reserved}
    assert reserved == {"sub_user_management", "complete_logs", "billing_settings", "account_data"}


def test_viewers_only_read() -> None:
    assert INITIAL_CATALOGUE.viewer_permissions == {"statistics", "reports"}


def test_every_permission_has_a_name_in_both_languages() -> None:
    assert all(set(permission.labels) == {"en", "it"} for permission in INITIAL_CATALOGUE.permissions)
