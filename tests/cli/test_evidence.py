"""`subusers evidence`: the pack is complete and readable, and verifies without the service."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import re
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup

from adapters.ed25519 import Ed25519Signer, verify
from api.cli.evidence.pack import Period, write_pack
from api.cli.evidence.report import event_cells
from application import display_text
from application.commands.activities import Activity
from application.transparency.evidence_manifest import sums, text_to_sign
from application.transparency.export_verifier import trusted_checkpoint
from application.transparency.signed_note import VerifierKey, sign
from application.transparency.tamper_locator import CannotVerify
from application.transparency.verifiable_export import with_digest
from tests.builders import PORTAL, catch_up
from tests.cli.conftest import as_setting
from tools import verify_export

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from api.bootstrap.config import Settings
    from api.bootstrap.service import Service
    from tests.builders import Company

    Run = Callable[..., tuple[int, str]]
    Files = dict[str, bytes]

SCRIPT = Path(__file__).parents[2] / "tools" / "verify_export.py"
FAR_PAST, FAR_FUTURE = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)

RIGHT, TAMPERED, UNDETERMINED = 0, 1, 2
CHECKPOINT_TIME = re.compile(rb"\ntime ([0-9TZ:-]+)\n")
ZIP_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)
SHORT_EDIT_COUNT, LONG_EDIT_COUNT = 60, 1000
SEED = 20261130

FILES = {
    *("README.txt", "report.html", "history.jsonl", "audit-log.csv", "access.json", "consistency.json", "keys.txt"),
    *("checkpoints/0001.txt", "verify_export.py", "SHA256SUMS", "SHA256SUMS.note"),
}


def run_script(*arguments: object, cwd: Path, options: tuple[str, ...] = ("-I",)) -> tuple[int, str]:
    """Run the stand-alone verifier in its own process, which cannot import this project; return code and output."""
    command = [sys.executable, *options, str(SCRIPT), *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    return process.returncode, process.stdout + process.stderr


def check(pack: Path, key: VerifierKey) -> int:
    """Return the exit code of the stand-alone verifier, called in this process."""
    try:
        verify_export.check_pack(pack, [verify_export.parse_key(str(key))], [])
    except verify_export.Tampered:
        return TAMPERED
    except Exception:  # noqa: BLE001  # as in its `main`
        return UNDETERMINED
    return RIGHT


def read(pack: Path) -> Files:
    with zipfile.ZipFile(pack) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, files: Mapping[str, bytes], comment: bytes = b"", **properties: Any) -> Path:
    """Write a pack as the service does, with other properties of each file."""
    last_checkpoint = files.get(max((name for name in files if name.startswith("checkpoints/")), default=""), b"")
    time = CHECKPOINT_TIME.search(last_checkpoint)
    try:
        signed_at = datetime.fromisoformat(time[1].decode()) if time else ZIP_EPOCH
    except ValueError:  # the text was edited
        signed_at = ZIP_EPOCH
    if not ZIP_EPOCH.year <= signed_at.year < 2108:  # the year was edited to one that ZIP cannot express
        signed_at = ZIP_EPOCH
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, signed_at.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
            for attribute, value in properties.items():
                setattr(entry, attribute, value)
            archive.writestr(entry, data)
        archive.comment = comment
    return path


def evidence(run: Run, company: Company, path: Path, since: str = "2000-01-01", until: str = "2099-01-01") -> Path:
    code, output = run(
        "evidence", "--account", company.account_id, "--since", since, "--until", until, "--output", path
    )
    assert code == 0, output
    return path


@pytest.fixture
def key(service: Service) -> VerifierKey:
    return service.workers.checkpointer.verifier_key()


@pytest.fixture
def pack(run: Run, service: Service, company: Company, tmp_path: Path) -> Path:
    """Return a pack of an account with many kinds of values, also such that look like formulas or markup."""
    sub_user = company.create_with_own_password(email="grace@company.example")
    company.create_active(name="=cmd|' /C calc'!A0", surname="<b>O'Neil & \u202eSons</b>")
    company.create_sub_user(name="Deleted").delete()
    activity = Activity(sub_user.sub_user_id, "tool.used", "+a target", '{"n": 1.5, "text": "déjà vu"}', None)
    service.commands.activities.record(company.account_id, [activity], PORTAL)
    return evidence(run, company, tmp_path / "pack.zip")


def test_pack_verifies_without_the_project(pack: Path, key: VerifierKey) -> None:
    """As a ZIP file and unpacked. The output says what is proven and what is not. Only its owner can read it."""
    assert stat.S_IMODE(pack.stat().st_mode) == 0o600
    assert set(read(pack)) == FILES
    code, output = run_script(pack, "--public-key", key, cwd=pack.parent)
    assert code == RIGHT, output
    assert f"right: all files of the pack ({len(FILES)}) are as the service signed them" in output
    assert "Proven: versions 1 to " in output
    assert "Not proven: that no activity, usage report" in output
    assert "Not proven by the checkpoint, only by the signature" in output
    folder = pack.with_name("unpacked")
    with zipfile.ZipFile(pack) as archive:
        archive.extractall(folder)
    assert run_script(folder, "--public-key", key, cwd=folder) == (RIGHT, output)
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], cwd=folder, check=True)
    assert (folder / "verify_export.py").read_bytes() == SCRIPT.read_bytes()


def test_history_in_the_pack_is_an_export(run: Run, pack: Path, key: VerifierKey) -> None:
    history = pack.with_name("history.jsonl")
    history.write_bytes(read(pack)["history.jsonl"])
    assert run("verify", "--export", history, "--public-key", key)[0] == RIGHT


def test_pack_is_no_export_for_the_service(run: Run, pack: Path) -> None:
    """Zipped or unpacked, `subusers verify` names the program that verifies it."""
    folder = pack.with_name("unpacked")
    with zipfile.ZipFile(pack) as archive:
        archive.extractall(folder)
    for path in (pack, folder):
        command = f"`python3 tools/verify_export.py {path} --public-key KEY`"
        expected = f"subusers: could not tell: {path} is an evidence pack: verify it with {command}\n"
        assert run("verify", "--export", path) == (UNDETERMINED, expected)


def test_report_shows_access_and_events(pack: Path, company: Company) -> None:
    """It is printable, has no scripts and loads nothing, and treats names as text."""
    files = read(pack)
    html = files["report.html"].decode()
    report = BeautifulSoup(html, "html.parser")
    assert "@media print" in html
    assert not report.find_all(["script", "img", "link", "iframe", "b"])
    text = report.get_text(" ")
    assert "The account did not exist yet." in text
    assert "2 sub-users had access" in " ".join(text.split())
    assert "<b>O'Neil & \\u202eSons</b>" in text
    assert "\u202e" not in html
    (table,) = report.select("tbody#events")
    rows = [[cell.get_text() for cell in row.find_all("td")] for row in table.find_all("tr")]
    shown = [line["shown"] for line in map(json.loads, files["history.jsonl"].splitlines()) if "shown" in line]
    assert [row[3] for row in rows] == [event["action"] for event in shown]
    assert {"main_account.registered", "sub_user.logged_in", "sub_user.deleted", "tool.used"} <= {
        row[3] for row in rows
    }
    assert any(row[2].endswith("added Grace Hopper") for row in rows), rows
    state = json.loads(files["access.json"])["at_end"]
    assert {sub_user["email"] for sub_user in state["sub_users"]} >= {"grace@company.example"}
    assert state["account_id"] == str(company.account_id)


def test_report_names_the_person_at_the_portal_and_the_reason(
    run: Run, service: Service, company: Company, key: VerifierKey, tmp_path: Path
) -> None:
    """Of each event whose command had `X-Actor` and `X-Reason`; of others the cells are empty."""
    context = replace(PORTAL, reason="<b>left</b> \u202ethe company", person="Jane Roe, support")
    sub_user = company.create_active()
    service.commands.sub_users.delete(company.account_id, sub_user.sub_user_id, context)
    pack = evidence(run, company, tmp_path / "pack.zip")
    report = BeautifulSoup(read(pack)["report.html"].decode(), "html.parser")
    assert [cell.get_text() for cell in report.select("table:has(#events) th")][-2:] == [
        "Person at the portal",
        "Reason",
    ]
    cells = {
        row[3]: row[-2:]
        for row in ([cell.get_text() for cell in tr.find_all("td")] for tr in report.select("tbody#events tr"))
    }
    assert cells["sub_user.deleted"] == ["Jane Roe, support", "<b>left</b> \\u202ethe company"]
    assert cells["sub_user.created"] == ["", ""]
    assert check(pack, key) == RIGHT


def test_verifier_renders_cells_as_the_report_does(pack: Path) -> None:
    """The stand-alone script cannot import what it repeats."""
    for line in map(json.loads, read(pack)["history.jsonl"].splitlines()):
        if "shown" in line:
            cells = event_cells(line["shown"])
            assert verify_export.report_cells(line["shown"]) == [
                "" if cell is None else display_text.escape_unprintable(str(cell)) for cell in cells
            ]
    characters = [chr(code) for code in range(0x11000)]
    assert [verify_export.printable(character) for character in characters] == [
        display_text.escape_unprintable(character) for character in characters
    ]


def test_period_limits_the_events_and_the_states(run: Run, service: Service, company: Company, tmp_path: Path) -> None:
    company.create_with_own_password()
    moment = service.clock()
    (sub_user_id,) = company.state().sub_users
    company.create_sub_user(name="Later")
    times = [moment.isoformat().replace("+00:00", "Z") for moment in (FAR_PAST, moment, FAR_FUTURE)]
    before, after = (
        read(evidence(run, company, tmp_path / name, since, until))
        for name, since, until in (("before", *times[:2]), ("after", *times[1:]))
    )
    states = {name: json.loads(files["access.json"]) for name, files in (("before", before), ("after", after))}
    assert states["before"]["at_start"] is None
    at_moment = states["before"]["at_end"]
    assert states["after"]["at_start"] == at_moment
    assert [sub_user["sub_user_id"] for sub_user in at_moment["sub_users"]] == [str(sub_user_id)]
    assert len(states["after"]["at_end"]["sub_users"]) == 2
    positions = [
        [int(row["position"]) for row in csv.DictReader(io.StringIO(files["audit-log.csv"].decode()))]
        for files in (before, after)
    ]
    assert positions[0][-1] < positions[1][0]
    assert [b"audit_log.exported" in files["audit-log.csv"] for files in (before, after)] == [False, True]


def test_same_checkpoint_gives_the_same_file(service: Service, pack: Path, company: Company, tmp_path: Path) -> None:
    catch_up(service)
    period = Period(company.account_id, FAR_PAST, service.clock())
    copies = []
    for _ in range(2):
        copy = io.BytesIO()
        write_pack(service, period, copy, tmp_path)
        copies.append(copy.getvalue())
    assert copies[0] == copies[1]
    assert not list(tmp_path.glob(".evidence-*"))


def test_checkpoints_of_the_period_continue_each_other(
    run: Run,
    service: Service,
    company: Company,
    tmp_path: Path,
    key: VerifierKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pack has the last one before the period, the last one of each day, and that of the proofs."""
    days = ["2026-01-30T12:00:00Z", "2026-02-01T06:00:00Z", "2026-02-01T18:00:00Z", "2026-02-02T12:00:00Z"]
    for day in days:
        company.create_sub_user()
        catch_up(service, "merkle-tree")
        monkeypatch.setattr(service.workers.checkpointer, "_clock", lambda day=day: datetime.fromisoformat(day))
        service.workers.checkpointer.sign_now()
    pack = evidence(run, company, tmp_path / "pack.zip", "2026-02-01", "2099-01-01")
    notes = [data.decode() for name, data in sorted(read(pack).items()) if name.startswith("checkpoints/")]
    times = [re.search(r"^time (.*)$", note, re.MULTILINE)[1] for note in notes]  # type: ignore[index]
    assert times[:3] == [days[0], days[2], days[3]]
    code, output = run_script(pack, "--public-key", key, cwd=tmp_path)
    assert (code, f"right: {len(notes)} checkpoints, each of which continues" in output) == (RIGHT, True), output


