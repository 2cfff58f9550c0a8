"""API keys open what their scope is for, until they are revoked; what is kept opens nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.api_keys import Scope
from tests.postgres import ask

if TYPE_CHECKING:
    from api.bootstrap import Service


@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_is_found_by_its_secret(service: Service, scope: Scope) -> None:
    """The secret, shown once, leads to the key with its name and scope."""
    secret = service.api_keys.create(scope, "the backend", service.clock())

    found = service.api_keys.find(secret)

    assert found is not None
    assert (found.scope, found.name) == (scope, "the backend")


@pytest.mark.parametrize("wrong", ["", "nothing", "\x00", "\ud800", "subusers_portal_" + "A" * 43, "x" * 1_000_000])
def test_another_secret_opens_nothing(service: Service, wrong: str) -> None:
    """Whatever somebody sends instead."""
    service.api_keys.create(Scope.PORTAL, "the backend", service.clock())

    assert service.api_keys.find(wrong) is None


def test_a_secret_in_other_letters_is_another(service: Service) -> None:
    """Every character counts."""
    secret = service.api_keys.create(Scope.PORTAL, "the backend", service.clock())

    assert service.api_keys.find(secret[:-1]) is None
    assert service.api_keys.find(secret + " ") is None
    assert service.api_keys.find(secret.swapcase()) is None


def test_a_revoked_key_opens_nothing(service: Service) -> None:
    """From the answer to the revocation on; once is enough, and the others go on."""
    revoked, other = (service.api_keys.create(Scope.PORTAL, name, service.clock()) for name in ("one", "other"))
    found = service.api_keys.find(revoked)
    assert found is not None

    assert service.api_keys.revoke(found.api_key_id, service.clock())

    assert service.api_keys.find(revoked) is None
    assert service.api_keys.find(other) is not None
    assert not service.api_keys.revoke(found.api_key_id, service.clock())
    assert not service.api_keys.revoke(uuid4(), service.clock())


def test_every_key_there_ever_was_is_listed(service: Service) -> None:
    """Oldest first, the revoked too, and none with its secret."""
    secrets = [service.api_keys.create(scope, f"for {scope}", service.clock()) for scope in Scope]
    first = service.api_keys.find(secrets[0])
    assert first is not None
    service.api_keys.revoke(first.api_key_id, service.clock())

    listed = service.api_keys.list()

    assert [key.scope for key in listed] == list(Scope)
    assert [key.revoked_at is not None for key in listed] == [True, False, False, False]
    assert not any(secret in repr(listed) for secret in secrets)


def test_the_secret_is_kept_nowhere(service: Service, database_url: str) -> None:
    """Only its SHA-256 is, and the secret has 256 random bits."""
    secret = service.api_keys.create(Scope.AUDITOR, "the auditor", service.clock())

    assert ask(database_url, "SELECT octet_length(key_hash) FROM api_keys") == [(32,)]
    assert ask(database_url, "SELECT FROM api_keys k WHERE k::text LIKE %s", f"%{secret[-20:]}%") == []
    assert len(secret.removeprefix("subusers_auditor_")) == 43
