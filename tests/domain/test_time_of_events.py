"""When something happened, as the history tells it."""

from __future__ import annotations

from datetime import timedelta

from domain.events import MainAccountClosed
from domain.main_account import MainAccount
from tests.domain.facts import REGISTERED
from tests.domain.given_when_then import BY_OWNER, EARLIER, LATER, NOW, fact, given, recorded, when


def test_an_event_has_the_time_of_its_command() -> None:
    """Not the clock's of whoever records it."""
    assert when(given(REGISTERED), MainAccount.close, at=LATER) == [fact(MainAccountClosed)]


def test_time_never_runs_backwards_in_a_history() -> None:
    """A host whose clock is behind records no earlier than what is there: what was so on a date stays so."""
    account = given(REGISTERED)
    account.change_details(language="it", at=EARLIER - timedelta(hours=1), cause=BY_OWNER)
    assert len(recorded(account, EARLIER, BY_OWNER)) == 1
    account.close(at=NOW, cause=BY_OWNER)
    assert recorded(account, NOW, BY_OWNER) == [fact(MainAccountClosed)]
    assert account.closed_at == NOW
