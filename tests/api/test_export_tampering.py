"""Tamper detection of exports: both verifiers find every alteration, except in properties they list as not proven."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.ed25519 import Ed25519Signer, verify
from api.http.resources.exports.lines import ExportFormat, lines
from application.command_context import CommandContext
from application.commands.activities import Activity
from application.commands.activity_types import NO_ACTIVITY_TYPES
from application.commands.api_keys import Scope
from application.commands.audit_access import AuditAccess
from application.commands.usage import UsageReport
from application.commands.webhooks import NewWebhook
from application.transparency.checkpoint import Checkpoint, Succession
from application.transparency.export_claims import NON_DETAIL_FIELDS, encrypted_fields
from application.transparency.export_verifier import verify_export
from application.transparency.signed_note import SignedNote, VerifierKey, sign
from application.transparency.tamper_locator import CannotVerify
from application.transparency.verifiable_export import with_digest
from domain.event_metadata import ActorType, ReadTarget
from domain.events import NON_ACCOUNT_TOPICS, REPORTED_TOPICS
from projections.audit_log.actions import ACTIONS
from projections.history.exports import ExportFilter
from tests.api.json_values import value_paths
from tests.api_keys import BY_OPERATOR
from tests.builders import PORTAL, Company, catch_up
from tools import verify_export as independent_verifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.bootstrap.service import Service

ExportLine = dict[str, Any]
Export = list[ExportLine]

VALID, TAMPERED, UNDECIDABLE = 0, 1, 2
FAR_PAST, FAR_FUTURE = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
MUTATION_COUNT = 1000


@dataclass(frozen=True)
class Exports:
    """Exports of a store and of another one, and the trusted key. `since` begins after the account's first event."""

    account: Export
    since: Export
    whole: Export
    other_account: Export
    other_store: Export
    key: VerifierKey


@pytest.fixture
def exports(service: Service, company: Company) -> Exports:
    """Return exports of two accounts, of the whole store, and of another store."""
    record_all_kinds_of_events(service, company)
    other = Company.register(service)
    record_all_kinds_of_events(service, other)
    catch_up(service)
    created_at = service.main_accounts.load(company.account_id).created_on
    account = export_lines(service, ExportFilter(company.account_id))
    account_export_since = export_lines(
        service, ExportFilter(company.account_id, since=created_at + timedelta(microseconds=1), until=FAR_FUTURE)
    )
    return Exports(
        account=account,
        since=account_export_since,
        whole=export_lines(service, ExportFilter()),
        other_account=export_lines(service, ExportFilter(other.account_id)),
        other_store=signed_by_other_store(account),
        key=service.workers.checkpointer.verifier_key(),
    )


def record_all_kinds_of_events(service: Service, company: Company) -> None:
    """Record events in the account's own stream and in every kind of separate stream."""
    sub_user = company.create_with_own_password()
    sub_user.change(access_expires_at=FAR_FUTURE, visible=False)
    activity = Activity(sub_user.sub_user_id, "tool.used", "a target", '{"n": 1.5, "text": "déjà vu"}', None)
    service.commands.activities.record(company.account_id, [activity, activity], PORTAL)
    service.commands.usage.record(company.account_id, [UsageReport(sub_user.sub_user_id, 60_000, 12)], PORTAL)
    service.commands.webhooks.create(NewWebhook("https://receiver.example/hook", company.account_id), PORTAL)
    auditor = CommandContext(ActorType.AUDITOR, "an auditor", ip="192.0.2.7")
    service.commands.audit_access.record_access(
        ReadTarget.AUDIT_LOG, AuditAccess(company.account_id, since=service.clock()), auditor
    )
    company.create_sub_user().delete()
    sub_user.change(name="Ada")


def export_lines(service: Service, export_filter: ExportFilter, after: int = 0) -> Export:
    """Write an export with this filter, of the events after a position, and parse its lines."""
    catch_up(service)
    service.workers.checkpointer.sign_now()
    export = service.queries.exports.begin(export_filter, ExportFormat.JSONL, has_proofs=True, after=after)
    return [json.loads(line) for line in lines(export, ExportFormat.JSONL, NO_ACTIVITY_TYPES)]


