"""Store check: external checkpoints reveal a rewritten history and locate the first bad position."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from adapters.ed25519 import Ed25519Signer, verify
from application.commands.activities import Activity
from application.transparency.tamper_locator import CannotVerify
from projections.transparency.checkpointer import Checkpointer
from tests.builders import PORTAL
from tests.jobs import running_jobs
from tests.projections.stores import TAMPERINGS, Store, events_covered_by, first_difference, open_connections
from tests.waiting import eventually

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from api.bootstrap.service import Service
    from projections.transparency.store_check import ExternalCheckpoint
    from tests.builders import Company

EVENTS = 90
"""Size of the store under test: large enough for the tree to have stored subtrees."""


@pytest.fixture
def store(service: Service, database_url: str) -> Iterator[Store]:
    """Yield an empty store."""
    own, *auditor = open_connections(database_url)
    yield Store(service, own, (auditor[0], auditor[1]))
    for connection in (own, *auditor):
        connection.close()


@pytest.fixture
def checkpoints(store: Store) -> list[ExternalCheckpoint]:
    """Return checkpoints of a store of 90 events, one after each 30. Five more events have no checkpoint."""
    rng = random.Random(6962)
    checkpoints = []
    for _ in range(3):
        store.grow(rng, EVENTS // 3)
        checkpoints.append(store.sign())
    store.grow(rng, 5)
    store.follow()
    store.save()
    return checkpoints


def require_exact_position(store: Store, checkpoint: ExternalCheckpoint, seed: int) -> None:
    """Change only events, and require that the check reports exactly the first bad position."""
    rng = random.Random(seed)
    tampering = TAMPERINGS[seed % len(TAMPERINGS)]
    events = events_covered_by(checkpoint, store.events)
    tampering(rng, events)
    first_bad = first_difference(events_covered_by(checkpoint, store.events), events)
    if tampering.__name__ != "truncate":
        events |= {
            position: event for position, event in store.events.items() if position > checkpoint.checkpoint.position
        }
    store.rewrite(events)
    finding = store.check(checkpoint).findings[0]
    assert (finding.first, finding.last) == (first_bad, first_bad), (tampering.__name__, seed, finding)
    store.restore()


def require_enclosing_range(store: Store, checkpoints: list[ExternalCheckpoint], seed: int) -> None:
    """Tamper, rebuild the tree, re-sign it for even seeds, and require that the reported range has the change."""
    rng = random.Random(seed)
    events = events_covered_by(checkpoints[-1], store.events)
    TAMPERINGS[seed % len(TAMPERINGS)](rng, events)
    first_bad = first_difference(events_covered_by(checkpoints[-1], store.events), events)
    store.rewrite(events)
    store.rebuild_tree()
    is_resigned = seed % 2 == 0 and len(events) > EVENTS // 3
    if is_resigned:
        store.forge_signatures(rng)
    finding = store.check(*checkpoints).findings[0]
    after = max(
        (external.checkpoint.position for external in checkpoints if external.checkpoint.position < first_bad),
        default=0,
    )
    until = min(external.checkpoint.position for external in checkpoints if external.checkpoint.position >= first_bad)
    assert (finding.first, finding.last) == (after + 1, until), (seed, finding)
    assert after < first_bad <= until
    store.restore()


def require_no_alarm(store: Store, rng: random.Random, checkpoints: list[ExternalCheckpoint]) -> None:
    """Grow, follow and sign at random, and require that no earlier checkpoint raises an alarm."""
    store.grow(rng, rng.randrange(6))
    if rng.random() < 0.7:
        store.follow()
    if rng.random() < 0.5:
        checkpoints.append(store.sign())
    verdict = store.check(*rng.sample(checkpoints, min(len(checkpoints), rng.randrange(3))))
    assert verdict.findings == []
    assert verdict.events == len(store.events)


def test_first_tampered_position_is_reported(store: Store, checkpoints: list[ExternalCheckpoint]) -> None:
    """Covers each kind of tampering in `TAMPERINGS`."""
    for seed in range(28):
        require_exact_position(store, checkpoints[-1], seed)
    assert store.check(*checkpoints).findings == []


def test_cover_up_is_located_between_two_external_checkpoints(
    store: Store, checkpoints: list[ExternalCheckpoint]
) -> None:
    """With a rebuilt and re-signed tree only external roots reveal the change."""
    for seed in range(14):
        require_enclosing_range(store, checkpoints, seed)
    assert store.check(*checkpoints).findings == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_thousand_tamperings(store: Store, checkpoints: list[ExternalCheckpoint]) -> None:
    for seed in range(800):
        require_exact_position(store, checkpoints[-1], seed)
    for seed in range(200):
        require_enclosing_range(store, checkpoints, seed)


def test_growing_store_raises_no_alarm(store: Store) -> None:
    rng = random.Random(1)
    store.grow(rng, 1)
    checkpoints = [store.sign()]
    for _ in range(40):
        require_no_alarm(store, rng, checkpoints)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_thousand_steps_of_growth_raise_no_alarm(store: Store) -> None:
    rng = random.Random(2)
    store.grow(rng, 1)
    checkpoints = [store.sign()]
    for _ in range(1000):
        require_no_alarm(store, rng, checkpoints)


def test_checkpoint_signed_by_another_key_is_reported(store: Store, checkpoints: list[ExternalCheckpoint]) -> None:
    """The events are unchanged. All checkpoints of the store are reported, starting with the first."""
    store.forge_signatures(random.Random(1))
    verdict = store.check(checkpoints[-1])
    assert verdict.signed == EVENTS
    assert str(verdict.findings[0]).endswith("(30 events): it is signed by no key that is trusted")
    assert (verdict.findings[0].first, verdict.findings[0].last) == (1, checkpoints[0].checkpoint.position)
    assert len(verdict.findings) == 3


def test_damaged_proof_tables_are_reported_separately(store: Store, checkpoints: list[ExternalCheckpoint]) -> None:
    """Leaves and subtrees are changed or deleted. The events are unchanged."""
    tamperings = {
        "UPDATE merkle_leaves SET hash = sha256('') WHERE leaf_index = 40": sorted(store.events)[40],
        "UPDATE merkle_nodes SET hash = sha256('') WHERE level = 4 AND node_index = 2": sorted(store.events)[47],
        "DELETE FROM merkle_nodes WHERE level = 4 AND node_index = 0": sorted(store.events)[15],
        "DELETE FROM merkle_leaves WHERE leaf_index >= 80": sorted(store.events)[80],
    }
    for statement, position in tamperings.items():
        store.connection.execute(statement.encode())
        (finding,) = store.check(checkpoints[-1]).findings
        assert (finding.first, finding.last) == (position, position), statement
        assert "for proofs" in finding.description
        store.restore()


def test_stored_checkpoints_and_leaves_suffice_without_an_external_checkpoint(
    store: Store, checkpoints: list[ExternalCheckpoint]
) -> None:
    """They reveal everything but a truncated tail. Events after the last checkpoint are compared with their leaves."""
    store.connection.execute(
        b"UPDATE stored_events SET topic = 'X' WHERE notification_id = %s", [sorted(store.events)[7]]
    )
    assert store.check().findings[0].first == sorted(store.events)[7]
    store.restore()
    newer = sorted(store.events)[EVENTS + 1]
    store.connection.execute(b"UPDATE stored_events SET topic = 'X' WHERE notification_id = %s", [newer])
    (finding,) = store.check(*checkpoints).findings
    assert (finding.first, finding.description.endswith("no checkpoint has it yet")) == (newer, True)


def test_deleted_checkpoints_are_reported(store: Store, checkpoints: list[ExternalCheckpoint]) -> None:
    """The events match the external checkpoints."""
    store.connection.execute(b"DELETE FROM checkpoints")
    verdict = store.check(*checkpoints)
    assert [str(finding) for finding in verdict.findings] == [
        "positions 1 to 145: the checkpoints of this store are gone"
    ]
    assert verdict.signed == EVENTS


def test_history_forged_with_the_signing_key_is_located_by_external_checkpoints(
    store: Store, checkpoints: list[ExternalCheckpoint]
) -> None:
    """The store's own checkpoints prove nothing when an attacker has the key."""
    events = dict(store.events)
    first_bad = sorted(events)[70]
    del events[first_bad]
    store.rewrite(events)
    store.rebuild_tree()
    row = store.connection.execute("SELECT split_part(verifier_key, '+', 1) FROM signing_keys").fetchone()
    store.connection.execute(b"DELETE FROM checkpoints")
    signers = [Ed25519Signer(seed) for seed in store.service.settings.signing_keys.private]
    assert row is not None
    forger = Checkpointer(store.service.database, lambda: signers, verify, store.service.clock, new_name=lambda: row[0])
    forger.sign_sizes([20, 94])
    finding = store.check(*checkpoints).findings[0]
    assert (finding.first, finding.last) == (checkpoints[1].checkpoint.position + 1, checkpoints[2].checkpoint.position)
    assert "two histories" in finding.description
    assert finding.first <= first_bad <= finding.last


