"""Program that attacks a running service: `python -m tests.processes.attacks KIND PORT CLIENTS SECONDS PATH KEY`.

It prints `ready` once the attack is under way, and exits after SECONDS.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""The start of an HTTP/2 connection: the preface and an empty SETTINGS frame."""


def h2_stream(number: int) -> bytes:
    """Return the HEADERS frame of a POST whose announced body is never sent."""
    headers = b"\x83\x86\x04\x06/login\x01\x01x\x0f\x0d\x041000"  # indexed and literal fields (RFC 7541)
    return len(headers).to_bytes(3, "big") + bytes([1, 4]) + number.to_bytes(4, "big") + headers


async def hold(port: int, head: bytes, trickle: bytes = b"", pause: float = 1.0) -> None:
    """Send the start of a request, then `trickle` after each pause, until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head)
        while not reader.at_eof() and not writer.is_closing():
            await asyncio.sleep(pause)
            writer.write(trickle)
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1024), 0.01)
    finally:
        writer.close()


async def leave_unread(port: int, request: bytes) -> None:
    """Request a download without reading the response."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    try:
        writer.write(request)
        await asyncio.sleep(3600)
    finally:
        writer.close()


async def send_repeatedly(port: int, request: bytes) -> None:
    """Send a request again after each response, until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(request)
            if not await reader.read(65536):
                return
    finally:
        writer.close()


def create_attack(kind: str, port: int, path: str, key: str) -> Callable[[], Awaitable[None]]:  # noqa: PLR0911  # one return for each kind
    """Return the coroutine function that one attacking client runs."""
    bearer = f"Authorization: Bearer {key}\r\n"
    post = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    match kind:
        case "h2c":
            begin = H2_PREFACE + b"".join(h2_stream(number) for number in range(1, 65, 2))
            return lambda: hold(port, begin)
        case "bodies":
            return lambda: hold(port, f"{post}{bearer}Content-Length: 1000\r\n\r\n{{".encode(), b" ")
        case "anonymous-bodies":
            return lambda: hold(port, f"{post}Content-Length: 1000\r\n\r\n{{".encode(), b" ")
        case "heads":
            return lambda: hold(port, b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"b")
        case "idle":
            return lambda: hold(port, b"")
        case "unread":
            return lambda: leave_unread(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n{bearer}\r\n".encode())
        case "reads":
            return lambda: send_repeatedly(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n{bearer}\r\n".encode())
        case "keys":
            body = b'{"token": "x"}'
            head = f"{post}Authorization: Bearer subusers_portal_wrong\r\nContent-Length: {len(body)}\r\n\r\n"
            return lambda: send_repeatedly(port, head.encode() + body)
        case _:
            raise ValueError(kind)


async def run(clients: int, seconds: float, attack: Callable[[], Awaitable[None]]) -> None:
    """Attack with this many clients. A client that the server disconnects reconnects."""

    async def client() -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                await attack()
            await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(client()) for _ in range(clients)]
    await asyncio.sleep(0.5)
    print("ready", flush=True)
    await asyncio.wait(tasks, timeout=seconds)


if __name__ == "__main__":
    attack_kind, attacked_port, attack_clients, attack_seconds, attack_path, attack_key = sys.argv[1:]
    asyncio.run(
        run(
            int(attack_clients),
            float(attack_seconds),
            create_attack(attack_kind, int(attacked_port), attack_path, attack_key),
        )
    )
