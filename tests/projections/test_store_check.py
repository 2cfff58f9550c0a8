"""Whoever rewrites history is found out, and where is told, by a checkpoint that was kept elsewhere."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from adapters.ed25519 import Ed25519Signer, verify
from application.activities import Activity
from application.first_bad import CannotTell
from projections.checkpointer import Checkpointer
from tests.jobs import at_work
from tests.people import PORTAL
from tests.projections.stores import TAMPERINGS, Store, connections, covered, first_difference
from tests.waiting import eventually

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from api.bootstrap import Service
    from projections.store_check import Kept
    from tests.people import Company

EVENTS = 90
"""In the store that is tampered with: past the first subtrees that are kept."""


@pytest.fixture
def store(service: Service, database_url: str) -> Iterator[Store]:
    """Give a store in which nothing has happened yet."""
    own, *auditor = connections(database_url)
    yield Store(service, own, (auditor[0], auditor[1]))
    for one in (own, *auditor):
        one.close()


@pytest.fixture
def kept(store: Store) -> list[Kept]:
    """Give the checkpoints of a store of 90 events, signed after each thirty; five newer events have none."""
    chance = random.Random(6962)
    kept = []
    for _ in range(3):
        store.grow(chance, EVENTS // 3)
        kept.append(store.sign())
    store.grow(chance, 5)
    store.follow()
    store.save()
    return kept


def tamper_exactly(store: Store, kept: Kept, seed: int) -> None:
    """Tamper with events alone, once, and require that exactly the first bad position is named."""
    chance = random.Random(seed)
    tampering = TAMPERINGS[seed % len(TAMPERINGS)]
    events = covered(store.events, kept)
    tampering(chance, events)
    bad = first_difference(covered(store.events, kept), events)
    if tampering.__name__ != "truncate":
        events |= {position: one for position, one in store.events.items() if position > kept.checkpoint.position}
    store.rewrite(events)
    found = store.check(kept).findings[0]
    assert (found.first, found.last) == (bad, bad), (tampering.__name__, seed, found)
    store.put_right()


def tamper_and_cover_up(store: Store, kept: list[Kept], seed: int) -> None:
    """Tamper, make the tree fit, and every other time sign anew with another key: the bounds that are named hold it."""
    chance = random.Random(seed)
    events = covered(store.events, kept[-1])
    TAMPERINGS[seed % len(TAMPERINGS)](chance, events)
    bad = first_difference(covered(store.events, kept[-1]), events)
    store.rewrite(events)
    store.rebuild_tree()
    by_another = seed % 2 == 0 and len(events) > EVENTS // 3
    if by_another:
        store.sign_anew(chance)
    found = store.check(*kept).findings[0]
    after = max((one.checkpoint.position for one in kept if one.checkpoint.position < bad), default=0)
    upto = min(one.checkpoint.position for one in kept if one.checkpoint.position >= bad)
    assert (found.first, found.last) == (after + 1, upto), (seed, found)
    assert after < bad <= upto
    store.put_right()


def run_clean(store: Store, chance: random.Random, kept: list[Kept]) -> None:
    """Grow, follow, sign, or none of it, and require that no checkpoint of any time raises an alarm."""
    store.grow(chance, chance.randrange(6))
    if chance.random() < 0.7:
        store.follow()
    if chance.random() < 0.5:
        kept.append(store.sign())
    verdict = store.check(*chance.sample(kept, min(len(kept), chance.randrange(3))))
    assert verdict.findings == []
    assert verdict.events == len(store.events)


def test_tamperings_are_found_and_the_first_bad_position_is_named(store: Store, kept: list[Kept]) -> None:
    """A byte, a topic, an event gone, put in, moved, the tail cut off, two accounts' events swapped."""
    for seed in range(28):
        tamper_exactly(store, kept[-1], seed)
    assert store.check(*kept).findings == []


def test_whoever_covers_up_is_found_between_two_checkpoints_that_were_kept(store: Store, kept: list[Kept]) -> None:
    """They rewrote the tree as well, and signed it with another key: roots kept elsewhere are what is left."""
    for seed in range(14):
        tamper_and_cover_up(store, kept, seed)
    assert store.check(*kept).findings == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_thousand_tamperings(store: Store, kept: list[Kept]) -> None:
    """All of them are found."""
    for seed in range(800):
        tamper_exactly(store, kept[-1], seed)
    for seed in range(200):
        tamper_and_cover_up(store, kept, seed)


def test_clean_runs_raise_no_alarm(store: Store) -> None:
    """While the store grows, whatever checkpoint it is compared with."""
    chance = random.Random(1)
    store.grow(chance, 1)
    kept = [store.sign()]
    for _ in range(40):
        run_clean(store, chance, kept)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_thousand_clean_runs(store: Store) -> None:
    """None raises an alarm."""
    chance = random.Random(2)
    store.grow(chance, 1)
    kept = [store.sign()]
    for _ in range(1000):
        run_clean(store, chance, kept)


