"""Record a store of a former version and its responses: `python -m tests.upgrade.record CHECKOUT`.

CHECKOUT is a folder with that version and its own `.venv`. The program replaces the files of `recorded/`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.postgres import fetch
from tests.processes.deployment import traversable_folder
from tests.receiver import receiving
from tests.upgrade import contract_story, store_story
from tests.upgrade.contract_story import Conversation
from tests.upgrade.exchanges import over_http
from tests.upgrade.former_service import FormerService, mail_server
from tests.upgrade.recording import RECORDED, recorded_response, write_recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

SCOPES = ("portal", "support", "auditor", "analytics")


def test_only_key(name: str) -> str:
    """Return a key that protects only the recorded store, encoded as in the setting."""
    return b64encode(sha256(f"a key for tests only: {name}".encode()).digest()).decode()


def main(checkout: Path) -> None:
    """Record the contract, then the store."""
    RECORDED.mkdir(exist_ok=True)
    record_contract(checkout)
    record_store(checkout)


def record_contract(checkout: Path) -> None:
    """Record the responses to the story of the README and the other routes."""
    with traversable_folder() as folder, mail_server(folder) as (mailbox, smtp_url):
        service = FormerService(checkout, folder / "data", _settings(smtp_url))
        _prepare(service)
        service.start()
        try:
            keys = {scope: new_key(service, scope, f"the {scope}'s key") for scope in SCOPES}
            conversation = Conversation(over_http(service.port), keys, mailbox.password_for)
            contract_story.play(conversation)
        finally:
            service.stop()
    write_recorded("contract.jsonl", _json_lines(conversation.exchanges))


def record_store(checkout: Path) -> None:
    """Record a store with events of every type, the responses of its service, and exports."""
    with traversable_folder() as folder, mail_server(folder) as (mailbox, smtp_url), receiving() as receiver:
        settings = {**_settings(smtp_url), "webhook_allow": "127.0.0.1,localhost"}
        service = FormerService(checkout, folder / "data", settings)
        _prepare(service)
        service.start()
        try:
            story = store_story.StoreStory(service, mailbox, receiver)
            story.keys = {scope: new_key(service, scope, f"the {scope}'s key") for scope in SCOPES}
            story.play()
            service.stop()
            service.start()
            write_recorded("store.sql.gz", dump(service))
            requests = store_story.requests(story)
            exchanges = [
                {"request": request, "response": recorded_response(story.ask(**request))} for request in requests
            ]
            topics = require_every_topic(checkout, service)
            recorded_at = datetime.now(UTC).isoformat()
        finally:
            service.stop()
        secrets = {
            "master_key": (folder / "data" / "master.key").read_text().strip(),
            "signing_key": (folder / "data" / "signing.key").read_text().strip(),
            "keys": story.keys,
            "recorded_at": recorded_at,
            "topics": topics,
            **story.secrets,
        }
    write_recorded("answers.jsonl.gz", _json_lines(exchanges))
    write_recorded("test_only_secrets.json", json.dumps(secrets, indent=1, ensure_ascii=False) + "\n")
    for name, text in story.files.items():
        write_recorded(name, text)


def require_every_topic(checkout: Path, service: FormerService) -> list[str]:
    """Return the topics of the former version; fail if the store lacks an event of one of them."""
    source = (checkout / "domain/events.py").read_text()
    topics = sorted(set(re.findall(r'TOPIC: ClassVar\[str\] = "(\w+)"', source)))
    stored = {topic for (topic,) in fetch(service.database_url, "SELECT DISTINCT topic FROM stored_events")}
    assert stored == set(topics), stored ^ set(topics)
    return topics


def new_key(service: FormerService, scope: str, name: str) -> str:
    """Create an API key with the command line."""
    return service.run("api-key", "create", "--scope", scope, "--name", name).strip()


def dump(service: FormerService) -> str:
    """Return the database as SQL that PostgreSQL 15 accepts: without settings of the session, owners and privileges."""
    (program, *_) = sorted((service.checkout / ".venv").glob("lib/python*/site-packages/*/pginstall*/bin/pg_dump"))[
        ::-1
    ]
    options = ["--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=200", "--no-comments"]
    completed = subprocess.run([program, *options, service.database_url], capture_output=True, check=True)
    _, first, script = completed.stdout.decode().partition("CREATE TYPE ")
    return first + re.sub(r"^\\(un)?restrict .*\n", "", script, flags=re.MULTILINE)


def _prepare(service: FormerService) -> None:
    """Create the data folder with keys for tests only."""
    service.folder.mkdir(mode=0o711)
    for name in ("master", "signing"):
        file = service.folder / f"{name}.key"
        file.write_text(test_only_key(name))
        file.chmod(0o600)


def _settings(smtp_url: str) -> dict[str, str]:
    return {
        "smtp_url": smtp_url,
        "mail_from": "no-reply@portal.example",
        "public_url": "https://portal.example",
    }


def _json_lines(values: Iterable[Any]) -> str:
    return "".join(f"{json.dumps(value, ensure_ascii=False)}\n" for value in values)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