def signed_by_other_store(file: Export) -> Export:
    """Return the same export as another store would sign it, with its own origin and key."""
    signer = Ed25519Signer(bytes(range(32)))
    header = deepcopy(file[0])
    checkpoint = replace(Checkpoint.parse(SignedNote.parse(header["checkpoint"]).text), origin="subusers/another")
    header["checkpoint"] = str(sign(checkpoint.text, checkpoint.origin, [signer]))
    header["keys"] = [str(VerifierKey(checkpoint.origin, signer.public_key))]
    return [with_digest(header), *file[1:]]


def exit_code(file: Export, *keys: VerifierKey) -> int:
    """Return the exit code of both verifiers, after requiring that they agree."""
    data = [json.dumps(line, ensure_ascii=False).encode() for line in file]
    codes = exit_code_of_service(data, keys), exit_code_of_script(data, keys)
    assert codes[0] == codes[1], (codes, file)
    return codes[0]


def exit_code_of_service(data: list[bytes], keys: tuple[VerifierKey, ...]) -> int:
    try:
        verdict = verify_export(data, keys, verify, ACTIONS)
    except CannotVerify:
        return UNDECIDABLE
    return VALID if verdict.finding is None else TAMPERED


def exit_code_of_script(data: list[bytes], keys: tuple[VerifierKey, ...]) -> int:
    try:
        independent_verifier.check(iter(data), [independent_verifier.parse_key(str(key)) for key in keys])
    except independent_verifier.Tampered:
        return TAMPERED
    except Exception:  # noqa: BLE001  # as in its `main`
        return UNDECIDABLE
    return VALID


def statements_of_both(file: Export, key: VerifierKey) -> list[list[str]]:
    """Return the statements of each verifier about a valid export."""
    data = [json.dumps(line).encode() for line in file]
    verdict = verify_export(data, [key], verify, ACTIONS)
    assert verdict.finding is None
    output_of_script = independent_verifier.check(iter(data), [independent_verifier.parse_key(str(key))])
    return [list(verdict.statements), output_of_script.partition("\nThe checkpoint:")[0].splitlines()]


def with_recomputed_digests(file: Export) -> Export:
    """Return an export with recomputed digests and event count."""
    recounted = [{**line, "events": len(file) - 2} if "end" in line else line for line in file]
    return [with_digest(line) for line in recounted]


def with_change(line: ExportLine, path: tuple[Any, ...], change: Callable[[Any], Any]) -> ExportLine:
    """Return a copy of a line with a changed value at a path."""
    copy = deepcopy(line)
    *parent_path, name = path
    parent = copy
    for part in parent_path:
        parent = parent[part]
    parent[name] = change(parent[name])
    return copy


def different_value(value: Any, random_source: random.Random) -> Any:
    """Return a different value of the same or another type."""
    candidates: list[Any] = [None, "", 0, True, [], {}, "subusers", 2**62, -1, 1.5]
    match value:
        case bool():
            candidates += [not value]
        case int():
            candidates += [value + 1, value - 1, float(value)]
        case str() if value:
            index = random_source.randrange(len(value))
            candidates += [
                value[:index] + value[index + 1 :],
                value[:index] + random_source.choice("Aa0Zz/+") + value[index + 1 :],
            ]
            candidates += [value.upper(), value + " ", value[::-1]]
        case list():
            candidates += [value[1:], value[::-1], value + value]
    return random_source.choice([candidate for candidate in candidates if json.dumps(candidate) != json.dumps(value)])


def mutate(file: Export, exports: Exports, random_source: random.Random) -> Export:
    """Return a copy of an export with one random alteration."""
    copy = list(file)
    index = random_source.randrange(len(copy))
    match random_source.choice(
        ["drop", "duplicate", "swap", "alter", "alter", "alter", "remove", "splice", "add", "cut"]
    ):
        case "drop":
            del copy[index]
        case "duplicate":
            copy.insert(random_source.randrange(len(copy)), copy[index])
        case "swap":
            other_index = random_source.randrange(len(copy))
            copy[index], copy[other_index] = copy[other_index], copy[index]
        case "alter":
            path = random_source.choice(list(value_paths(copy[index])))
            copy[index] = with_change(copy[index], path, lambda value: different_value(value, random_source))
        case "remove":
            removed = random_source.choice(list(copy[index]))
            copy[index] = {name: value for name, value in copy[index].items() if name != removed}
        case "splice":
            source = random_source.choice([exports.other_account, exports.other_store, exports.whole, exports.account])
            copy[index] = random_source.choice(source)
        case "add":
            copy[index] = {**copy[index], "note": "all is well"}
        case "cut":
            del copy[index:]
    return copy


