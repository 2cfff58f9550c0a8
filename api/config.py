"""The settings, from the environment: this is the only place that reads it."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import psycopg
from environs import Env, EnvError, validate
from psycopg.conninfo import conninfo_to_dict

from api.durations import duration
from api.signing_keys import SigningKeys
from application.webhook_receivers import HOST, Receivers

MASTER_KEY_BYTES = 32
LONGEST_HOLD = timedelta(days=3660)
LEAST_RETENTION, LONGEST_RETENTION = timedelta(days=7), timedelta(days=36600)
MOST_THREADS_ON_A_CORE = 16
USUAL_STREAMS = 16
PORTS = range(1, 65536)


class ConfigError(Exception):
    """A setting is missing or wrong; the message is one line that says which, and what it should be."""


@dataclass(frozen=True)
class Settings:
    """What the operator decides.

    `embedded` means a Postgres of the service's own: its URL and master key are known once it runs. `smtp_url` None
    means that mails are written as files, `mail_from` None that they come from no-reply at the public host, and
    `broker_url` None that events are not published. What `proxies` say of a visitor of the console, by X-Forwarded-For,
    is believed. A process has `threads` for requests, and `streams` for readers who wait for events.
    `webhook_receivers` are those whom events may be sent to, besides the public Internet. `admin_database_url` is for
    migrations and rebuilds alone: without one, the service runs as the owner of its tables. The data of deleted
    sub-users is kept for `erasure_delay`; the audit log shows what was recorded for `audit_retention`, or for ever.
    """

    database_url: str | None = field(repr=False)
    smtp_url: str | None = field(repr=False)
    mail_from: str | None
    master_keys: tuple[bytes, ...] = field(repr=False)
    data_dir: Path
    host: str
    port: int
    public_url: str
    processes: int
    threads: int
    cores: int
    embedded: bool
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    broker_url: str | None = field(default=None, repr=False)
    streams: int = USUAL_STREAMS
    webhook_receivers: Receivers = field(default_factory=Receivers)
    signing_keys: SigningKeys = field(default_factory=SigningKeys)
    admin_database_url: str | None = field(default=None, repr=False)
    erasure_delay: timedelta = timedelta()
    audit_retention: timedelta | None = None

    @property
    def owner_url(self) -> str:
        """The database as the owner of its tables: another role than the service's, or else the same."""
        return self.admin_database_url or self.database_url or ""

    @property
    def mail_folder(self) -> Path:
        """Where mails are written when there is no mail server."""
        return self.data_dir / "mails"

    @property
    def postgres_folder(self) -> Path:
        """Where an embedded Postgres keeps its data."""
        return self.data_dir / "postgres"

    @property
    def master_key_file(self) -> Path:
        """Where the generated master key is kept, with an embedded Postgres."""
        return self.data_dir / "master.key"

    @property
    def signing_key_file(self) -> Path:
        """Where the generated signing key is kept, with an embedded Postgres."""
        return self.data_dir / "signing.key"

    @property
    def public_host(self) -> str:
        """The host by which the outside knows this service."""
        return urlsplit(self.public_url).hostname or "localhost"


def load(*, with_master_key: bool = True) -> Settings:
    """Return the settings; what reads nothing that is encrypted needs no master key. Raises `ConfigError`."""
    env = Env(prefix="SUBUSERS_")
    try:
        settings = _read(env)
    except EnvError as error:
        raise ConfigError(" ".join(str(error).split())) from None
    if with_master_key:
        _require_master_key(settings)
    return settings


def share_in(folder: Path) -> None:
    """Have prometheus_client, which reads the environment by itself, keep its values in files that processes share."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def shared_folder() -> Path | None:
    """Return the folder in which several processes keep their metrics together; None if there is but one."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def _read(env: Env) -> Settings:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    host = env.str("HOST", "") or "127.0.0.1"
    port = env.int("PORT", 8000, validate=validate.Range(PORTS.start, PORTS.stop - 1))
    database_url = _database_url("DATABASE_URL", env.str("DATABASE_URL", None))
    data_dir = Path(env.str("DATA_DIR", ".subusers")).resolve()
    public_url = env.str("PUBLIC_URL", f"http://{_reachable(host)}:{port}").rstrip("/")
    return Settings(
        database_url=database_url,
        audit_retention=_optional_duration("AUDIT_RETENTION", env.str("AUDIT_RETENTION", "")),
        erasure_delay=_duration("ERASURE_DELAY", env.str("ERASURE_DELAY", "") or "0", LONGEST_HOLD),
        admin_database_url=_admin_database_url(env.str("ADMIN_DATABASE_URL", None), database_url),
        smtp_url=_url("SMTP_URL", env.str("SMTP_URL", None), "smtp", "smtps"),
        mail_from=env.str("MAIL_FROM", None),
        master_keys=master_keys("SUBUSERS_MASTER_KEY", env.str("MASTER_KEY", None)),
        data_dir=data_dir,
        host=host,
        port=port,
        public_url=_public_url(public_url),
        processes=env.int("PROCESSES", cores, validate=validate.Range(1, 64)),
        threads=env.int("THREADS", MOST_THREADS_ON_A_CORE, validate=validate.Range(1, 128)),
        cores=cores,
        embedded=not database_url,
        proxies=_networks(env.str("PROXIES", "")),
        webhook_receivers=_webhook_receivers(env.str("WEBHOOK_ALLOW", "")),
        broker_url=_url("BROKER_URL", env.str("BROKER_URL", None), "amqp", "amqps"),
        signing_keys=_signing_keys(env.str("SIGNING_KEY", None)),
        streams=env.int("STREAMS", USUAL_STREAMS, validate=validate.Range(1, 128)),
    )


