"""Count logins per day: read events from RabbitMQ as they come, and missed events from the feed.

Try it: `ANALYTICS_API_KEY=... .venv/bin/python examples/analytics.py --broker amqp://guest:guest@127.0.0.1`

An event may arrive more than once, from the queue and from the feed; its id identifies duplicates. One SQLite file has
the counts and the last position. A message is acknowledged once its event is in that file.
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
RECONNECT_SECONDS = 2.0

TABLES = """
CREATE TABLE IF NOT EXISTS logins (event_id TEXT PRIMARY KEY, day TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (position INTEGER NOT NULL);
INSERT INTO progress SELECT 0 WHERE NOT EXISTS (SELECT * FROM progress);
CREATE VIEW IF NOT EXISTS logins_per_day AS SELECT day, count(*) AS logins FROM logins GROUP BY day;
"""


class Table:
    """Logins per day, each counted once, and the position up to which all events are counted."""

    def __init__(self, file: str) -> None:
        self._database = sqlite3.connect(file)
        self._database.executescript(TABLES)
        self._printed_rows: list[tuple[str, int]] | None = None

    @property
    def position(self) -> int:
        return int(self._database.execute("SELECT position FROM progress").fetchone()[0])

    def count(self, events: list[dict[str, Any]], position: int) -> None:
        """Count events and store the position in one transaction."""
        with self._database:
            rows = [(event["id"], event["time"][:10]) for event in events if event["type"] == LOGGED_IN]
            self._database.executemany("INSERT OR IGNORE INTO logins VALUES (?, ?)", rows)
            self._database.execute("UPDATE progress SET position = max(position, ?)", [position])

    def show(self) -> None:
        """Print the table if it has changed."""
        rows = self._database.execute("SELECT day, logins FROM logins_per_day ORDER BY day").fetchall()
        if rows != self._printed_rows:
            print("\n".join(["day         logins", *(f"{day}  {logins:6}" for day, logins in rows)]), flush=True)
        self._printed_rows = rows


def catch_up(feed: httpx.Client, table: Table) -> None:
    """Read the feed after the last position."""
    more = True
    while more:
        query: dict[str, str | int] = {"after": table.position, "limit": 1000, "event_types": LOGGED_IN}
        page = feed.get("/v1/events", params=query).raise_for_status().json()
        table.count(page["items"], page["next_after"])
        more = page["next_cursor"] is not None


def consume(broker: str, feed: httpx.Client, table: Table) -> None:
    """Declare the queue, so that it collects events, catch up from the feed, and consume until the connection fails."""
    exchange = Exchange("subusers.events", type="topic", no_declare=True)  # the service declares it
    queue = Queue(QUEUE, exchange, routing_key=LOGGED_IN, durable=True)

    def count_message(message: Any) -> None:
        event = json.loads(message.body)
        table.count([event], event["position"])
        message.ack()

    with Connection(broker, heartbeat=HEARTBEAT_SECONDS) as connection:
        consumer = Consumer(connection, [queue], on_message=count_message, prefetch_count=100)  # declares the queue
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
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000", help="URL of the service")
    parser.add_argument("--api-key", default=os.environ.get("ANALYTICS_API_KEY", ""), help="default: ANALYTICS_API_KEY")
    parser.add_argument("--broker", default="amqp://guest:guest@127.0.0.1", help="the service's SUBUSERS_BROKER_URL")
    parser.add_argument("--file", default="analytics.sqlite", help="file for the table")
    arguments = parser.parse_args()
    table = Table(arguments.file)
    headers = {"Authorization": f"Bearer {arguments.api_key}"}
    with httpx.Client(base_url=arguments.url, headers=headers, timeout=20) as feed:
        while True:
            try:
                consume(arguments.broker, feed, table)
            except httpx.HTTPStatusError as error:
                if error.response.status_code < 500:
                    sys.exit(f"the feed refused the request: {error.response.status_code} {error.response.text}")
                print(f"the feed is unavailable ({error.response.status_code}); retrying", file=sys.stderr)
            except Exception as error:  # noqa: BLE001  # py-amqp raises many types when the broker is gone
                print(f"disconnected ({type(error).__name__}: {error}); retrying", file=sys.stderr)
            time.sleep(RECONNECT_SECONDS)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