def test_random_mutations_are_detected(exports: Exports) -> None:
    """The unaltered exports are valid."""
    random_source = random.Random(20261129)  # for reproducibility, not security
    files = [exports.account, exports.since, exports.whole]
    assert [exit_code(file, exports.key) for file in [*files, exports.other_account]] == [VALID] * 4
    detected = 0
    while detected < MUTATION_COUNT:
        file = random_source.choice(files)
        mutation = mutate(file, exports, random_source)
        if mutation != file or json.dumps(mutation) != json.dumps(file):
            assert exit_code(mutation, exports.key) != VALID, mutation
            detected += 1


def own_stream_indexes(file: Export) -> list[int]:
    """Return the indexes of the lines of the account's own stream."""
    return [number for number, line in enumerate(file) if line.get("stream_id") == file[0]["account_id"]]


def test_missing_event_is_detected(exports: Exports) -> None:
    """This holds everywhere in the account's stream but at its end, even with recomputed digests and count."""
    for number in own_stream_indexes(exports.account)[:-1]:
        shorter = [*exports.account[:number], *exports.account[number + 1 :]]
        assert exit_code(with_recomputed_digests(shorter), exports.key) == TAMPERED
    for number in own_stream_indexes(exports.since)[1:-1]:
        shorter = [*exports.since[:number], *exports.since[number + 1 :]]
        assert exit_code(with_recomputed_digests(shorter), exports.key) == TAMPERED
    for number in range(1, len(exports.whole) - 1):
        shorter = [*exports.whole[:number], *exports.whole[number + 1 :]]
        assert exit_code(with_recomputed_digests(shorter), exports.key) == TAMPERED


AFTER_THE_LAST = "that no event is missing after the last one of an account's own stream"
BEFORE_THE_FIRST = "that no event is missing before the first one, or after the last one, of an account's own stream"
OUTSIDE_ACCOUNT_STREAMS = (
    "that no activity, usage report, access to the log, webhook event, API-key event or whole stream is missing"
)


@pytest.mark.parametrize(
    ("export_filter", "after", "undetected", "unproven"),
    [
        (ExportFilter(until=FAR_FUTURE), 0, (-1,), AFTER_THE_LAST),
        (ExportFilter(since=FAR_PAST), 0, (0, -1), BEFORE_THE_FIRST),
        (ExportFilter(), 1, (0, -1), BEFORE_THE_FIRST),
    ],
    ids=["until", "since", "after"],
)
def test_statements_about_an_export_of_all_accounts(
    service: Service,
    exports: Exports,
    export_filter: ExportFilter,
    after: int,
    undetected: tuple[int, ...],
    unproven: str,
) -> None:
    """They list each kind of event that can be missing from a valid export."""
    service.commands.api_keys.create(Scope.PORTAL, "a key", BY_OPERATOR)
    file = export_lines(service, export_filter, after)
    own_events = [line for line in file if line.get("stream_id") == exports.account[0]["account_id"]]
    for index in (0, 1, -1):
        shorter = with_recomputed_digests([line for line in file if line != own_events[index]])
        assert exit_code(shorter, exports.key) == (VALID if index in undetected else TAMPERED), index
    for topic in ("SubUserActivityRecorded", "UsageRecorded", "AuditLogRead", "WebhookCreated", "ApiKeyCreated"):
        event = next(line for line in file if line.get("topic") == topic)
        assert exit_code(with_recomputed_digests([line for line in file if line != event]), exports.key) == VALID, topic
    for statements in statements_of_both(file, exports.key):
        not_proven = [statement for statement in statements if statement.startswith("Not proven: ")]
        assert not_proven[:-1] == [f"Not proven: {unproven}.", f"Not proven: {OUTSIDE_ACCOUNT_STREAMS}."]


def test_lines_of_another_account_or_store_are_detected(exports: Exports) -> None:
    """Lines of another account are in the same checkpoint, but do not belong in this export."""
    for foreign_line in exports.other_account[1:-1]:
        file = sorted([*exports.account[1:-1], foreign_line], key=lambda line: line["position"])
        assert (
            exit_code(with_recomputed_digests([exports.account[0], *file, exports.account[-1]]), exports.key)
            == TAMPERED
        )
    spliced = [exports.other_store[0], *exports.account[1:]]
    assert exit_code(with_recomputed_digests(spliced), exports.key) == UNDECIDABLE


