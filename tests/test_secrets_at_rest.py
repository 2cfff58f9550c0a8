"""What must not be in the database is nowhere in it: no secret, and nothing personal but where it can be erased."""

from __future__ import annotations

import base64
import json
import re
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from psycopg import sql

from application.activities import Activity
from application.api_keys import Scope
from application.origin import Origin
from application.records import AnswerKept
from application.usage import UsageReport
from application.webhooks import NewWebhook
from domain.cause import ActorType
from domain.plan import Plan
from domain.refusals import LoginRefused
from tests.people import Collaborator, Company, catch_up, deliver_mails, mailed_password
from tests.postgres import ask, connect

if TYPE_CHECKING:
    from api.bootstrap import Service

VIEWS_IN_THE_CLEAR = {"account_view", "sub_user_view"}
"""What lists are searched and sorted by: their rows go when the person does."""

SPY = Origin(ActorType.MAIN_ACCOUNT, "key 7", ip="203.0.113.213", user_agent="canary-browser/9", reason="canary reason")


def contents(url: str) -> dict[str, bytes]:
    """Return everything that each table holds, as text, and bytes also as what they are."""
    with connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        select = "SELECT t::text FROM {} t"
        queries = {row[0]: sql.SQL(select).format(sql.Identifier(row[0])) for row in rows}
        texts = {table: "\n".join(row[0] for row in connection.execute(query)) for table, query in queries.items()}
    in_hex = {table: re.findall(r"\\x((?:[0-9a-f]{2})+)", text) for table, text in texts.items()}
    return {
        table: text.encode() + b"".join(b"\n" + bytes.fromhex(one) for one in in_hex[table])
        for table, text in texts.items()
    }


def where_is(held: dict[str, bytes], needle: str | bytes) -> set[str]:
    """Return the tables that hold this anywhere, in any of the shapes that it can have."""
    shapes = shapes_of(needle)
    return {table for table, text in held.items() if any(shape in text.lower() for shape in shapes)}


TELLING = 8
"""Letters of base64 from which on a find is none by chance: four of them stand in everything that is sealed."""


def shapes_of(needle: str | bytes) -> list[bytes]:
    """Return what to look for in lower case: it as it is, in JSON, in a URL, in hex, and anywhere in base64.

    Of a needle of less than nine bytes there is not enough in base64 wherever it begins.
    """
    raw = needle if isinstance(needle, bytes) else needle.encode()
    text = [] if isinstance(needle, bytes) else [json.dumps(needle)[1:-1].encode(), quote(needle, safe="").encode()]
    shapes = [raw, raw.hex().encode(), *text]
    for before in range(3):  # it may begin at any of three places in a group of base64
        inner = base64.b64encode(b"?" * before + raw)[4 if before else 0 :]
        whole = inner[: len(inner) - 4] if (before + len(raw)) % 3 else inner
        if len(whole) >= TELLING:
            shapes += [whole, whole.translate(bytes.maketrans(b"+/", b"-_"))]
    return [shape.lower() for shape in shapes]


