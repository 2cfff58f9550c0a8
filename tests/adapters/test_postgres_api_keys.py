"""API keys: look-up by secret, revocation, listing, and storage as hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.commands.api_keys import Scope
from tests.api_keys import BY_OPERATOR, add_api_key
from tests.postgres import fetch

if TYPE_CHECKING:
    from api.bootstrap.service import Service


@pytest.mark.parametrize("scope", list(Scope))
def test_api_key_is_found_by_its_secret(service: Service, scope: Scope) -> None:
    secret = add_api_key(service, scope, "the backend")

    api_key = service.commands.api_keys.find(secret)

    assert api_key is not None
    assert (api_key.scope, api_key.name) == (scope, "the backend")


@pytest.mark.parametrize("wrong", ["", "nothing", "\x00", "\ud800", "subusers_portal_" + "A" * 43, "x" * 1_000_000])
def test_unknown_api_key_secret_finds_nothing(service: Service, wrong: str) -> None:
    add_api_key(service, Scope.PORTAL, "the backend")

    assert service.commands.api_keys.find(wrong) is None


def test_api_key_secret_must_match_exactly(service: Service) -> None:
    secret = add_api_key(service, Scope.PORTAL, "the backend")

    assert service.commands.api_keys.find(secret[:-1]) is None
    assert service.commands.api_keys.find(secret + " ") is None
    assert service.commands.api_keys.find(secret.swapcase()) is None


def test_revoked_api_key_is_not_found(service: Service) -> None:
    """Revocation takes effect at once and leaves other keys valid. A second revocation returns false."""
    revoked, other = (add_api_key(service, Scope.PORTAL, name) for name in ("one", "other"))
    api_key = service.commands.api_keys.find(revoked)
    assert api_key is not None

    assert service.commands.api_keys.revoke(api_key.api_key_id, BY_OPERATOR)

    assert service.commands.api_keys.find(revoked) is None
    assert service.commands.api_keys.find(other) is not None
    assert not service.commands.api_keys.revoke(api_key.api_key_id, BY_OPERATOR)
    assert not service.commands.api_keys.revoke(uuid4(), BY_OPERATOR)


def test_revoked_api_keys_stay_listed(service: Service) -> None:
    """The list is ordered oldest first, includes revoked keys and holds no secrets."""
    secrets = [add_api_key(service, scope, f"for {scope}") for scope in Scope]
    first = service.commands.api_keys.find(secrets[0])
    assert first is not None
    service.commands.api_keys.revoke(first.api_key_id, BY_OPERATOR)

    api_keys = service.commands.api_keys.list()

    assert [key.scope for key in api_keys] == list(Scope)
    assert [key.revoked_at is not None for key in api_keys] == [True, False, False, False]
    assert not any(secret in repr(api_keys) for secret in secrets)


def test_only_the_hash_of_an_api_key_secret_is_stored(service: Service, database_url: str) -> None:
    """The table holds only the SHA-256 of the secret, which has 256 random bits."""
    secret = add_api_key(service, Scope.AUDITOR, "the auditor")

    assert fetch(database_url, "SELECT octet_length(key_hash) FROM api_keys") == [(32,)]
    assert fetch(database_url, "SELECT FROM api_keys k WHERE k::text LIKE %s", f"%{secret[-20:]}%") == []
    assert len(secret.removeprefix("subusers_auditor_")) == 43
