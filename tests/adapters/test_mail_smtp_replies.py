"""SMTP replies: which ones deliver, refuse, delay or throttle a mail."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.mail.smtp import SmtpTransport
from application.ports.mailing import MailDelayed, MailRefused, MailThrottled
from domain.sub_user import Notice
from tests.mails import CREDENTIALS_MAIL

if TYPE_CHECKING:
    from collections.abc import Iterator

DROP, SILENCE = "drop the connection", "say nothing"
DEFAULT_REPLIES = {
    "CONNECT": "220 ready",
    "EHLO": "250 mail.example",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "CONTENTS": "250 OK queued as 123",
    "QUIT": "221 bye",
}
MAIL = replace(CREDENTIALS_MAIL, kind=Notice.PASSWORD_CHANGED, password=None, password_expires_at=None)


class ScriptedServer(socketserver.ThreadingTCPServer):
    """Mail server with scripted replies, for errors that a real server cannot be made to produce."""

    daemon_threads = False

    def __init__(self, replies: dict[str, str]) -> None:
        self.replies = replies
        self.steps: list[str] = []
        super().__init__(("127.0.0.1", 0), Conversation)


class Conversation(socketserver.StreamRequestHandler):
    """One connection to the scripted server."""

    server: ScriptedServer

    def handle(self) -> None:
        is_open = self._reply("CONNECT")
        while is_open and (line := self.rfile.readline()):
            verb = line.decode().split()[0].upper()
            is_open = self._reply(verb)
            if verb == "DATA" and is_open and self.server.replies["DATA"].startswith("354"):
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                is_open = self._reply("CONTENTS")

    def _reply(self, step: str) -> bool:
        self.server.steps.append(step)
        reply = self.server.replies[step]
        if reply == SILENCE:
            return True
        if reply != DROP:
            self.wfile.write("".join(f"{line}\r\n" for line in reply.splitlines()).encode())
        return reply != DROP and step != "QUIT"


@contextmanager
def serving(**changes: str) -> Iterator[tuple[ScriptedServer, SmtpTransport]]:
    timeout = 0.5 if SILENCE in changes.values() else 30.0
    with ScriptedServer(DEFAULT_REPLIES | changes) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, transport_to(server.server_address[1], timeout)
        finally:
            server.shutdown()
            thread.join()


def transport_to(port: int, timeout: float = 30.0) -> SmtpTransport:
    return SmtpTransport(f"smtp://127.0.0.1:{port}", sender="no-reply@portal.example", timeout=timeout)


def test_final_reply_is_returned_after_quit() -> None:
    """The reply to the contents is returned, and the session ends with QUIT."""
    with serving() as (server, transport):
        assert transport.send(MAIL) == "250 OK queued as 123"
    assert server.steps == ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENTS", "QUIT"]


def test_each_mail_uses_its_own_connection() -> None:
    """A broken connection affects one mail only."""
    with serving() as (server, transport):
        transport.send(MAIL)
        transport.send(MAIL)
    assert server.steps.count("CONNECT") == 2


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "CONTENTS"])
def test_permanent_refusal_refuses_the_mail(step: str) -> None:
    """A 5xx reply to sender, recipient or contents refuses the mail and is reported verbatim."""
    with serving(**{step: "550 5.7.1 not wanted here"}) as (server, transport), pytest.raises(MailRefused) as caught:
        transport.send(MAIL)
    assert caught.value.reply == "550 5.7.1 not wanted here"
    assert server.steps[-2:] == [step, "QUIT"]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "CONTENTS"])
def test_temporary_refusal_delays_the_mail(step: str) -> None:
    with serving(**{step: "451 4.7.1 greylisted, come back"}) as (_, transport), pytest.raises(MailDelayed) as caught:
        transport.send(MAIL)
    assert caught.value.reply == "451 4.7.1 greylisted, come back"


THROTTLING = [
    "550 too fast, slow down",
    "550 5.7.1 Too many messages, try again later",
    "554 5.7.0 rate limited",
    "550 5.4.5 Daily sending quota exceeded",
    "554 4.7.0 throttled",
    "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery",
    "550-5.2.1 The user is receiving mail too quickly right now.\n550 5.2.1 Please resend later",
    "452 4.3.2 too many connections from your host",
    "550 Message rate limit exceeded",
    "550 hourly limit reached",
]
TEMPORARY = [
    "550 5.7.1 Greylisted, see https://mail.example/greylist",
    "553 5.7.1 greylisting in action",
    "550 4.7.1 not now",
    "554 5.7.1 try again later",
    "550 Please try again in some minutes, or retry later",
    "550 temporarily blocked",
    "554 Temporary failure",
]
FINAL = [
    "550 5.1.1 no such user",
    "550 5.7.1 rejected by policy",
    "552 5.2.2 mailbox full",
    "554 5.6.0 message looks like spam",
    "550 5.7.26 unauthenticated",
]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "CONTENTS"])
@pytest.mark.parametrize("reply", THROTTLING)
def test_rate_limit_reply_throttles_mails(step: str, reply: str) -> None:
    """The text matters, not the code. This mail and others are delayed."""
    with serving(**{step: reply}) as (_, transport), pytest.raises(MailThrottled):
        transport.send(MAIL)


@pytest.mark.parametrize("reply", TEMPORARY)
def test_temporary_wording_delays_the_mail(reply: str) -> None:
    """Even a 5xx reply delays the mail if its text is temporary; other mails are not affected."""
    with serving(RCPT=reply) as (_, transport), pytest.raises(MailDelayed) as caught:
        transport.send(MAIL)
    assert type(caught.value) is MailDelayed


@pytest.mark.parametrize("reply", FINAL)
def test_other_permanent_replies_refuse_the_mail(reply: str) -> None:
    """A wrong address is refused at once instead of after two days of retries."""
    with serving(RCPT=reply) as (_, transport), pytest.raises(MailRefused):
        transport.send(MAIL)


def test_rate_limit_in_the_greeting_throttles_mails() -> None:
    """Many servers limit the number of connections."""
    with serving(CONNECT="421 too many connections") as (_, transport), pytest.raises(MailThrottled):
        transport.send(MAIL)


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "CONTENTS"])
def test_authentication_error_delays_the_mail(code: int, step: str) -> None:
    """The operator can correct the credentials, so the mail is not refused."""
    with (
        serving(**{step: f"{code} log in first"}) as (_, transport),
        pytest.raises(MailDelayed, match=f"^{code} log in first$"),
    ):
        transport.send(MAIL)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "CONTENTS"])
def test_malformed_reply_delays_the_mail(step: str) -> None:
    """Only a well-formed positive reply counts as acceptance."""
    with serving(**{step: "OK whatever"}) as (_, transport), pytest.raises(MailDelayed):
        transport.send(MAIL)


@pytest.mark.parametrize("greeting", ["554 no service here", "421 too busy"])
def test_refused_smtp_session_delays_the_mail(greeting: str) -> None:
    """A refused connection, even with a 5xx code, does not concern the mail."""
    with serving(CONNECT=greeting) as (_, transport), pytest.raises(MailDelayed) as caught:
        transport.send(MAIL)
    assert caught.value.reply == greeting


@pytest.mark.parametrize("behavior", [DROP, SILENCE])
@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENTS"])
def test_broken_or_silent_connection_delays_the_mail(step: str, behavior: str) -> None:
    """Without the final reply the mail is not delivered. A silent server runs into the timeout."""
    with serving(**{step: behavior}) as (server, transport), pytest.raises(MailDelayed) as caught:
        transport.send(MAIL)
    assert caught.value.reply.startswith("127.0.0.1:")
    assert server.steps[-1] == step


@pytest.mark.parametrize("behavior", [DROP, SILENCE, "421 busy", "nonsense"])
def test_failing_quit_does_not_undo_acceptance(behavior: str) -> None:
    with serving(QUIT=behavior) as (_, transport):
        assert transport.send(MAIL) == "250 OK queued as 123"


def test_refused_connection_delays_the_mail() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(MailDelayed, match=rf"^127\.0\.0\.1:{port}: Connection refused$"):
        transport_to(port).send(MAIL)


def test_unknown_mail_host_delays_the_mail() -> None:
    """A name that does not resolve may be temporary or a wrong setting."""
    with pytest.raises(MailDelayed, match=r"^nowhere\.invalid:25: "):
        SmtpTransport("smtp://nowhere.invalid", sender="no-reply@portal.example").send(MAIL)


def test_smtp_reply_is_reduced_to_one_line_of_limited_length() -> None:
    """The reply is stored and logged, so it must not forge log lines or fill the disk."""
    lines = "\n".join(f"550-\x1b[31mline {number}" for number in range(90)) + "\n550 end"
    with serving(RCPT=lines) as (_, transport), pytest.raises(MailRefused) as caught:
        transport.send(MAIL)
    assert caught.value.reply.startswith("550 [31mline 0 [31mline 1 ")
    assert caught.value.reply.isprintable()
    assert len(caught.value.reply) == 500