class Story:
    """A life with a canary in every place where something secret or personal goes."""

    def __init__(self, service: Service) -> None:
        self.service = service
        made = service.accounts.register(
            SPY, email="canary.boss@company.example", company_name="Canary Works", password="canary phrase of the boss"
        )
        self.company = Company(service, made.value.account_id, "canary.boss@company.example")
        self.api_key = service.api_keys.create(Scope.PORTAL, "a backend", service.clock())
        self.one = self._let_in()
        self.tokens: list[str] = []
        self.links: list[str] = []
        self.passwords = ["canary phrase of the boss", "canary phrase one"]
        self._live()

    def _let_in(self) -> Collaborator:
        def keep(details: object, key: object) -> list[AnswerKept]:
            sealed = key.seal("answer", "canary.grace@company.example Canarygrace")  # type: ignore[attr-defined]
            person_id = details.sub_user_id  # type: ignore[attr-defined]
            return [AnswerKept(person_id, "key", b"", 201, "{}", sealed, person_id, self.service.clock())]

        made = self.service.sub_users.create(
            self.company.account_id,
            SPY,
            email="canary.grace@company.example",
            name="Canarygrace",
            surname="Canaryhopper",
            password="canary phrase one",
            keep=keep,  # type: ignore[arg-type]  # as the door does it
        )
        return Collaborator(self.company, made.value.sub_user_id, "canary.grace@company.example", "canary phrase one")

    def _live(self) -> None:
        self.one.change(active=True)
        deliver_mails(self.service)
        self.service.sub_users.send_credentials_again(self.company.account_id, self.one.sub_user_id, SPY)
        self.passwords.append(mailed_password(deliver_mails(self.service)[-1]))
        self.tokens.append(self.one.log_in(self.passwords[-1], SPY).token)
        self.passwords.append("canary phrase two")
        sessions = self.service.sessions
        opened = sessions.change_own_password(self.tokens[-1], self.passwords[-2], self.passwords[-1], SPY)
        self.tokens.append(opened.value.token)
        with pytest.raises(LoginRefused):
            self.one.log_in("canary wrong guess", SPY)
        self.passwords.append("canary wrong guess")
        details = '{"canary":"canary details"}'
        activity = Activity(self.one.sub_user_id, "assistant.opened", "canary target", details)
        self.service.activities.record(self.company.account_id, [activity], SPY)
        self.service.usage.record(self.company.account_id, [UsageReport(self.one.sub_user_id, 60_000, 1000)], SPY)
        self.service.usage.set_plan(self.company.account_id, Plan(10, 0, date(2026, 1, 1)), SPY)
        for n in range(110):
            self.one.change(name=f"Canaryname{n}")
        self.passwords.append("canary phrase three")
        self.one.change(password="canary phrase three")
        self.tokens.append(self.one.log_in("canary phrase three", SPY).token)
        self._come_in_person()
        self._have_events_sent()
        catch_up(self.service)

    def _come_in_person(self) -> None:
        """Have the owner log in, by password and by link, choose another password, and leave a link unused."""
        owners = self.service.owner_sessions
        self.passwords.append("canary phrase of the boss anew")
        self.tokens.append(owners.log_in(self.company.email, self.passwords[0], SPY).value.token)
        changed = owners.change_password(self.tokens[-1], self.passwords[0], self.passwords[-1], SPY)
        self.tokens.append(changed.value.token)
        self.links += [owners.offer_link(self.company.account_id) for _ in range(2)]
        self.tokens.append(owners.log_in_by_link(self.links[0], SPY).value.token)
        with pytest.raises(LoginRefused):
            owners.log_in(self.company.email, "canary wrong guess", SPY)

    def _have_events_sent(self) -> None:
        """Have a receiver whose URL holds a secret be sent something, and fail."""
        url = "https://canary-receiver.invalid/canary-path?canary-query"
        webhooks = self.service.webhooks
        new = NewWebhook(url, self.company.account_id, description="canary description")
        webhook, first = webhooks.create(new, SPY).value
        _, second = webhooks.add_secret(webhook.webhook_id, of_all=False)
        encoded = [shown.removeprefix("whsec_") for shown in (first, second)]
        decoded = [base64.b64decode(one) for one in encoded]
        self.webhook_secrets: list[str | bytes] = ["canary-path", "canary-query", *encoded, *decoded]
        catch_up(self.service)
        assert self.service.webhook_deliveries.deliver_next()


@pytest.fixture
def story(service: Service) -> Story:
    """Give a story that has reached every table, with a mail still waiting to go out."""
    return Story(service)


