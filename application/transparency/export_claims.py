"""Checks of what an export claims: of its header, and of `shown` in each event, against the signed events."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints
from uuid import UUID

from application.display_text import quantity
from application.transparency.signed_note import VerifierKey
from application.transparency.tamper_locator import CannotVerify
from application.transparency.verifiable_export import WHOLE
from domain import events
from domain.event_metadata import ActorType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from application.transparency.checkpoint import Checkpoint

NON_DETAIL_FIELDS = frozenset(
    {"originator_id", "originator_version", "originator_topic", "timestamp", "sub_user_id", "account_id", "email_hash"}
    | {"actor_type", "actor_id", "actor_api_key_id", "actor_person", "request_id", "ip", "user_agent", "reason"}
    | {"action", "target", "occurred_at"}
)
"""Fields of an event that are not in the `details` of `shown`: they have their own members, or are internal."""

ACTIVITY = events.SubUserActivityRecorded.TOPIC


class Tampered(Exception):
    """An event contradicts the export. The message gives the reason."""


class ClaimsVerifier:
    """Checks events against the header of their export.

    Call `check` once per event, by position, after verifying its inclusion proof. An export of the whole history has no
    inclusion proofs: there, `check` comes before the comparison of the root.
    """

    def __init__(self, header: Mapping[str, Any], checkpoint: Checkpoint, actions: Mapping[str, str]) -> None:
        self.after: int = header.get("after") or 0
        self._checkpoint = checkpoint
        self._actions = actions
        self._account_id: str | None = header.get("account_id")
        self._since, self._until = (
            _instant(header[name]) if header.get(name) is not None else None for name in ("since", "until")
        )
        if type(self.after) is not int or self.after < 0:
            raise CannotVerify("`after` in the header is not a position")
        if self._account_id is not None and str(UUID(self._account_id)) != self._account_id:
            raise CannotVerify("`account_id` in the header is not a UUID")
        self._is_whole = header["proofs"] == WHOLE
        self._from_start = self._since is None and self.after == 0
        if self._is_whole and not (self._account_id is None and self._from_start and self._until is None):
            raise CannotVerify("the header says `whole`, but has filters")
        if any(VerifierKey.parse(key).name != checkpoint.origin for key in header["keys"]):
            raise CannotVerify("the header has a key of another store")
        self._version_by_stream: dict[str, int] = {}
        self._first_version: int | None = None

    def check(self, line: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Raise `Tampered` unless the event matches the header and is the next one of its stream."""
        stream_id, version = line["stream_id"], line["version"]
        is_outside_account_stream = line["topic"] in events.NON_ACCOUNT_TOPICS or "account_id" in state
        account_id = state.get("account_id") if is_outside_account_stream else stream_id
        recorded_at = _instant(state["timestamp"])
        if self._account_id not in {None, account_id}:
            raise Tampered("it belongs to another account than the header says")
        if (self._since is not None and recorded_at < self._since) or (
            self._until is not None and recorded_at >= self._until
        ):
            raise Tampered("it was recorded outside the time range in the header")
        if line["position"] > self._checkpoint.position:
            raise Tampered("it is after the end of the checkpoint")
        has_time_filter = self._since is not None or self._until is not None
        self._check_version(stream_id, version, may_have_gaps=is_outside_account_stream and has_time_filter)
        if stream_id == self._account_id and self._first_version is None:
            self._first_version = version
        if "shown" in line:
            check_shown(line, state, account_id, self._actions)

    def statements(self, count: int) -> Sequence[str]:
        """Return sentences about the proven and the unproven properties of a verified export."""
        return list(self._statements(count))

    def _check_version(self, stream_id: str, version: int, *, may_have_gaps: bool) -> None:
        """Raise `Tampered` if an event is repeated, or one is missing between it and the previous one of its stream.

        The first event of a stream must have version 1 if the export has the history from its start. Times can decrease
        within a stream that is not an account's, so a time filter can leave gaps there.
        """
        previous = self._version_by_stream.get(stream_id)
        next_version = 1 if previous is None else previous + 1
        may_skip_versions = may_have_gaps or (previous is None and not self._from_start)
        if version < next_version or (version > next_version and not may_skip_versions):
            predecessor = "nothing" if previous is None else f"version {previous}"
            raise Tampered(f"version {version} of its stream follows {predecessor}: an event is missing or repeated")
        self._version_by_stream[stream_id] = version

    def _statements(self, count: int) -> Iterator[str]:
        scope = f"account {self._account_id}" if self._account_id else "all accounts"
        events, verb = quantity(count, "event"), "is as it was" if count == 1 else "are as they were"
        yield f"right: {events} of {scope}, of the store {self._checkpoint.origin}, {verb} signed"
        if self._since:
            yield f"The header selects events recorded from {self._since.isoformat()} on."
        if self._until:
            yield f"The header selects events recorded before {self._until.isoformat()}."
        if self.after:
            yield f"The header selects events after position {self.after}."
        for loss in self._checkpoint.losses:
            yield f"The checkpoint says that {loss}."
        if self._is_whole:
            yield "Proven: nothing is missing up to the checkpoint."
        else:
            yield from self._completeness()
        yield (
            "Not proven: the sentence `in_words`, and values in `shown` that the signed event has only encrypted, or "
            "not at all: names, e-mails, addresses, user agents, reasons, targets, details of activities, replies of "
            "mail servers."
        )

    def _completeness(self) -> Iterator[str]:
        """Yield sentences about missing events, for an export that is not of the whole history."""
        if self._account_id is None:
            yield from self._completeness_of_all_accounts()
        else:
            yield from self._completeness_of_account(self._account_id)
        yield (
            "A complete export (of all accounts, without a range of times or positions) proves that nothing is missing "
            "up to its checkpoint."
        )

    def _completeness_of_all_accounts(self) -> Iterator[str]:
        if self._from_start:
            yield "Proven: in each account's own stream, no event is missing before the last one in this export."
            yield "Not proven: that no event is missing after the last one of an account's own stream."
        else:
            yield (
                "Proven: in each account's own stream, no event is missing between the first and the last one in this "
                "export."
            )
            yield (
                "Not proven: that no event is missing before the first one, or after the last one, of an account's own "
                "stream."
            )
        yield (
            "Not proven: that no activity, usage report, access to the log, webhook event, API-key event or whole "
            "stream is missing."
        )

    def _completeness_of_account(self, account_id: str) -> Iterator[str]:
        first = self._first_version
        if first is None:
            yield "Not proven: that the account's own stream has no events in this range."
        else:
            last = self._version_by_stream[account_id]
            yield f"Proven: versions {first} to {last} of the account's own stream, without a gap."
            yield f"Not proven: that there is no version after {last}; ask the service for the latest."
            if first > 1:
                yield f"Not proven: that no version before {first} belongs to this export."
        yield "Not proven: that no activity, usage report, access to the log, webhook event or whole stream is missing."