def _require_master_key(settings: Settings) -> None:
    if not settings.embedded and not settings.master_keys:
        msg = (
            "SUBUSERS_MASTER_KEY is missing: with SUBUSERS_DATABASE_URL set it must be 32 random bytes in base64, "
            "for example from `openssl rand -base64 32`"
        )
        raise ConfigError(msg)


def _reachable(host: str) -> str:
    """Return a host as a URL has it; where the service listens on every address, one at which this machine finds it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"[{host}]" if ":" in host else host


def _url(name: str, url: str | None, *schemes: str) -> str | None:
    """Return the URL if it is of one of these schemes; a message never repeats it, for it may hold a password."""
    if not url:
        return None
    if _split(url).scheme not in schemes or not _split(url).netloc:
        msg = f"SUBUSERS_{name} must be a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        raise ConfigError(msg)
    return url


def _admin_database_url(url: str | None, database_url: str | None) -> str | None:
    """Return the URL of the tables' owner, None if that is the one that the service runs as."""
    url = _database_url("ADMIN_DATABASE_URL", url)
    if url is None:
        return None
    service = conninfo_to_dict(database_url or "").get("user")
    if service is None:
        msg = "SUBUSERS_ADMIN_DATABASE_URL needs SUBUSERS_DATABASE_URL beside it, which names the service's own role"
        raise ConfigError(msg)
    return url if conninfo_to_dict(url).get("user") != service else None


def _database_url(name: str, url: str | None) -> str | None:
    """Return the URL if libpq can make sense of it, and no piece of a password was taken for another part."""
    url = _url(name, url, "postgresql", "postgres")
    if url is None:
        return None
    try:
        ports = str(conninfo_to_dict(url).get("port") or "5432").split(",")
    except psycopg.ProgrammingError:
        ports = []
    misplaced = "@" in _split(url).path or _split(url).fragment
    if misplaced or not ports or not all(port.isdecimal() and int(port) in PORTS for port in ports):
        msg = (
            f"SUBUSERS_{name} must be of the form postgresql://user:password@host:port/database, with special "
            "characters percent-encoded"
        )
        raise ConfigError(msg)
    return url


def _public_url(url: str) -> str:
    parts = _split(_url("PUBLIC_URL", url, "https", "http") or "")
    try:
        whole = parts.port != 0 and parts.hostname and "@" not in parts.netloc
    except ValueError:
        whole = False
    if not whole:
        msg = "SUBUSERS_PUBLIC_URL must be of the form https://host or https://host:port"
        raise ConfigError(msg)
    return url


def _duration(name: str, text: str, most: timedelta, least: timedelta = timedelta()) -> timedelta:
    length = duration(text.strip())
    if length is None or not least <= length <= most:
        bounds = f"{least.days} to {most.days} days" if least else f"up to {most.days} days"
        msg = f"SUBUSERS_{name} must be a length of time such as P30D, PT36H or 3600 (seconds), {bounds}"
        raise ConfigError(msg)
    return length


def _optional_duration(name: str, text: str) -> timedelta | None:
    return _duration(name, text, LONGEST_RETENTION, LEAST_RETENTION) if text.strip() else None


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        msg = "SUBUSERS_PROXIES must be IP addresses or networks, separated by commas, such as 10.0.0.5,192.168.0.0/16"
        raise ConfigError(msg) from None


def _webhook_receivers(text: str) -> Receivers:
    networks, hosts = [], set[str]()
    for part in (part.strip().lower() for part in text.split(",")):
        try:
            networks.append(ip_network(part))
        except ValueError:
            hosts.add(part.rstrip("."))
    hosts.discard("")
    if any(not HOST.fullmatch(host) or host.rpartition(".")[2].isdecimal() for host in hosts):
        msg = (
            "SUBUSERS_WEBHOOK_ALLOW must be IP addresses, networks or names of hosts, separated by commas, such as "
            "10.0.0.0/8,receiver.internal"
        )
        raise ConfigError(msg)
    return Receivers(tuple(networks), frozenset(hosts))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket without its counterpart
        return urlsplit("")


def require_signing_key(settings: Settings) -> None:
    """Raise `ConfigError` where checkpoints are to be signed and there is nothing to do it with."""
    if not settings.embedded and not settings.signing_keys.private:
        msg = (
            "SUBUSERS_SIGNING_KEY is missing: with SUBUSERS_DATABASE_URL set it must be 32 random bytes in base64, "
            "for example from `openssl rand -base64 32`"
        )
        raise ConfigError(msg)


def _signing_keys(text: str | None) -> SigningKeys:
    if not text:
        return SigningKeys()
    try:
        return SigningKeys.parse(text)
    except ValueError as error:
        msg = f"SUBUSERS_SIGNING_KEY {error}"
        raise ConfigError(msg) from None


def master_keys(name: str, text: str | None) -> tuple[bytes, ...]:
    """Return the keys that a setting, or a file of that name, holds. Raises `ConfigError`."""
    if not text:
        return ()
    keys = tuple(_master_key(name, part.strip()) for part in text.split(","))
    if len(set(keys)) < len(keys):
        msg = f"{name} names the same key twice"
        raise ConfigError(msg)
    return keys


def _master_key(name: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        msg = f"{name} must be 32 random bytes in base64, several separated by commas, the current one first"
        raise ConfigError(msg)
    return key
