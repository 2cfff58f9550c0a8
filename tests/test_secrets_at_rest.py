"""Data at rest: no table contains a secret, and personal data is in plaintext only where it can be erased."""

from __future__ import annotations

import base64
from datetime import date
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from application.command_context import CommandContext
from application.commands.accounts import AccountChanges
from application.commands.activities import Activity
from application.commands.api_keys import Scope
from application.commands.usage import UsageReport
from application.commands.webhooks import NewWebhook
from application.sign_in.second_factors.verification import RecoveryCodeProof
from application.transactional_writes import StoreIdempotentResponse
from domain.event_metadata import ActorType
from domain.mails import LinkPurpose
from domain.plan import Plan
from domain.refusals import LoginRefused
from domain.second_factor import SecondFactorPolicy
from domain.sub_user import CredentialsKind
from tests.api_keys import add_api_key
from tests.builders import Company, SubUserHandle, catch_up, deliver_mails, mailed_password, mailed_token
from tests.postgres import fetch
from tests.second_factors import Person
from tests.table_contents import contents, tables_containing

if TYPE_CHECKING:
    from api.bootstrap.service import Service

PLAINTEXT_VIEWS = {"account_view", "sub_user_view"}
"""Views that lists search and sort. Their rows are deleted when the person is erased."""

CANARY_CONTEXT = CommandContext(
    ActorType.MAIN_ACCOUNT,
    "key 7",
    ip="203.0.113.213",
    user_agent="canary-browser/9",
    reason="canary reason",
    device_id_of=lambda _: "canary-device",
)