def test_store_without_a_usable_checkpoint_cannot_be_verified(store: Store, service: Service) -> None:
    """It has no signature yet, or its key is that of another store."""
    with pytest.raises(CannotVerify, match="nothing was signed yet"):
        store.check()
    store.grow(random.Random(1), 3)
    checkpoint = store.sign()
    store.connection.execute(b"UPDATE signing_keys SET verifier_key = replace(verifier_key, 'subusers/', 'subusers/x')")
    with pytest.raises(CannotVerify, match="is of another store"):
        store.check(checkpoint)


def test_concurrent_writes_raise_no_alarm(service: Service, company: Company, followers: None, store: Store) -> None:
    """Each check reads one snapshot while writers append, the tree follows and checkpoints are signed."""
    sub_user = company.create_sub_user()
    activities = [Activity(sub_user.sub_user_id, "tool.used", None, None, None)] * 3
    eventually(service.workers.checkpointer.sign_now)
    checkpoints = [store.newest("kept")]

    def write(stop: threading.Event) -> None:
        while not stop.is_set():
            service.commands.activities.record(company.account_id, activities, PORTAL)

    with running_jobs(write, write, write):
        for _ in range(10):
            eventually(service.workers.checkpointer.sign_now)
            checkpoints.append(store.newest("kept"))
            assert store.check(*checkpoints[-3:]).findings == []
    assert checkpoints[-1].checkpoint.tree_size >= checkpoints[0].checkpoint.tree_size + 10