def test_no_secret_is_anywhere(story: Story, database_url: str) -> None:
    """No password, whoever made it up, no token, no link, no key, no webhook's secret: in no column of any table."""
    keys: list[str | bytes] = [story.api_key, *story.service.settings.master_keys]
    secrets: list[str | bytes] = [*story.passwords, *story.tokens, *story.links, *story.webhook_secrets, *keys]
    held = contents(database_url)

    assert [where_is(held, secret) for secret in secrets] == [set()] * len(secrets)


PERSONAL = [
    "canary.boss@company.example",
    "Canary Works",
    "canary.grace@company.example",
    "Canarygrace",
    "Canaryhopper",
    "Canaryname",
    "203.0.113.213",
    "canary-browser",
    "canary reason",
    "canary target",
    "canary details",
    "canary description",
]


def test_what_is_personal_is_sealed_wherever_it_cannot_be_erased(story: Story, database_url: str) -> None:
    """Not in the history, nor in snapshots, sessions, stored answers or counts: in the two views of names alone."""
    assert ask(database_url, "SELECT count(*) > 0 FROM stored_snapshots") == [(True,)]

    held = contents(database_url)
    found = {text: where_is(held, text) for text in PERSONAL}

    assert {text: places - VIEWS_IN_THE_CLEAR for text, places in found.items()} == {text: set() for text in PERSONAL}
    assert found["canary.grace@company.example"] == {"sub_user_view"}
    assert found["canary.boss@company.example"] == {"account_view"}
    assert found["203.0.113.213"] == set()


def test_of_somebody_deleted_nothing_is_left(story: Story, database_url: str) -> None:
    """In any table, once the views have followed; what is the account's own stays."""
    story.one.delete()
    catch_up(story.service)
    held = contents(database_url)

    gone = [text for text in PERSONAL if text.startswith(("canary.grace", "Canarygrace", "Canaryhopper", "Canaryname"))]
    assert [where_is(held, text) for text in gone] == [set()] * len(gone)
    assert where_is(held, str(story.one.sub_user_id)) >= {"stored_events", "audit_view"}
    assert where_is(held, "Canary Works") == {"account_view"}


def test_every_table_was_looked_at(story: Story, database_url: str) -> None:
    """The story reaches every table there is, so that a new one is not forgotten."""
    empty = {table for table, text in contents(database_url).items() if not text}

    # No broker, no checkpointer, no legal hold and no retention are part of this story: they hold numbers, hashes, ids,
    # times, and why a broker was lost.
    assert empty == {"publisher_state", "checkpoints", "signing_keys", "legal_holds", "audit_older"}


def test_the_mails_themselves_are_the_only_place_for_a_password(story: Story) -> None:
    """Each mail carries one at the most, and that of a password changed by its owner carries none."""
    for mail in deliver_mails(story.service):
        text = mail.as_string()
        assert sum(password in text for password in story.passwords) <= 1
        assert not any(token in text for token in story.tokens)
        assert "canary phrase two" not in text


NEEDLE = b"needle in the hay"


def test_the_search_finds_what_is_there(service: Service, company: Company, database_url: str) -> None:
    """In text, in bytes, in hex and in base64: or else the tests above would prove nothing."""

    def found() -> bool:
        held = contents(database_url)
        assert where_is(held, company.email) == set()
        return where_is(held, NEEDLE) == {"hay"}

    ask(database_url, "CREATE TABLE hay (a text, b bytea, c text[])")
    assert not found()
    encoded = [shape.decode() for shape in (NEEDLE.upper(), NEEDLE, NEEDLE.hex().encode(), base64.b64encode(NEEDLE))]
    for value in encoded:
        for column, stored in {"a": f"a {value}.", "b": f"a {value}.".encode(), "c": ["x", value]}.items():
            ask(database_url, "TRUNCATE hay")
            insert = sql.SQL("INSERT INTO hay ({}) VALUES (%s)").format(sql.Identifier(column))
            ask(database_url, insert.as_string(), stored)
            assert found(), (column, value)