class Scenario:
    """Every operation that stores data, with a canary in every secret and personal field."""

    def __init__(self, service: Service) -> None:
        self.service = service
        registered = service.commands.accounts.register(
            CANARY_CONTEXT,
            email="canary.boss@company.example",
            company_name="Canary Works",
            password="canary phrase of the boss",
        )
        self.company = Company(service, registered.value.account_id, "canary.boss@company.example")
        self.api_key = add_api_key(service, Scope.PORTAL, "a backend")
        self.sub_user = self._create_sub_user()
        self.tokens: list[str] = []
        self.links: list[str] = []
        self.passwords = ["canary phrase of the boss", "canary phrase one"]
        self._run()

    def _create_sub_user(self) -> SubUserHandle:
        def store_response(details: object, key: object) -> list[StoreIdempotentResponse]:
            ciphertext = key.encrypt("answer", "canary.grace@company.example Canarygrace")  # type: ignore[attr-defined]
            person_id = details.sub_user_id  # type: ignore[attr-defined]
            return [
                StoreIdempotentResponse(person_id, "key", b"", 201, "{}", ciphertext, person_id, self.service.clock())
            ]

        created = self.service.commands.sub_users.create(
            self.company.account_id,
            CANARY_CONTEXT,
            email="canary.grace@company.example",
            name="Canarygrace",
            surname="Canaryhopper",
            password="canary phrase one",
            also_write=store_response,  # type: ignore[arg-type]  # as the HTTP layer does
        )
        return SubUserHandle(
            self.company, created.value.sub_user_id, "canary.grace@company.example", "canary phrase one"
        )

    def _run(self) -> None:
        self.sub_user.change(active=True)
        deliver_mails(self.service)
        self.service.commands.sub_users.send_credentials_again(
            self.company.account_id, self.sub_user.sub_user_id, CANARY_CONTEXT
        )
        self.passwords.append(mailed_password(deliver_mails(self.service)[-1]))
        self.tokens.append(self.sub_user.log_in(self.passwords[-1], CANARY_CONTEXT).token)
        self.passwords.append("canary phrase two")
        sessions = self.service.commands.sub_user_sessions
        new_session = sessions.change_password(self.tokens[-1], self.passwords[-2], self.passwords[-1], CANARY_CONTEXT)
        self.tokens.append(new_session.value.token)
        with pytest.raises(LoginRefused):
            self.sub_user.log_in("canary wrong guess", CANARY_CONTEXT)
        self.passwords.append("canary wrong guess")
        details = '{"canary":"canary details"}'
        activity = Activity(self.sub_user.sub_user_id, "assistant.opened", "canary target", details)
        self.service.commands.activities.record(self.company.account_id, [activity], CANARY_CONTEXT)
        self.service.commands.usage.record(
            self.company.account_id, [UsageReport(self.sub_user.sub_user_id, 60_000, 1000)], CANARY_CONTEXT
        )
        self.service.commands.usage.set_plan(self.company.account_id, Plan(10, 0, date(2026, 1, 1)), CANARY_CONTEXT)
        for number in range(110):  # until a snapshot is taken
            self.sub_user.change(name=f"Canaryname{number}")
        self.passwords.append("canary phrase three")
        self.sub_user.change(password="canary phrase three")
        self.tokens.append(self.sub_user.log_in("canary phrase three", CANARY_CONTEXT).token)
        self._log_in_as_owner()
        self._use_second_factors()
        self._deliver_webhook()
        self._reset_passwords()
        self._change_email()
        catch_up(self.service)

    def _reset_passwords(self) -> None:
        """Use a link to reset the sub-user's password. Leave another one unused, and one for the owner in the queue."""
        resets = self.service.commands.password_resets
        resets.request(self.company.email, self.sub_user.email, CANARY_CONTEXT)
        self.links.append(mailed_token(deliver_mails(self.service)[-1]))
        self.passwords.append("canary phrase by a link")
        resets.choose_password(self.links[-1], LinkPurpose.PASSWORD_RESET, self.passwords[-1], CANARY_CONTEXT)
        resets.request(self.company.email, self.sub_user.email, CANARY_CONTEXT)
        self.links.append(mailed_token(deliver_mails(self.service)[-1]))
        resets.request(self.company.email, None, CANARY_CONTEXT)
        self._invite()

    def _invite(self) -> None:
        """Invite another sub-user, then once more after a deactivation. They do not use the links."""
        invited = self.company.create_sub_user()
        for active in (True, False, True):
            invited.change(active=active, credentials_kind=CredentialsKind.LINK if active else None)
            if active:
                self.links.append(mailed_token(deliver_mails(self.service)[-1]))

    def _change_email(self) -> None:
        """Change the account's e-mail twice, undo both changes, and leave one waiting for its confirmation."""
        accounts, changes = self.service.commands.accounts, self.service.commands.account_email_changes
        account_id = self.company.account_id
        accounts.change(account_id, AccountChanges(email="canary.second@company.example"), CANARY_CONTEXT)
        self.links.append(self._mailed_token_to("canary.second@company.example"))
        changes.confirm(self.links[-1], CANARY_CONTEXT)
        third = AccountChanges(email="canary.third@company.example", email_verified=True)
        accounts.change(account_id, third, CANARY_CONTEXT)
        self.links.append(self._mailed_token_to("canary.second@company.example"))
        self.links.append(self._mailed_token_to(self.company.email))
        changes.undo(self.links[-1], CANARY_CONTEXT)
        accounts.change(account_id, AccountChanges(email="canary.fourth@company.example"), CANARY_CONTEXT)
        owners = self.service.commands.owner_sessions  # undoing ended the owner's sessions
        self.tokens.append(owners.log_in_by_link(owners.create_link(account_id), CANARY_CONTEXT).value.token)

    def _mailed_token_to(self, email: str) -> str:
        mails = [mail for mail in deliver_mails(self.service) if mail["To"].addresses[0].addr_spec == email]
        return mailed_token(mails[-1])

    def _log_in_as_owner(self) -> None:
        """Log in as the owner by password and by link, change the password, and leave one link unused."""
        owners = self.service.commands.owner_sessions
        self.passwords.append("canary second phrase of the boss")
        self.tokens.append(owners.log_in(self.company.email, self.passwords[0], CANARY_CONTEXT).value.token)
        changed = owners.change_password(self.tokens[-1], self.passwords[0], self.passwords[-1], CANARY_CONTEXT)
        self.tokens.append(changed.value.token)
        self.links += [owners.create_link(self.company.account_id) for _ in range(2)]
        self.tokens.append(owners.log_in_by_link(self.links[0], CANARY_CONTEXT).value.token)
        with pytest.raises(LoginRefused):
            owners.log_in(self.company.email, "canary wrong guess", CANARY_CONTEXT)

    def _use_second_factors(self) -> None:
        """Add an authenticator app and a passkey, use a recovery code, and leave a secret unconfirmed."""
        require = AccountChanges(second_factor_policy=SecondFactorPolicy.REQUIRED)
        self.service.commands.accounts.change(self.company.account_id, require, CANARY_CONTEXT)
        self.passwords.append("canary phrase four")
        change_password = self.service.commands.sub_user_sessions.change_password
        temporary = self.sub_user.log_in("canary phrase three", CANARY_CONTEXT).token
        session = change_password(temporary, "canary phrase three", self.passwords[-1], CANARY_CONTEXT).value
        person = Person(self.service, session.token)
        added = person.add_totp()
        person.add_passkey()
        person.verify(RecoveryCodeProof(added.recovery_codes[0]), CANARY_CONTEXT)
        offer = self.service.commands.sub_user_second_factors.offer_totp(person.token)
        self.factor_secrets = [added.secret, offer.secret, *added.recovery_codes]
        self.tokens.append(person.token)

    def _deliver_webhook(self) -> None:
        """Deliver an event to a receiver whose URL contains a secret; the delivery fails."""
        url = "https://canary-receiver.invalid/canary-path?canary-query"
        webhooks = self.service.commands.webhooks
        new = NewWebhook(url, self.company.account_id, description="canary description")
        webhook, first = webhooks.create(new, CANARY_CONTEXT).value
        _, second = webhooks.add_secret(webhook.webhook_id, CANARY_CONTEXT, all_accounts=False).value
        encoded = [secret.removeprefix("whsec_") for secret in (first, second)]
        decoded = [base64.b64decode(secret) for secret in encoded]
        self.webhook_secrets: list[str | bytes] = ["canary-path", "canary-query", *encoded, *decoded]
        catch_up(self.service)
        assert self.service.workers.webhook_deliveries.deliver_next()


