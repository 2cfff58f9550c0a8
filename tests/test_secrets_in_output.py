"""No representation of an object and no traceback contains a secret."""

from __future__ import annotations

import base64
import dataclasses
import importlib
import inspect
import io
import pkgutil
import pprint
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import structlog
from rich.console import Console
from rich.traceback import Traceback
from typer.testing import CliRunner

import adapters
import api
import application
import domain
import projections
from adapters.amqp.broker_url import parse_broker_url
from adapters.amqp.rabbitmq import RabbitMq
from adapters.ed25519 import Ed25519Signer
from adapters.encryption import DataKey, MasterKeys
from adapters.keyed_hashes import HmacHasher
from adapters.mail.smtp import SmtpTransport
from adapters.mail.smtp_url import parse_smtp_url
from adapters.postgres.database import Database
from adapters.postgres.tables.webhooks import WebhookCipher
from api.bootstrap import config
from api.bootstrap.signing_keys import SigningKeys
from api.cli import program
from api.runtime import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = b"the canary key is 32 bytes long."
CANARY_TEXT = "c4nary-s3cret"
PACKAGES = (domain, application, projections, adapters, api)

SECRET = re.compile(r"password|secret|token|private|seed|(^|_)url$|^key$|wrapped_key|master_keys|_key$")
NO_SECRET = {
    *("public_key", "verifier_key", "tree_key", "idempotency_key", "routing_key"),
    *("public_url", "login_url", "sign_in_url", "portal_url"),
}
"""Field names that match `SECRET` but hold no secret."""

CUSTOM_REPRESENTATIONS = {
    "adapters.amqp.rabbitmq.RabbitMq",
    "adapters.mail.mailbox_token.MailboxToken",
    "adapters.mail.smtp.SmtpTransport",
    "application.errors.ServiceError",
    "application.transparency.tamper_locator.Finding",
    "application.transparency.signed_note.NoteSignature",
    "application.transparency.checkpoint.AcceptedLoss",
    "application.transparency.signed_note.SignedNote",
    "application.transparency.signed_note.VerifierKey",
    "domain.refusals.Refusal",
}
"""Classes that define their own representation. Each was checked: none prints a secret."""


def classes() -> Iterator[type]:
    """Yield every class of the project."""
    for package in PACKAGES:
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                module = importlib.import_module(info.name)
                module_classes = (value for value in vars(module).values() if inspect.isclass(value))
                yield from (kind for kind in module_classes if kind.__module__ == info.name)


def qualified_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def secret_fields(kind: type) -> list[str]:
    """Return the fields of a dataclass or named tuple whose names and types mark them as secret."""
    if dataclasses.is_dataclass(kind):
        typed = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        typed = {name: str(kind.__annotations__.get(name)) for name in kind._fields}
    else:
        return []
    return [
        name
        for name, hint in typed.items()
        if SECRET.search(name) and name not in NO_SECRET and re.search(r"\b(str|bytes|Ciphertext)\b", hint)
    ]


CLASSES_WITH_SECRETS = [(kind, names) for kind in dict.fromkeys(classes()) if (names := secret_fields(kind))]


def instance(kind: type, names: list[str]) -> Any:
    """Return an instance with a canary in each of these fields and None in the others."""
    if not dataclasses.is_dataclass(kind):
        return kind(**dict.fromkeys(kind._fields, None) | dict.fromkeys(names, CANARY_TEXT))  # type: ignore[attr-defined]
    secret_object = object.__new__(kind)
    for field in dataclasses.fields(kind):
        value = None
        if field.name in names:
            value = CANARY if "bytes" in str(field.type) else CANARY_TEXT
            value = (value,) if re.search(r"\b(tuple|Sequence|list)\b", str(field.type)) else value  # type: ignore[assignment]
        object.__setattr__(secret_object, field.name, value)
    return secret_object


def raise_with(secret_object: Any) -> None:
    """Raise an error from a frame with the object among its variables."""
    raise RuntimeError(f"something about {secret_object}")


def texts_of(secret_object: Any) -> Iterator[str]:
    """Yield every text that logging, formatting and tracebacks produce for an object."""
    yield from (repr(secret_object), str(secret_object), f"{secret_object}", f"{secret_object!r}")
    yield from ("%s %r" % (secret_object, secret_object), format(secret_object), pprint.pformat(secret_object))  # noqa: UP031  # as loggers format
    yield from (repr([secret_object]), str({"key": secret_object}))
    try:
        raise_with(secret_object)
    except RuntimeError as error:
        yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        console = Console(file=io.StringIO(), width=500)
        console.print(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))
        yield console.file.getvalue()  # type: ignore[attr-defined]


def contains_canary(text: str) -> bool:
    """Return whether a text contains the canary in any encoding used for keys."""
    encodings = (CANARY_TEXT, CANARY.decode(), CANARY.hex(), base64.b64encode(CANARY).decode().rstrip("="))
    return any(encoding in text for encoding in encodings)