FALSE_CLAIMS = [
    ("account_id", "9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90"),
    ("account_id", "nobody"),
    ("since", "2099-01-01T00:00:00Z"),
    ("since", "yesterday"),
    ("until", "2001-01-01T00:00:00Z"),
    ("after", 10**6),
    ("after", -1),
    ("after", True),
    ("proofs", "whole"),
    ("proofs", "none"),
    ("subusers_export", 1),
    ("subusers_export", 2.0),
    ("keys", ["nobody"]),
    ("successions", ["nothing"]),
]


def test_false_claim_in_the_header_is_detected(exports: Exports) -> None:
    """A recomputed digest does not hide it."""
    for name, value in FALSE_CLAIMS:
        file = with_recomputed_digests([{**exports.account[0], name: value}, *exports.account[1:]])
        assert exit_code(file, exports.key) != VALID, (name, value)


UNPROVEN = {"actor.name", "in_words", "target", "ip", "user_agent", "reason"}
"""Members of `shown` that are encrypted in `state`, in addition to details of activities and encrypted details."""


def test_shown_values_are_checked_against_the_signed_state(exports: Exports) -> None:
    """Every member that the state holds unencrypted is checked; the verifier lists the others as not proven."""
    random_source = random.Random(7)  # for reproducibility, not security
    for number, line in enumerate(exports.account):
        for path in value_paths(line.get("shown", {})):
            name = ".".join(map(str, path))
            change = with_change(line, ("shown", *path), lambda value: different_value(value, random_source))
            file = with_recomputed_digests([*exports.account[:number], change, *exports.account[number + 1 :]])
            is_activity = line["topic"] == "SubUserActivityRecorded"
            unproven = name in UNPROVEN or (path[0] == "details" and (is_activity or path[-1] in encrypted_fields()))
            code = exit_code(file, exports.key)  # of both verifiers, which must agree in any case
            if not unproven and name != "actor":
                assert code != VALID, (name, change)
    for statements in statements_of_both(exports.account, exports.key):
        (statement,) = [sentence for sentence in statements if "`in_words`" in sentence]
        assert statement.startswith("Not proven: ")
        assert "names, e-mails, addresses, user agents, reasons, targets, details of activities" in statement


def test_export_of_version_1_is_verified(exports: Exports) -> None:
    """Version 1 has no digests; everything else is checked."""
    header = {name: value for name, value in exports.account[0].items() if name != "successions"} | {
        "subusers_export": 1
    }
    file = [
        {name: value for name, value in line.items() if name != "digest"} for line in [header, *exports.account[1:]]
    ]
    assert exit_code(file, exports.key) == VALID
    for number in own_stream_indexes(file)[:-1]:
        shorter = [*file[:number], *file[number + 1 : -1], {"end": True, "events": len(file) - 3}]
        assert exit_code(shorter, exports.key) == TAMPERED


def test_extreme_input_is_refused_without_a_traceback(exports: Exports) -> None:
    """The input has deep nesting, endless numbers, or times out of range."""
    nested_line = b'{"position": ' + b"[" * 900 + b"]" * 900 + b"}"
    for line in (nested_line, b"[" * 100_000, b"1" * 100_000, b"\xff", b"null", b'{"end": NaN}', b""):
        data = [json.dumps(line).encode() for line in exports.account]
        data[3] = line
        assert exit_code_of_service(data, (exports.key,)) == exit_code_of_script(data, (exports.key,)) != VALID
    for since in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00"):
        exit_code(with_recomputed_digests([{**exports.account[0], "since": since}, *exports.account[1:]]), exports.key)


def test_duplicate_members_are_refused(exports: Exports) -> None:
    """JSON parsers disagree on which of them counts."""
    data = [json.dumps(line).encode() for line in exports.account]
    data[1] = data[1].replace(b"{", b'{"position": 1, ', 1)
    assert exit_code_of_service(data, (exports.key,)) == exit_code_of_script(data, (exports.key,)) == UNDECIDABLE


