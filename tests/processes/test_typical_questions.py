"""Every command of docs/questions.md runs against a real service, and answers its question."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.processes.conftest import RunningService

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "questions.md"
END_OF_BLOCK = "--- end of a block ---"

ANSWERS = {
    "Prepare": [],
    "Who had access on a day?": ["Grace Hopper grace-questions@company.example had access"],
    "Who gave a person access, and who took it away?": ["sub_user.created,main_account", "sub_user.activated,main_ac"],
    "What did a person do?": ["sub_user.logged_in,sub_user", "sub_user.password_changed,sub_user"],
    "What was done to a person's data?": ['"before":"Hopper","after":"Murray"'],
    "What did the support desk do?": ["main_account.sub_user_limit_raised,support", "asked by phone"],
    "Which logins failed, and where from?": ["sub_user.login_refused,anonymous", "wrong_password", "192.0.2.7"],
    "Who was locked out?": ["position,occurred_at,recorded_at,action"],
    "Who read or copied the audit log?": ["audit_log.exported,auditor", "audit_log.read,auditor"],
    "Whose personal data was erased, and when?": ["sub_user.deleted,main_account"],
    "Who created and revoked API keys?": [",api_key.created,", "a test's auditor"],
    "Does an export have everything, unaltered?": ["Proven: versions 1 to ", "Proven: nothing is missing up to the"],
    "Was history changed since my last visit?": ["right: the ", " begin with the ", "are as they were signed, in"],
    "What do I put into my files about a quarter?": ["right: all files of the pack ("],
}
"""Text in the output of the commands, by heading."""


def blocks() -> list[tuple[str, str]]:
    """Return the heading and the commands of each block of the page, in order."""
    heading = ""
    found = []
    for match in re.finditer(r"^## ([^\n]*)$|^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        heading = match[1] or heading
        if match[2] is not None:
            found.append((heading, match[2]))
    return found


def test_every_question_has_an_expected_answer() -> None:
    assert {heading for heading, _ in blocks()} == set(ANSWERS)
    assert set(re.findall(r"^## (.*)$", PAGE.read_text(), re.MULTILINE)) == set(ANSWERS)


def test_commands_answer_the_questions(running_service: RunningService, tmp_path: Path) -> None:
    deployment = running_service.deployment
    company = running_service.portal.register()
    sub_user = company.add_with_own_password(email="grace-questions@company.example")
    sub_user.change(surname="Murray")
    sub_user.change(surname="Hopper")
    login = {"account_email": company.email, "email": sub_user.email, "password": "wrong"}
    running_service.portal.call(401, "POST", "/v1/sessions", login, X_Client_IP="192.0.2.7")
    running_service.portal.call(204, "DELETE", company.add().path)
    support = {"Authorization": f"Bearer {deployment.api_key('support')}"}
    raised = {"sub_user_limit": 11, "reason": "asked by phone"}
    running_service.portal.call(200, "PUT", f"{company.path}/sub-user-limit", raised, **support)
    values = {
        "url": deployment.url,
        "KEY": deployment.api_key("auditor"),
        "ACCOUNT": company.path.rsplit("/", 1)[1],
        "PERSON": sub_user.sub_user_id,
        "SINCE": "2026-01-01T00:00:00Z",
        "UNTIL": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "PUBLIC_KEY": deployment.run("signing-key", "show").output.strip(),
    }
    deployment.run("export", "--account", values["ACCOUNT"], "-o", str(tmp_path / "signed"))  # signs a checkpoint now

    (_, to_fill_in), *commands = blocks()
    assert set(re.findall(r"^(\w+)=", to_fill_in, re.MULTILINE)) == set(values)
    script = "set -euo pipefail\n" + "".join(f"{block}echo; echo '{END_OF_BLOCK}'\n" for _, block in commands)
    (tmp_path / "subusers").write_text(f'#!/bin/sh\nexec {sys.executable} -m api.cli "$@"\n')
    (tmp_path / "subusers").chmod(0o700)
    shutil.copy(ROOT / "tools" / "verify_export.py", tmp_path)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{deployment.environment['PATH']}"
    process = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**deployment.environment, **values, "PATH": path},
    )
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr
    outputs = process.stdout.split(f"{END_OF_BLOCK}\n")[:-1]
    output_by_heading: dict[str, str] = {}
    for (heading, _), output in zip(commands, outputs, strict=True):
        output_by_heading[heading] = output_by_heading.get(heading, "") + output
    for heading, answers in ANSWERS.items():
        for answer in answers:
            assert answer in output_by_heading[heading], (heading, output_by_heading[heading])
