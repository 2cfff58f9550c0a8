"""Counts logins per day: reads events from RabbitMQ as they come, and over the feed whatever it missed.

Try it: `ANALYTICS_API_KEY=... .venv/bin/python examples/analytics.py --broker amqp://guest:guest@127.0.0.1`

An event may come more than once, from the queue and from the feed: it is known again by its id. What was counted, and
how far the history was read, is in one SQLite file; a message is acknowledged once that is on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import time
from contextlib import suppress
from typing import Any

import httpx
from kombu import Connection, Consumer, Exchange, Queue

LOGGED_IN = "subusers.sub_user.logged_in.v1"
QUEUE = "analytics.logins"
HEARTBEAT_SECONDS = 10
COME_BACK_SECONDS = 2.0

TABLES = """
CREATE TABLE IF NOT EXISTS logins (event_id TEXT PRIMARY KEY, day TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (position INTEGER NOT NULL);
INSERT INTO progress SELECT 0 WHERE NOT EXISTS (SELECT * FROM progress);
CREATE VIEW IF NOT EXISTS logins_per_day AS SELECT day, count(*) AS logins FROM logins GROUP BY day;
"""


class Table:
    """Logins per day, each event counted once, and the position up to which all are."""

    def __init__(self, file: str) -> None:
        self._database = sqlite3.connect(file)
        self._database.executescript(TABLES)
        self._shown: list[tuple[str, int]] | None = None

    @property
    def position(self) -> int:
        return int(self._database.execute("SELECT position FROM progress").fetchone()[0])

    def count(self, events: list[dict[str, Any]], position: int) -> None:
        """Take over events, and how far the history has been read with them: both, or neither."""
        with self._database:
            rows = [(event["id"], event["time"][:10]) for event in events if event["type"] == LOGGED_IN]
            self._database.executemany("INSERT OR IGNORE INTO logins VALUES (?, ?)", rows)
            self._database.execute("UPDATE progress SET position = max(position, ?)", [position])

    def show(self) -> None:
        """Print the table if it has changed."""
        rows = self._database.execute("SELECT day, logins FROM logins_per_day ORDER BY day").fetchall()
        if rows != self._shown:
            print("\n".join(["day         logins", *(f"{day}  {logins:6}" for day, logins in rows)]), flush=True)
        self._shown = rows


def catch_up(feed: httpx.Client, table: Table) -> None:
    """Read what the feed has after the last position."""
    more = True
    while more:
        asked: dict[str, str | int] = {"after": table.position, "limit": 1000, "types": LOGGED_IN}
        page = feed.get("/v1/events", params=asked).raise_for_status().json()
        table.count(page["items"], page["next_after"])
        more = page["next_cursor"] is not None


def consume(broker: str, feed: httpx.Client, table: Table) -> None:
    """Have events gather in a queue of our own, catch up to where it begins, then take what comes, until it ends."""
    exchange = Exchange("subusers.events", type="topic", no_declare=True)  # the service declares it
    queue = Queue(QUEUE, exchange, routing_key=LOGGED_IN, durable=True)

    def take(message: Any) -> None:
        event = json.loads(message.body)
        table.count([event], event["position"])
        message.ack()

    with Connection(broker, heartbeat=HEARTBEAT_SECONDS) as connection:
        consumer = Consumer(connection, [queue], on_message=take, prefetch_count=100)  # declares the queue
        catch_up(feed, table)
        table.show()
        with consumer:
            while True:
                with suppress(TimeoutError):
                    connection.drain_events(timeout=1)
                    continue
                connection.heartbeat_check()
                table.show()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000", help="where the service is")
    parser.add_argument("--api-key", default=os.environ.get("ANALYTICS_API_KEY", ""), help="or ANALYTICS_API_KEY")
    parser.add_argument("--broker", default="amqp://guest:guest@127.0.0.1", help="the service's SUBUSERS_BROKER_URL")
    parser.add_argument("--file", default="analytics.sqlite", help="where to keep the table")
    given = parser.parse_args()
    table = Table(given.file)
    headers = {"Authorization": f"Bearer {given.api_key}"}
    with httpx.Client(base_url=given.url, headers=headers, timeout=20) as feed:
        while True:
            try:
                consume(given.broker, feed, table)
            except httpx.HTTPStatusError as error:
                if error.response.status_code < 500:
                    sys.exit(f"the feed says no: {error.response.status_code} {error.response.text}")
                print(f"the feed is out of order ({error.response.status_code}); trying again", file=sys.stderr)
            except Exception as error:  # noqa: BLE001  # of a broker that is gone: py-amqp raises whatever it stumbles over
                print(f"cut off ({type(error).__name__}: {error}); trying again", file=sys.stderr)
            time.sleep(COME_BACK_SECONDS)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