@pytest.fixture
def scenario(service: Service) -> Scenario:
    """Scenario that has written to every table and leaves one mail in the queue."""
    return Scenario(service)


def test_no_table_contains_a_secret(scenario: Scenario, database_url: str) -> None:
    """Covers passwords, tokens, links, second factors, keys and webhook secrets."""
    keys: list[str | bytes] = [scenario.api_key, *scenario.service.settings.master_keys]
    secrets: list[str | bytes] = [
        *scenario.passwords,
        *scenario.tokens,
        *scenario.links,
        *scenario.factor_secrets,
        *scenario.webhook_secrets,
        *keys,
    ]
    contents_by_table = contents(database_url)

    assert [tables_containing(contents_by_table, secret) for secret in secrets] == [set()] * len(secrets)


PERSONAL = [
    "canary.boss@company.example",
    "canary.second@company.example",
    "canary.third@company.example",
    "canary.fourth@company.example",
    "Canary Works",
    "canary.grace@company.example",
    "Canarygrace",
    "Canaryhopper",
    "Canaryname",
    "203.0.113.213",
    "canary-browser",
    "canary-device",
    "canary reason",
    "canary target",
    "canary details",
    "canary description",
]


def test_personal_data_is_encrypted_except_in_the_two_views(scenario: Scenario, database_url: str) -> None:
    """Events, snapshots, sessions, stored responses and counts contain ciphertext only."""
    assert fetch(database_url, "SELECT count(*) > 0 FROM stored_snapshots") == [(True,)]

    contents_by_table = contents(database_url)
    tables_by_text = {text: tables_containing(contents_by_table, text) for text in PERSONAL}

    assert {text: tables - PLAINTEXT_VIEWS for text, tables in tables_by_text.items()} == {
        text: set() for text in PERSONAL
    }
    assert tables_by_text["canary.grace@company.example"] == {"sub_user_view"}
    assert tables_by_text["canary.boss@company.example"] == {"account_view"}
    assert tables_by_text["203.0.113.213"] == set()


def test_nothing_of_a_deleted_sub_user_remains(scenario: Scenario, database_url: str) -> None:
    """Once the projections have caught up, no table has it. The account's own data remains."""
    scenario.sub_user.delete()
    catch_up(scenario.service)
    contents_by_table = contents(database_url)

    erased = [
        text for text in PERSONAL if text.startswith(("canary.grace", "Canarygrace", "Canaryhopper", "Canaryname"))
    ]
    assert [tables_containing(contents_by_table, text) for text in erased] == [set()] * len(erased)
    assert tables_containing(contents_by_table, str(scenario.sub_user.sub_user_id)) >= {"stored_events", "audit_view"}
    assert tables_containing(contents_by_table, "Canary Works") == {"account_view"}


def test_the_scenario_writes_to_every_table(scenario: Scenario, database_url: str) -> None:
    """Fails for a new table that the scenario does not reach."""
    empty = {table for table, text in contents(database_url).items() if not text}

    # The scenario has no broker, checkpointer, legal hold, retention, configured source or roles. Their tables hold
    # numbers, hashes, ids, times, the reason of a broker failure, the public URL and names of permissions.
    assert empty == {
        *("publisher_state", "checkpoints", "signing_keys", "legal_holds", "audit_older", "installation"),
        "account_roles",
    }


def test_no_mail_contains_a_token_or_a_second_password(scenario: Scenario) -> None:
    """Each mail contains at most one password, and never one that the sub-user chose."""
    for mail in deliver_mails(scenario.service):
        text = mail.as_string()
        assert sum(password in text for password in scenario.passwords) <= 1
        assert not any(token in text for token in scenario.tokens)
        assert "canary phrase two" not in text


NEEDLE = b"needle in the hay"


def test_the_search_finds_every_encoding(service: Service, company: Company, database_url: str) -> None:
    """Validates the tests above for text, bytes, hexadecimal and base64."""

    def contains_value() -> bool:
        contents_by_table = contents(database_url)
        assert tables_containing(contents_by_table, company.email) == set()
        return tables_containing(contents_by_table, NEEDLE) == {"hay"}

    fetch(database_url, "CREATE TABLE hay (a text, b bytea, c text[])")
    assert not contains_value()
    encodings = (NEEDLE.upper(), NEEDLE, NEEDLE.hex().encode(), base64.b64encode(NEEDLE))
    for value in (encoding.decode() for encoding in encodings):
        for column, stored in {"a": f"a {value}.", "b": f"a {value}.".encode(), "c": ["x", value]}.items():
            fetch(database_url, "TRUNCATE hay")
            insert = sql.SQL("INSERT INTO hay ({}) VALUES (%s)").format(sql.Identifier(column))
            fetch(database_url, insert.as_string(), stored)
            assert contains_value(), (column, value)
