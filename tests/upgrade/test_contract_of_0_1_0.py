"""The story of the README and the other routes: the responses equal those of version 0.1.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.builders import mailed_password, mails_in_folder
from tests.upgrade.contract_story import Conversation, play
from tests.upgrade.differences import (
    IntendedDifference,
    differences,
    is_corrected_ocsf_status,
    is_new_field,
    is_reworded,
    mentions,
    renamed_field_differences,
    unintended,
    usage_and_feed_differences,
    without_end_line,
)
from tests.upgrade.exchanges import in_process
from tests.upgrade.recording import read_recorded

if TYPE_CHECKING:
    from tests.api.clients import ApiClients

INTENDED_DIFFERENCES = [
    IntendedDifference(
        "Every 401 has `WWW-Authenticate` with `error`", lambda difference: difference.name == "www-authenticate"
    ),
    IntendedDifference(
        "The audit log, exports and the feed show `actor.api_key_id`; the audit log and exports also `actor.person`",
        is_new_field("api_key_id", "person", "actor_api_key_id", "actor_person"),
    ),
    IntendedDifference(
        "English texts of the console, the mails, the command line, error messages and documentation are rewritten.",
        is_reworded,
    ),
    IntendedDifference(
        "`temporary_password_expires_at` in the sub-user resource", is_new_field("temporary_password_expires_at")
    ),
    IntendedDifference("`credentials` in the sub-user resource", is_new_field("credentials")),
    IntendedDifference(
        "Feeds have the header `Store-Epoch`, events the attribute `epoch`", is_new_field("store-epoch", "epoch")
    ),
    IntendedDifference(
        "A webhook belongs to the API key that created it (`api_key_id`), and is disabled when that key is revoked",
        is_new_field("api_key_id"),
    ),
    IntendedDifference(
        "Events for every command on webhooks and API keys: `WebhookSecretRotated`, `WebhookReplayed`",
        lambda difference: (
            difference.request.endswith(("/secrets", "/replay")) and is_new_field("event-position")(difference)
        ),
    ),
    IntendedDifference(
        'In OCSF exports, the status of undelivered mails is "Failure" and that of reported activities "Unknown"',
        is_corrected_ocsf_status,
    ),
    *usage_and_feed_differences(),
    *renamed_field_differences(),
    IntendedDifference(
        "A response to a request with an old name has the headers `Deprecation` (RFC 9745) and `Link`.",
        is_new_field("deprecation", "link"),
    ),
    IntendedDifference(
        "Actions of reported activities may not begin with `api_key.`, `permission_catalogue.` or `person.`.",
        mentions("api_key. or permission_catalogue. or person. or audit_log."),
    ),
    IntendedDifference(
        "Cursors are encrypted and bound to one list and one API key.", mentions("this list and API key")
    ),
    IntendedDifference("duplicate names in an object answer 400", mentions("without repeated names in an object")),
    IntendedDifference("`sub_user_password_reset` in the account resource", is_new_field("sub_user_password_reset")),
    IntendedDifference("Request bodies must be UTF-8.", mentions("must be application/json, in UTF-8")),
]
"""The first one covers changed wording; the last four cover texts with a changed meaning."""


def test_responses_to_the_story_are_unchanged(clients: ApiClients) -> None:
    service = clients.service
    keys = {
        scope: getattr(clients, scope).headers["Authorization"].removeprefix("Bearer ")
        for scope in ("portal", "support", "auditor", "analytics")
    }

    def deliver_mails() -> None:
        while service.workers.mailer.send_next():
            pass

    def password_for(email: str) -> str:
        return mailed_password([mail for mail in mails_in_folder(service) if email in str(mail["To"])][-1])

    conversation = Conversation(in_process(clients.app), keys, password_for, deliver_mails)
    play(conversation)
    former = [json.loads(line) for line in read_recorded("contract.jsonl").splitlines()]
    current = conversation.exchanges
    assert [exchange["request"] for exchange in current] == [exchange["request"] for exchange in former]
    found_differences = [
        difference
        for before, after in zip(former, current, strict=True)
        for difference in differences(
            f"{before['request']['method']} {before['request']['path']}",
            {**before["response"], "body": without_end_line(before["response"]["body"])},
            after["response"],
        )
    ]
    unannounced, unused = unintended(found_differences, INTENDED_DIFFERENCES)
    assert unannounced == []
    assert unused == []
    assert [kind.announcement for kind in INTENDED_DIFFERENCES if not kind.is_announced] == []