@pytest.mark.parametrize(
    ("kind", "names"), CLASSES_WITH_SECRETS, ids=lambda value: qualified_name(value) if inspect.isclass(value) else ""
)
def test_no_class_prints_its_secrets(kind: type, names: list[str]) -> None:
    """Applies to every class, also new ones: a field with the name of a secret is left out of the representation."""
    assert [text for text in texts_of(instance(kind, names)) if contains_canary(text)] == []


def test_classes_with_secrets_are_found() -> None:
    """Guards the test above against an empty parametrization."""
    names_by_class = {qualified_name(kind): names for kind, names in CLASSES_WITH_SECRETS}
    assert "private" in names_by_class["api.bootstrap.signing_keys.SigningKeys"]
    assert {"database_url", "master_keys", "smtp_url"} <= set(names_by_class["api.bootstrap.config.Settings"])
    assert len(names_by_class) > 15


def test_custom_representations_are_listed() -> None:
    """Add a class here only after checking that its representation contains no secret."""
    custom = {
        qualified_name(kind)
        for kind in classes()
        for name in ("__str__", "__repr__", "__format__")
        if _is_own(kind, name)
    }
    assert custom == CUSTOM_REPRESENTATIONS


def _is_own(kind: type, name: str) -> bool:
    """Return whether the class defines the method in its own source."""
    method = vars(kind).get(name)
    return inspect.isfunction(method) and inspect.getsourcefile(method) == inspect.getsourcefile(kind)


SECRET_OBJECTS: dict[str, Callable[[], Any]] = {
    "master keys": lambda: MasterKeys([CANARY]),
    "data key": lambda: DataKey(uuid4(), CANARY),
    "keyed hasher": lambda: HmacHasher(CANARY),
    "signer": lambda: Ed25519Signer(CANARY),
    "webhook secrets": lambda: WebhookCipher(MasterKeys([CANARY])),
    "signing keys": lambda: SigningKeys((CANARY,)),
    "mail server": lambda: SmtpTransport(f"smtps://user:{CANARY_TEXT}@mail.example", sender="no-reply@example.com"),
    "broker": lambda: RabbitMq(f"amqps://user:{CANARY_TEXT}@broker.example/vhost"),
    "database": lambda: Database(f"postgresql://user:{CANARY_TEXT}@127.0.0.1:1/nothing", pool_size=1),
}


@pytest.mark.parametrize("make", SECRET_OBJECTS.values(), ids=SECRET_OBJECTS.keys())
def test_no_object_prints_its_secrets(make: Callable[[], Any]) -> None:
    assert [text for text in texts_of(make()) if contains_canary(text)] == []


BAD_SETTINGS: dict[str, Callable[[], Any]] = {
    "signing key": lambda: SigningKeys.parse(CANARY_TEXT),
    "the same signing key": lambda: SigningKeys.parse(",".join([base64.b64encode(CANARY).decode()] * 2)),
    "master key": lambda: config.parse_master_keys("SUBUSERS_MASTER_KEY", CANARY_TEXT),
    "mail server": lambda: parse_smtp_url(f"smtps://user:{CANARY_TEXT}@mail.example:none"),
    "broker": lambda: parse_broker_url(f"amqps://user:{CANARY_TEXT}@broker.example:none"),
    "mail sender": lambda: SmtpTransport(f"smtps://user:{CANARY_TEXT}@mail.example", sender="nobody"),
}


@pytest.mark.parametrize("parse", BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_refused_settings_are_not_in_the_error(parse: Callable[[], Any]) -> None:
    """The message describes the error without the value."""
    with pytest.raises(Exception) as refused:  # noqa: PT011  # each setting raises its own class
        parse()
    assert not contains_canary(str(refused.value))
    assert not contains_canary("".join(traceback.format_exception(refused.value)))


def test_logged_tracebacks_have_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on a terminal nor in a file."""
    for is_terminal in (True, False):
        out = io.StringIO()
        out.isatty = lambda is_terminal=is_terminal: is_terminal  # type: ignore[method-assign,misc]
        monkeypatch.setattr(sys, "stderr", out)
        before = structlog.get_config()
        try:
            logs.configure()
            _fail_with_a_local(structlog.get_logger())
        finally:
            structlog.configure(**before)
        assert "something failed" in out.getvalue()
        assert not contains_canary(out.getvalue())


def _fail_with_a_local(log: Any) -> None:
    password = CANARY_TEXT + ""
    try:
        raise RuntimeError("something failed")
    except RuntimeError:
        log.exception("request.failed", length=len(password))


def test_crashes_of_commands_show_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer prints tracebacks itself."""

    def crash(*_: Any, **__: Any) -> None:
        password = CANARY_TEXT + ""
        raise RuntimeError(f"something failed after {len(password)}")

    monkeypatch.setattr(config, "load", crash)
    result = CliRunner().invoke(program.app, ["status"])
    assert isinstance(result.exception, RuntimeError)
    assert program.app.pretty_exceptions_show_locals is False
    assert not contains_canary(result.output)