def check_shown(
    line: Mapping[str, Any], state: Mapping[str, Any], account_id: str | None, actions: Mapping[str, str]
) -> None:
    """Raise `Tampered` if `shown` contradicts the signed state."""
    shown, topic = line["shown"], line["topic"]
    is_reported = topic in events.REPORTED_TOPICS
    expected: dict[str, Any] = {
        "position": line["position"],
        "recorded_at": state["timestamp"],
        "occurred_at": state["occurred_at"] if is_reported else state["timestamp"],
        "account_id": account_id,
        "sub_user_id": state.get("sub_user_id"),
    }
    action = state.get("action") if topic == ACTIVITY else actions.get(topic)
    if action is not None:  # otherwise the topic is from a newer release
        expected["action"] = action
    for name, stored in expected.items():
        if name in shown and not _is_equal(shown[name], stored):
            raise Tampered(f"`{name}` in `shown` is not what was signed")
    actor = shown.get("actor", {})
    expected_actor = {"type": state.get("actor_type"), "id": state.get("actor_id")}
    if is_reported:
        expected_actor = {"type": ActorType.SUB_USER.value, "id": state["sub_user_id"]}
    expected_actor["api_key_id"] = state.get("actor_api_key_id")
    if any(name in actor and actor[name] != (stored or None) for name, stored in expected_actor.items()):
        raise Tampered("the actor in `shown` is not what was signed")
    for name in ("target", "ip", "user_agent", "reason"):
        if shown.get(name) is not None and name not in state:
            raise Tampered(f"`{name}` in `shown` is not in what was signed")
    if actor.get("person") is not None and "actor_person" not in state:
        raise Tampered("the person in `shown` is not in what was signed")
    if topic != ACTIVITY and "details" in shown:
        _check_details(shown["details"], state)


@cache
def encrypted_fields() -> frozenset[str]:
    """Return the names of the encrypted fields of events."""
    hints_by_class = [get_type_hints(event_class) for event_class in events.EVENT_CLASSES]
    return frozenset(name for hints in hints_by_class for name, hint in hints.items() if "Ciphertext" in str(hint))


def _check_details(details: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    stored = {name: value for name, value in state.items() if name not in NON_DETAIL_FIELDS}
    unencrypted = stored.keys() - encrypted_fields()
    if details.keys() != stored.keys() or not all(_is_equal(details[name], stored[name]) for name in unencrypted):
        raise Tampered("the details in `shown` are not what was signed")


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise CannotVerify(f"{text} has no UTC offset")
    return moment


def _is_equal(shown: Any, stored: Any) -> bool:
    """Return whether two values are equal. Stored times end with `+00:00`, shown ones with `Z`."""
    if type(shown) is type(stored) and shown == stored:
        return True
    try:
        return bool(shown == _instant(stored).astimezone(UTC).isoformat().replace("+00:00", "Z"))
    except (ValueError, AttributeError, TypeError, OverflowError, CannotVerify):
        return False