def with_checkpoint_by(file: Export, signers: list[Ed25519Signer], origin: str, successions: list[str]) -> Export:
    """Return an export whose checkpoint is signed by these signers, for the store with this origin."""
    header = deepcopy(file[0])
    checkpoint = replace(Checkpoint.parse(SignedNote.parse(header["checkpoint"]).text), origin=origin)
    header |= {"checkpoint": str(sign(checkpoint.text, origin, signers)), "successions": successions, "keys": []}
    return [with_digest(header), *file[1:]]


def test_key_is_trusted_for_its_own_store_only(exports: Exports) -> None:
    """An auditor of two stores has both keys; neither may sign for the other store, under any name."""
    signers = {name: Ed25519Signer(name.encode() * 32) for name in ("a", "b")}
    keys = [VerifierKey(name, signer.public_key) for name, signer in signers.items()]
    assert exit_code(with_checkpoint_by(exports.account, [signers["a"]], "a", []), *keys) == VALID
    assert exit_code(with_checkpoint_by(exports.account, [signers["b"]], "a", []), *keys) == UNDECIDABLE
    file = with_checkpoint_by(exports.account, [signers["b"]], "a", [])
    note = SignedNote.parse(file[0]["checkpoint"])
    renamed = sign(note.text, "b", [signers["b"]])
    file[0] = with_digest({**file[0], "checkpoint": str(renamed)})
    assert exit_code(file, *keys) == UNDECIDABLE


def test_former_key_is_trusted_up_to_its_succession(exports: Exports) -> None:
    """Verifiers with the succession, or with both keys, reject its signatures of larger trees."""
    former, current, attacker = (Ed25519Signer(name * 32) for name in (b"1", b"2", b"3"))
    origin = "subusers/store"
    size = Checkpoint.parse(SignedNote.parse(exports.account[0]["checkpoint"]).text).tree_size
    keys = {signer: VerifierKey(origin, signer.public_key) for signer in (former, current, attacker)}

    def succession(size: int, successor: Ed25519Signer, *signers: Ed25519Signer) -> str:
        pair = Succession(keys[former], keys[successor])
        checkpoint = Checkpoint(origin, size, bytes(32), size, datetime(2026, 5, 1, tzinfo=UTC), pair)
        return str(sign(checkpoint.text, origin, signers))

    def verify_signed_by(signer: Ed25519Signer, trusted: list[Ed25519Signer], *successions: str) -> int:
        file = with_checkpoint_by(exports.account, [signer], origin, list(successions))
        return exit_code(file, *(keys[trusted_signer] for trusted_signer in trusted))

    earlier_succession, same_size_succession, later_succession = (
        succession(tree_size, current, former, current) for tree_size in (size - 1, size, size + 1)
    )
    for trusted in ([former], [former, current]):
        assert verify_signed_by(former, trusted, earlier_succession) == UNDECIDABLE
        assert verify_signed_by(former, trusted, same_size_succession) == VALID
        assert verify_signed_by(former, trusted, later_succession) == VALID
    # Without the succession, the tree size up to which the former key may sign is unknown.
    assert verify_signed_by(former, [former, current]) == UNDECIDABLE
    assert verify_signed_by(current, [former], earlier_succession) == VALID
    assert verify_signed_by(former, [current], later_succession) == UNDECIDABLE
    by_successor_alone = succession(size - 1, current, current)
    assert verify_signed_by(current, [former], by_successor_alone) == UNDECIDABLE
    assert verify_signed_by(former, [former, current], by_successor_alone) == UNDECIDABLE
    for forged in (succession(size, attacker, former, attacker), succession(size - 2, attacker, former, attacker)):
        assert verify_signed_by(attacker, [former], earlier_succession, forged) == UNDECIDABLE
        assert verify_signed_by(attacker, [former, current], earlier_succession, forged) == UNDECIDABLE
        assert verify_signed_by(current, [former, current], earlier_succession, forged) == VALID


def test_script_has_the_same_tables_as_the_service() -> None:
    """The standalone script cannot import them."""
    assert independent_verifier.ACTIONS == ACTIONS
    assert NON_ACCOUNT_TOPICS == independent_verifier.SEPARATE
    assert REPORTED_TOPICS == independent_verifier.REPORTED
    assert encrypted_fields() == independent_verifier.ENCRYPTED
    assert independent_verifier.NON_DETAIL_FIELDS == NON_DETAIL_FIELDS
