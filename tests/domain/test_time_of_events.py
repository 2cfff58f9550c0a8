"""Timestamps of events."""

from __future__ import annotations

from datetime import timedelta

from domain.events import MainAccountClosed
from domain.main_account import MainAccount
from tests.domain.event_builders import REGISTERED
from tests.domain.given_when_then import BY_OWNER, EARLIER, LATER, NOW, event_spec, given, recorded, when


def test_event_has_the_time_of_its_command() -> None:
    assert when(given(REGISTERED), MainAccount.close, at=LATER) == [event_spec(MainAccountClosed)]


def test_time_never_runs_backwards_within_a_stream() -> None:
    """A host whose clock is behind uses the time of the last event, so that states as of a time do not change."""
    account = given(REGISTERED)
    account.change_details(language="it", at=EARLIER - timedelta(hours=1), metadata=BY_OWNER)
    assert len(recorded(account, EARLIER, BY_OWNER)) == 1
    account.close(at=NOW, metadata=BY_OWNER)
    assert recorded(account, NOW, BY_OWNER) == [event_spec(MainAccountClosed)]
    assert account.closed_at == NOW