def test_kept_key_verifies_a_pack_and_an_export_after_rotations(
    run: Run, settings: Settings, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The successions inside lead from the first key to the third. A key of someone else does not."""
    company.create_sub_user()
    assert run("export", "--account", company.account_id, "-o", tmp_path / "before.jsonl")[0] == 0
    (first,) = settings.signing_keys.private
    kept = run("signing-key", "show")[1].strip()
    for number in (2, 3):
        keys = [bytes([number]) * 32, *([bytes([number - 1]) * 32] if number > 2 else [first])]
        monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(*keys))
        company.create_sub_user()
        assert run("signing-key", "rotate")[0] == 0
    company.create_sub_user()
    export = tmp_path / "after.jsonl"
    assert run("export", "--account", company.account_id, "-o", export)[0] == 0
    pack = evidence(run, company, tmp_path / "pack.zip")
    assert len([name for name in read(pack) if name.startswith("successions/")]) == 2
    other = VerifierKey(kept.partition("+")[0], Ed25519Signer(b"another key that has 32 bytes...").public_key)
    for file in (export, pack):
        assert run_script(file, "--public-key", kept, cwd=tmp_path)[0] == RIGHT
        code, output = run_script(file, "--public-key", other, cwd=tmp_path)
        assert (code, "no trusted key has signed" in output) == (UNDETERMINED, True)
    assert run("verify", "--export", export, "--public-key", kept)[0] == RIGHT
    assert run("verify", "--export", export, "--public-key", other)[0] == UNDETERMINED


def test_note_of_the_manifest_is_no_checkpoint(pack: Path, key: VerifierKey) -> None:
    """The same key signs both, so neither verifier may take one for the other."""
    note = read(pack)["SHA256SUMS.note"].decode()
    with pytest.raises(CannotVerify):
        trusted_checkpoint(note, [key], verify)
    forged = str(sign(f"{key.name} evidence\n7\n{'A' * 43}=\nposition 7\n", key.name, [Ed25519Signer(b"x" * 32)]))
    for text in (note, forged):
        with pytest.raises((verify_export.CannotVerify, KeyError, ValueError)):
            verify_export.read_checkpoint(text, [verify_export.parse_key(str(key))], [])
    checkpoint = read(pack)["checkpoints/0001.txt"]
    altered = write(pack.with_name("altered"), {**read(pack), "SHA256SUMS.note": checkpoint})
    assert check(altered, key) == UNDETERMINED


# Edits.


def readable(pack: Path) -> Files | None:
    """Return what a person can read in a pack; None if it cannot be unpacked."""
    try:
        return read(pack)
    except Exception:  # noqa: BLE001  # a damaged archive can cause any
        return None


def edit_text(data: bytes, random_source: random.Random) -> bytes:
    """Return other data: with a changed, removed or inserted byte or line, or a number or word replaced by another."""
    index = random_source.randrange(len(data) or 1)
    lines = data.splitlines(keepends=True) or [b""]
    line = random_source.randrange(len(lines))
    other_line = random_source.randrange(len(lines))
    words = sorted(set(re.findall(rb"[\w.@-]+", data))) or [b""]
    match random_source.choice(["byte", "cut", "insert", "drop", "repeat", "swap", "word", "word", "digit"]):
        case "byte":
            return data[:index] + bytes([random_source.randrange(256)]) + data[index + 1 :]
        case "cut":
            return data[:index] + data[index + random_source.randrange(1, 20) :]
        case "insert":
            return data[:index] + random_source.choice([b" ", b"not ", b"<!-- ", b"\n", b"0"]) + data[index:]
        case "drop":
            del lines[line]
        case "repeat":
            lines.insert(other_line, lines[line])
        case "swap":
            lines[line], lines[other_line] = lines[other_line], lines[line]
        case "word":
            return data.replace(random_source.choice(words), random_source.choice(words), 1)
        case "digit":
            return re.sub(rb"\d", lambda match: str((int(match[0]) + 1) % 10).encode(), data, count=1 + index % 50)
    return b"".join(lines)


def edit(pack: Path, target: Path, random_source: random.Random) -> None:
    """Write a copy of a pack with a random edit, often with digests that were computed again to hide it."""
    files = read(pack)
    name, other_name = random_source.sample(sorted(files), 2)
    match random_source.choice(["archive", "remove", "add", "rename", "exchange", *["text"] * 8]):
        case "archive":
            data = bytearray(pack.read_bytes())
            data[random_source.randrange(len(data))] = random_source.randrange(256)
            target.write_bytes(bytes(data))
            return
        case "remove":
            del files[name]
        case "add":
            files[random_source.choice(["note.txt", "checkpoints/0000.txt", "report.htm", "a/b"])] = files[name]
        case "rename":
            files[f"{name}x"] = files.pop(name)
        case "exchange":
            files[name], files[other_name] = files[other_name], files[name]
        case "text":
            files[name] = edit_text(files[name], random_source)
    if random_source.random() < 0.5:
        files = with_new_digests(files)
    write(target, files)


def with_new_digests(files: Files) -> Files:
    """Return the files with all digests computed again, which needs no key."""
    lines = []
    for line in files.get("history.jsonl", b"").splitlines():
        try:
            parsed = json.loads(line)
            lines.append(json.dumps(with_digest(parsed), ensure_ascii=False).encode() if "digest" in parsed else line)
        except (ValueError, TypeError, AttributeError):
            lines.append(line)
    files = {**files, "history.jsonl": b"".join(line + b"\n" for line in lines)} if lines else files
    digests = {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items() if not name.startswith("SHA256SUMS")
    }
    return {**files, "SHA256SUMS": sums(digests).encode()}


def require_that_edits_are_found(pack: Path, key: VerifierKey, edit_count: int) -> None:
    random_source = random.Random(SEED)
    original, edited = readable(pack), pack.with_name("edited.zip")
    assert check(pack, key) == RIGHT
    found = 0
    while found < edit_count:
        edit(pack, edited, random_source)
        if readable(edited) != original:
            assert check(edited, key) != RIGHT, found
            found += 1


def test_random_edits_are_found(pack: Path, key: VerifierKey) -> None:
    """An edit is a change of anything that a person can read in the pack."""
    require_that_edits_are_found(pack, key, SHORT_EDIT_COUNT)


@pytest.mark.long
def test_1000_random_edits_are_found(pack: Path, key: VerifierKey) -> None:
    require_that_edits_are_found(pack, key, LONG_EDIT_COUNT)


def signed_again(files: Files, service: Service) -> Files:
    """Return the files with a new manifest, signed with the service's key, as only its operator can."""
    files = with_new_digests(files)
    digest = hashlib.sha256(files["SHA256SUMS"]).hexdigest()
    size = int(files["checkpoints/0001.txt"].split(b"\n")[1])
    return {**files, "SHA256SUMS.note": service.workers.checkpointer.sign_evidence(size, digest).encode()}


def test_edits_by_the_holder_of_the_key_are_found(service: Service, pack: Path, key: VerifierKey) -> None:
    """The verifier compares the audit log and the report with the history, and the history with the checkpoint."""
    random_source = random.Random(SEED)
    files = read(pack)
    edited = pack.with_name("edited.zip")
    assert check(write(edited, signed_again(files, service)), key) == RIGHT
    table = files["report.html"].partition(b'<tbody id="events">')[2].partition(b"</tbody>")[0]
    cells = {
        "audit-log.csv": (files["audit-log.csv"].partition(b"\n")[2], rb"[^,\"\r\n]+"),
        "report.html": (table, rb"(?<=>)[^<\n]+(?=</td>)"),
    }
    for name, (rows, cell) in cells.items():
        for match in random_source.sample(list(re.finditer(cell, rows)), SHORT_EDIT_COUNT):
            altered = rows[: match.start()] + b"7" + rows[match.start() :]
            write(edited, signed_again({**files, name: files[name].replace(rows, altered)}, service))
            assert check(edited, key) != RIGHT, match
        row = random_source.choice(rows.splitlines(keepends=True)[:-1])
        write(edited, signed_again({**files, name: files[name].replace(row, b"")}, service))
        assert check(edited, key) != RIGHT, row
    history = [json.loads(line) for line in files["history.jsonl"].splitlines()]
    history[2]["shown"]["recorded_at"] = "2026-01-01T00:00:00Z"
    data = b"".join(json.dumps(line).encode() + b"\n" for line in history)
    write(edited, signed_again({**files, "history.jsonl": data}, service))
    assert check(edited, key) == TAMPERED


@pytest.mark.parametrize(
    "properties",
    [
        {"comment": b"all is well"},
        {"date_time": (2020, 1, 1, 0, 0, 0)},
        {"extra": b"\xfe\xca\x04\x00text"},
        {"extra": b"\x01\x00\x04\x00text"},
        {"external_attr": (stat.S_IFLNK | 0o777) << 16},
        {"create_system": 0},
        {"internal_attr": 1},
        {"compress_type": zipfile.ZIP_STORED},
        {"compress_type": zipfile.ZIP_BZIP2},
    ],
    ids=str,
)
def test_other_properties_of_an_archive_are_found(pack: Path, key: VerifierKey, properties: dict[str, Any]) -> None:
    """Comments, extra fields, and what the service never writes, such as links."""
    edited = pack.with_name("edited.zip")
    assert check(write(edited, read(pack)), key) == RIGHT
    assert check(write(edited, read(pack), **properties), key) == TAMPERED


def test_second_file_of_the_same_name_is_found(pack: Path, key: VerifierKey) -> None:
    """Programs differ in which of the two they show."""
    edited = pack.with_name("edited.zip")
    edited.write_bytes(pack.read_bytes())
    with zipfile.ZipFile(edited, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("report.html", "<p>all is well</p>")
    assert check(edited, key) == TAMPERED


JUNK = b"<p>all is well</p>"


def offsets(data: bytes, signature: bytes) -> list[int]:
    """Return where a pack has the records with this signature, which its compressed data could have by chance."""
    return [match.start() for match in re.finditer(re.escape(signature), data)]


def insert(data: bytes, offset: int, *, offsets_follow: bool) -> bytes:
    """Return a ZIP file with junk at an offset; with offsets that follow, its directory takes the junk into account."""
    directory = offsets(data, b"PK\x01\x02")
    edited = bytearray(data)
    if offsets_follow:
        for entry in directory:
            (local,) = struct.unpack_from("<L", data, entry + 42)
            struct.pack_into("<L", edited, entry + 42, local + (len(JUNK) if local >= offset else 0))
        end = offsets(data, b"PK\x05\x06")[-1]
        struct.pack_into("<L", edited, end + 16, directory[0] + (len(JUNK) if directory[0] >= offset else 0))
    return bytes(edited[:offset]) + JUNK + bytes(edited[offset:])


@pytest.mark.parametrize("offsets_follow", [True, False])
def test_junk_in_an_archive_is_found(pack: Path, key: VerifierKey, offsets_follow: bool) -> None:
    """Before, between, behind and after the files: no signature covers it, and programs skip it."""
    data, edited = pack.read_bytes(), pack.with_name("edited.zip")
    files, directory = offsets(data, b"PK\x03\x04"), offsets(data, b"PK\x01\x02")
    assert len(files) == len(directory) == len(FILES)
    read_by_library = 0
    for offset in (*files, *directory, offsets(data, b"PK\x05\x06")[-1], len(data)):
        edited.write_bytes(insert(data, offset, offsets_follow=offsets_follow))
        read_by_library += readable(edited) == readable(pack)
        assert check(edited, key) != RIGHT, offset
    assert read_by_library > 1
    edited.write_bytes(JUNK + data)
    assert run_script(edited, "--public-key", key, cwd=pack.parent)[0] == TAMPERED
    edited.write_bytes(data + JUNK)
    assert run_script(edited, "--public-key", key, cwd=pack.parent)[0] == TAMPERED


def test_junk_behind_compressed_data_is_found(pack: Path, key: VerifierKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs stop at the end of the compressed data, although the file's size includes more."""

    class Deflater:
        """Compresses, and appends junk."""

        def __init__(self) -> None:
            self._deflater = zlib.compressobj(9, zlib.DEFLATED, -15)

        def compress(self, data: bytes) -> bytes:
            return self._deflater.compress(data)

        def flush(self) -> bytes:
            return self._deflater.flush() + JUNK

    edited = pack.with_name("edited.zip")
    monkeypatch.setattr(zipfile, "_get_compressor", lambda *_: Deflater())
    write(edited, read(pack))
    assert read(edited) == read(pack)
    assert check(edited, key) == TAMPERED


def test_every_changed_byte_around_the_files_is_found(pack: Path, key: VerifierKey) -> None:
    """Also one that no person would read, except the version of the program that wrote the file."""
    data, edited = pack.read_bytes(), pack.with_name("edited.zip")
    files, directory = offsets(data, b"PK\x03\x04"), offsets(data, b"PK\x01\x02")
    versions = {record + n for record in files for n in (4, 5)}
    versions |= {record + n for record in directory for n in (4, 6, 7)}
    around_files = {n for record in files for n in range(record, record + 30)} | {*range(directory[0], len(data))}
    random_source = random.Random(SEED)
    for index in random_source.sample(sorted(around_files - versions), 300):
        changed = bytearray(data)
        changed[index] ^= 1 << random_source.randrange(8)
        edited.write_bytes(bytes(changed))
        assert check(edited, key) != RIGHT, index


def test_pack_of_more_than_4_gib_verifies(pack: Path, key: VerifierKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sizes and offsets have 64 bits. Here the limit is lowered to 300 bytes."""
    files, edited = read(pack), pack.with_name("edited.zip")
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 300)
    monkeypatch.setattr(verify_export, "LARGE", 300 / 1.05)
    write(edited, files)
    assert b"PK\x06\x06" in edited.read_bytes()
    assert check(edited, key) == RIGHT
    for data in (JUNK + edited.read_bytes(), edited.read_bytes() + JUNK):
        edited.write_bytes(data)
        assert check(edited, key) != RIGHT


# Refusals and exit codes.


def test_wrong_periods_and_accounts_are_refused(run: Run, company: Company, tmp_path: Path) -> None:
    """No file remains."""
    options = ["evidence", "-o", tmp_path / "pack.zip", "--account"]
    for since, until in (("2026-02-01", "2026-02-01"), ("2026-02-01", "2026-01-01"), ("yesterday", "2026-01-01")):
        assert run(*options, company.account_id, "--since", since, "--until", until)[0] == 2
    code, output = run(
        *options, "9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90", "--since", "2026-01-01", "--until", "2026-02-01"
    )
    assert (code, "There is no such account" in output or "AccountNotFound" in output) == (1, True)
    assert not (tmp_path / "pack.zip").exists()


def test_signing_key_is_needed(run: Run, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("export", "--account", company.account_id, "-o", tmp_path / "export")[0] == 0
    monkeypatch.setenv("SUBUSERS_SIGNING_KEY", as_setting(b"another key that has 32 bytes..."))
    code, output = run(
        *("evidence", "--account", company.account_id, "--since", "2000-01-01", "--until", "2099-01-01"),
        *("-o", tmp_path / "pack.zip"),
    )
    assert (code, "SUBUSERS_SIGNING_KEY is not the key that signs" in output) == (2, True)


def test_script_never_exits_with_1_for_an_error(pack: Path, key: VerifierKey) -> None:
    """1 means tampered. Missing, unreadable and unsuitable files, libraries and arguments exit with 2."""
    folder = pack.parent
    (folder / "empty").write_bytes(b"")
    (folder / "bytes").write_bytes(b"\xff\xfe\x00")
    (folder / "cut.zip").write_bytes(pack.read_bytes()[:-100])
    (folder / "folder").mkdir()
    write(folder / "other.zip", {"a": b"b"})
    trust = ["--public-key", key]
    for file in ("nowhere", "empty", "bytes", "cut.zip", "folder", "other.zip", "/proc/self/mem"):
        code, output = run_script(file, *trust, cwd=folder)
        assert (code, "could not tell" in output, "Traceback" in output) == (UNDETERMINED, True, False), (file, output)
    for arguments in (
        [],
        [pack],
        [pack, "--public-key", "nobody"],
        [pack, *trust, "--succession", "nowhere"],
        [*trust, "--consistency", "nowhere", "bytes", "--proof", "empty"],
        [*trust, "--consistency", "nowhere", "bytes"],
        [pack, *trust, "--proof", "empty"],
    ):
        code, output = run_script(*arguments, cwd=folder)
        assert (code, "Traceback" in output) == (UNDETERMINED, False), (arguments, output)
    code, output = run_script(pack, *trust, cwd=folder, options=("-I", "-S"))
    assert (code, "the library `cryptography` is missing" in output) == (UNDETERMINED, True)


def test_sign_evidence_binds_store_and_tree_size(service: Service, pack: Path, key: VerifierKey) -> None:
    """A signature of another tree size, or of another store's pack, does not fit."""
    files = read(pack)
    digest = hashlib.sha256(files["SHA256SUMS"]).hexdigest()
    size = int(files["checkpoints/0001.txt"].split(b"\n")[1])
    signer = Ed25519Signer(service.settings.signing_keys.private[0])
    assert str(sign(text_to_sign(key.name, size, digest), key.name, [signer])).encode() == files["SHA256SUMS.note"]
    for origin, tree_size in ((key.name, size + 1), ("subusers/another", size)):
        note = str(sign(text_to_sign(origin, tree_size, digest), origin, [signer])).encode()
        edited = write(pack.with_name("edited.zip"), {**files, "SHA256SUMS.note": note})
        assert check(edited, key) != RIGHT


def test_period_in_the_future_is_refused_without_a_file(run: Run, company: Company, tmp_path: Path) -> None:
    arguments = ["--since", "2999-01-01", "--until", "2999-02-01", "-o", str(tmp_path / "pack.zip")]
    code, output = run("evidence", "--account", str(company.account_id), *arguments)
    assert (code, "--since" in output, "must not be in the future" in output) == (2, True, True)
    unknown = ["--since", "2026-01-01", "--until", "2026-02-01", "-o", str(tmp_path / "pack.zip")]
    assert run("evidence", "--account", str(uuid4()), *unknown)[0] == 1
    assert list(tmp_path.glob("pack*")) == []