def test_a_checkpoint_signed_by_another_key(store: Store, kept: list[Kept]) -> None:
    """The events are right, and the store's own checkpoints are not genuine: the first of them is named."""
    store.sign_anew(random.Random(1))
    verdict = store.check(kept[-1])
    assert verdict.signed == EVENTS
    assert str(verdict.findings[0]).endswith("(30 events): it is signed by no key that is trusted")
    assert (verdict.findings[0].first, verdict.findings[0].last) == (1, kept[0].checkpoint.position)
    assert len(verdict.findings) == 3


def test_what_was_kept_for_proofs_is_checked_as_well(store: Store, kept: list[Kept]) -> None:
    """A leaf, a subtree, leaves that are gone: the events are right, and that is told apart."""
    tamperings = {
        "UPDATE merkle_leaves SET hash = sha256('') WHERE leaf_index = 40": sorted(store.events)[40],
        "UPDATE merkle_nodes SET hash = sha256('') WHERE level = 4 AND node_index = 2": sorted(store.events)[47],
        "DELETE FROM merkle_nodes WHERE level = 4 AND node_index = 0": sorted(store.events)[15],
        "DELETE FROM merkle_leaves WHERE leaf_index >= 80": sorted(store.events)[80],
    }
    for statement, position in tamperings.items():
        store.own.execute(statement.encode())
        (found,) = store.check(kept[-1]).findings
        assert (found.first, found.last) == (position, position), statement
        assert "for proofs" in found.what
        store.put_right()


def test_without_a_checkpoint_from_elsewhere_those_of_the_store_tell(store: Store, kept: list[Kept]) -> None:
    """All but a tail that was cut off whole; and what no checkpoint has yet is compared with its leaf."""
    store.own.execute(b"UPDATE stored_events SET topic = 'X' WHERE notification_id = %s", [sorted(store.events)[7]])
    assert store.check().findings[0].first == sorted(store.events)[7]
    store.put_right()
    newer = sorted(store.events)[EVENTS + 1]
    store.own.execute(b"UPDATE stored_events SET topic = 'X' WHERE notification_id = %s", [newer])
    (found,) = store.check(*kept).findings
    assert (found.first, found.what.endswith("no checkpoint has it yet")) == (newer, True)


def test_checkpoints_that_are_gone(store: Store, kept: list[Kept]) -> None:
    """The events are right by those that were kept elsewhere; that the store's own are gone is told."""
    store.own.execute(b"DELETE FROM checkpoints")
    verdict = store.check(*kept)
    assert [str(one) for one in verdict.findings] == ["positions 1 to 145: the checkpoints of this store are gone"]
    assert verdict.signed == EVENTS


def test_two_histories_signed_with_the_key_itself(store: Store, kept: list[Kept]) -> None:
    """Somebody has the key: those of the store bound nothing any more, and those kept elsewhere do."""
    events = dict(store.events)
    bad = sorted(events)[70]
    del events[bad]
    store.rewrite(events)
    store.rebuild_tree()
    name = store.own.execute("SELECT split_part(verifier_key, '+', 1) FROM signing_keys").fetchone()
    store.own.execute(b"DELETE FROM checkpoints")
    signers = [Ed25519Signer(one) for one in store.service.settings.signing_keys.private]
    assert name is not None
    forger = Checkpointer(
        store.service.database, lambda: signers, verify, store.service.clock, new_name=lambda: name[0]
    )
    forger.make_of([20, 94])
    found = store.check(*kept).findings[0]
    assert (found.first, found.last) == (kept[1].checkpoint.position + 1, kept[2].checkpoint.position)
    assert "two histories" in found.what
    assert found.first <= bad <= found.last


def test_what_cannot_be_told(store: Store, service: Service) -> None:
    """Nothing signed, no key that is trusted, a checkpoint of another store."""
    with pytest.raises(CannotTell, match="nothing was signed yet"):
        store.check()
    store.grow(random.Random(1), 3)
    kept = store.sign()
    store.own.execute(b"UPDATE signing_keys SET verifier_key = replace(verifier_key, 'subusers/', 'subusers/x')")
    with pytest.raises(CannotTell, match="is of another store"):
        store.check(kept)


def test_a_store_that_is_written_to_meanwhile_raises_no_alarm(
    service: Service, company: Company, followers: None, store: Store
) -> None:
    """Writers append side by side, the tree follows, checkpoints are signed: each check is as of one moment."""
    someone = company.let_in()
    rows = [Activity(someone.sub_user_id, "tool.used", None, None, None)] * 3
    eventually(service.checkpointer.make_now)
    kept = [store.newest("kept")]

    def write(stop: threading.Event) -> None:
        while not stop.is_set():
            service.activities.record(company.account_id, rows, PORTAL)

    with at_work(write, write, write):
        for _ in range(10):
            eventually(service.checkpointer.make_now)
            kept.append(store.newest("kept"))
            assert store.check(*kept[-3:]).findings == []
    assert kept[-1].checkpoint.tree_size >= kept[0].checkpoint.tree_size + 10
