"""What each answer of a mail server, or none, comes to."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from adapters.mail.smtp import SmtpTransport
from application.mail import Mail, MailDelayed, MailKind, MailRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

DROP, SILENCE = "drop the connection", "say nothing"
POLITE = {
    "CONNECT": "220 ready",
    "EHLO": "250 mail.example",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "CONTENTS": "250 OK queued as 123",
    "QUIT": "221 bye",
}
MAIL = Mail(
    message_id="0f9d2c4e@portal.example",
    kind=MailKind.PASSWORD_CHANGED,
    language="en",
    to="maria.rossi@example.com",
    name="Maria",
    surname="Rossi",
    account_email="owner@acme.example",
    company_name="Acme S.r.l.",
    login_url="https://portal.example/login",
    date=datetime(2026, 11, 16, 20, 15, tzinfo=UTC),
)


class ScriptedServer(socketserver.ThreadingTCPServer):
    """A mail server that gives prepared answers, for what a well-behaved one cannot be made to do."""

    daemon_threads = False

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.heard: list[str] = []
        super().__init__(("127.0.0.1", 0), Conversation)


class Conversation(socketserver.StreamRequestHandler):
    """One connection to the scripted server."""

    server: ScriptedServer

    def handle(self) -> None:
        goes_on = self._answer("CONNECT")
        while goes_on and (line := self.rfile.readline()):
            verb = line.decode().split()[0].upper()
            goes_on = self._answer(verb)
            if verb == "DATA" and goes_on and self.server.answers["DATA"].startswith("354"):
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                goes_on = self._answer("CONTENTS")

    def _answer(self, moment: str) -> bool:
        self.server.heard.append(moment)
        answer = self.server.answers[moment]
        if answer == SILENCE:
            return True
        if answer != DROP:
            self.wfile.write("".join(f"{line}\r\n" for line in answer.splitlines()).encode())
        return answer != DROP and moment != "QUIT"


@contextmanager
def serving(**changes: str) -> Iterator[tuple[ScriptedServer, SmtpTransport]]:
    patience = 0.5 if SILENCE in changes.values() else 30.0
    with ScriptedServer(POLITE | changes) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, to_port(server.server_address[1], patience)
        finally:
            server.shutdown()
            thread.join()


def to_port(port: int, patience: float = 30.0) -> SmtpTransport:
    return SmtpTransport(f"smtp://127.0.0.1:{port}", sender="no-reply@portal.example", timeout=patience)


def test_the_final_reply_is_returned_and_leave_is_taken() -> None:
    """What the server says on taking the contents is what comes back, and the connection ends properly."""
    with serving() as (server, transport):
        assert transport.send(MAIL) == "250 OK queued as 123"
    assert server.heard == ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENTS", "QUIT"]


def test_each_mail_has_a_connection_of_its_own() -> None:
    """A connection that broke with one mail says nothing about the next."""
    with serving() as (server, transport):
        transport.send(MAIL)
        transport.send(MAIL)
    assert server.heard.count("CONNECT") == 2


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA", "CONTENTS"])
def test_a_final_refusal_is_final(moment: str) -> None:
    """A 5xx on sender, recipient or contents ends the matter, in the server's own words."""
    with serving(**{moment: "550 5.7.1 not wanted here"}) as (server, transport), pytest.raises(MailRefused) as caught:
        transport.send(MAIL)
    assert caught.value.reply == "550 5.7.1 not wanted here"
    assert server.heard[-2:] == [moment, "QUIT"]


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA", "CONTENTS"])
def test_a_passing_refusal_delays(moment: str) -> None:
    """A 4xx means later."""
    with serving(**{moment: "451 4.7.1 greylisted, come back"}) as (_, transport), pytest.raises(MailDelayed) as caught:
        transport.send(MAIL)
    assert caught.value.reply == "451 4.7.1 greylisted, come back"


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "CONTENTS"])
def test_a_refusal_about_logins_delays(code: int, moment: str) -> None:
    """What the operator can mend by setting credentials is no verdict on the mail."""
    with (
        serving(**{moment: f"{code} log in first"}) as (_, transport),
        pytest.raises(MailDelayed, match=f"^{code} log in first$"),
    ):
        transport.send(MAIL)


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA", "CONTENTS"])
def test_an_answer_that_makes_no_sense_delays(moment: str) -> None:
    """Nothing but a clear yes is taken for one."""
    with serving(**{moment: "OK whatever"}) as (_, transport), pytest.raises(MailDelayed):
        transport.send(MAIL)


@pytest.mark.parametrize("greeting", ["554 no service here", "421 too busy"])
def test_a_server_that_will_not_talk_delays(greeting: str) -> None:
    """A refused connection, even with a 5xx, says nothing about the mail."""
    with serving(CONNECT=greeting) as (_, transport), pytest.raises(MailDelayed) as caught:
        transport.send(MAIL)
    assert caught.value.reply == greeting


@pytest.mark.parametrize("behavior", [DROP, SILENCE])
@pytest.mark.parametrize("moment", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENTS"])
def test_a_connection_that_breaks_or_stalls_delays(moment: str, behavior: str) -> None:
    """Until the server has said that it took the mail, it has not; and no server holds us up for long."""
    with serving(**{moment: behavior}) as (server, transport), pytest.raises(MailDelayed) as caught:
        transport.send(MAIL)
    assert caught.value.reply.startswith("127.0.0.1:")
    assert server.heard[-1] == moment


@pytest.mark.parametrize("behavior", [DROP, SILENCE, "421 busy", "nonsense"])
def test_nothing_after_acceptance_undoes_it(behavior: str) -> None:
    """A server that fails to say goodbye has the mail all the same."""
    with serving(QUIT=behavior) as (_, transport):
        assert transport.send(MAIL) == "250 OK queued as 123"


def test_nobody_listening_delays() -> None:
    """A server that is down may come back."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(MailDelayed, match=rf"^127\.0\.0\.1:{port}: Connection refused$"):
        to_port(port).send(MAIL)


def test_an_unknown_host_delays() -> None:
    """A name that does not resolve may be a matter of minutes, or of a setting."""
    with pytest.raises(MailDelayed, match=r"^nowhere\.invalid:25: "):
        SmtpTransport("smtp://nowhere.invalid", sender="no-reply@portal.example").send(MAIL)


def test_a_reply_becomes_one_line_of_bounded_length() -> None:
    """What a server says is stored and logged: it cannot forge a line or fill a disk."""
    lines = "\n".join(f"550-\x1b[31mline {number}" for number in range(90)) + "\n550 end"
    with serving(RCPT=lines) as (_, transport), pytest.raises(MailRefused) as caught:
        transport.send(MAIL)
    assert caught.value.reply.startswith("550 [31mline 0 [31mline 1 ")
    assert caught.value.reply.isprintable()
    assert len(caught.value.reply) == 500
