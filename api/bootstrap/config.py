"""Settings from the environment. No other module reads it."""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

import maxminddb
import psycopg
from environs import Env, EnvError
from psycopg.conninfo import conninfo_to_dict

from adapters.mail.branding import Branding, Logo
from adapters.postgres.database_name import without_password
from api.bootstrap.cores import available_cores
from api.bootstrap.signing_keys import SigningKeys
from api.deprecated_names import DeprecatedName, Kind, deprecated_names
from api.presentation.accent_colors import MIN_CONTRAST, contrast_with_white, is_hex_color
from api.presentation.durations import parse_duration
from api.presentation.times import UTC_NAME, time_zone_names
from api.strict_parsing import parse_integer
from application.display_text import one_line
from application.webhook_url_policy import HOST, WebhookUrlPolicy

D = TypeVar("D")
PREFIX = "SUBUSERS_"
MASTER_KEY_BYTES = 32
MAX_ERASURE_DELAY = timedelta(days=3660)
MIN_AUDIT_RETENTION, MAX_AUDIT_RETENTION = timedelta(days=7), timedelta(days=36600)
DEFAULT_THREADS = 16
DEFAULT_MAX_STREAMS = 16
DEFAULT_CONNECTIONS = 2000
DEFAULT_CONNECTIONS_PER_CLIENT = 256
DEFAULT_WATCHDOG_SECONDS = 10
"""A working process sends heartbeats four times a second, even under full load."""

CRITICAL_THREADS, SIGN_IN_THREADS, CONSOLE_SIGN_IN_THREADS, DOWNLOAD_THREADS = 4, 4, 2, 1
"""Threads of the other lanes of a server process (`api/server/lanes.py`)."""

STREAM_CONNECTIONS = 4
"""Database connections shared by all waiting event readers."""

EXTRA_SERVER_CONNECTIONS = 2
"""Connections of the event tail and of NOTIFY, in addition to the pool."""

EXTRA_WORKER_CONNECTIONS = 16
"""Connections in addition to the pool: one for each of the five followers, the publisher and NOTIFY, twice, rounded up.

Twice, because PostgreSQL may still hold the previous connection of a follower that reconnects.
"""

COMMAND_CONNECTIONS, MIN_DATABASE_CONNECTIONS = 40, 200
PORTS = range(1, 65536)
MIN_METRICS_TOKEN_LENGTH = 16
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
"""Syntax of a bearer token (RFC 6750, 2.1)."""


MAX_PRODUCT_NAME_LENGTH = 40
MAX_LOGO_BYTES = 256 * 1024
LOGO_MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
EMAIL_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")


class ConfigError(Exception):
    """A setting is missing or wrong. The message is one line with its name and the expected value."""


class LogFormat(StrEnum):
    """Formats of log lines: for programs, or for a person at a terminal."""

    JSON = "json"
    TEXT = "text"


class Environment:
    """The environment variables of the settings, which may also have their deprecated names."""

    def __init__(self) -> None:
        self._env = Env()
        self.deprecated_names = tuple(
            deprecated for deprecated in deprecated_names(Kind.SETTING) if deprecated.name in os.environ
        )

    def text(self, name: str, default: D) -> str | D:
        """Return the value of a setting, given without its prefix. Raises `ConfigError` if it has two values."""
        variable = f"{PREFIX}{name}"
        values = {variable: self._env.str(variable)} if variable in os.environ else {}
        values |= {
            deprecated.name: self._env.str(deprecated.name)
            for deprecated in self.deprecated_names
            if deprecated.replacement == variable
        }
        if len(set(values.values())) > 1:
            msg = f"{' and '.join(values)} have different values: set only {variable}"
            raise ConfigError(msg)
        return next(iter(values.values()), default)


@dataclass(frozen=True)
class Settings:
    """Settings of the operator (docs/operating.md).

    If `embedded`, the service starts its own PostgreSQL, and `database_url` and `master_keys` are set once it runs. If
    `smtp_url` is None, mails are written as files. If `mail_from` is None, they come from no-reply at the public host.
    If `broker_url` is None, events are not published. `X-Forwarded-For` is trusted from `trusted_proxies`.

    Each of the `server_processes` has `threads` for reads and writes, half for each, and `max_streams` for readers that
    wait for events. It keeps up to `connections` open, at most `connections_per_client` for one client, and is replaced
    after `watchdog_seconds` without a heartbeat. `webhook_receivers` are allowed in addition to the public Internet.

    `admin_database_url` is for migrations and rebuilds; without it, the service runs as the owner of its tables. The
    data of deleted sub-users is kept for `erasure_delay`. The audit log shows events for `audit_retention`, or without
    limit if it is None. Without a `metrics_token`, `/metrics` is disabled.

    `deprecated_names` are the deprecated names of settings that the operator has used.

    `branding` is the name and look of the product in the console and in mails.

    `further_passkey_origins` are pages of the portal that may use passkeys.

    `source` is the public URL if the operator has set it, and replaces the stored `source` of events. None keeps the
    stored one. `sign_in_url` is the base of the portal's own sign-in pages, None if mails link to the console's.
    """

    database_url: str | None = field(repr=False)
    smtp_url: str | None = field(repr=False)
    mail_from: str | None
    master_keys: tuple[bytes, ...] = field(repr=False)
    data_dir: Path
    host: str
    port: int
    public_url: str
    server_processes: int
    threads: int
    cores: int
    embedded: bool
    further_passkey_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    broker_url: str | None = field(default=None, repr=False)
    max_streams: int = DEFAULT_MAX_STREAMS
    webhook_receivers: WebhookUrlPolicy = field(default_factory=WebhookUrlPolicy)
    signing_keys: SigningKeys = field(default_factory=SigningKeys)
    admin_database_url: str | None = field(default=None, repr=False)
    erasure_delay: timedelta = timedelta()
    audit_retention: timedelta | None = None
    metrics_token: str | None = field(default=None, repr=False)
    connections: int = DEFAULT_CONNECTIONS
    connections_per_client: int = DEFAULT_CONNECTIONS_PER_CLIENT
    watchdog_seconds: int = DEFAULT_WATCHDOG_SECONDS
    source: str | None = None
    sign_in_url: str | None = None
    critical_threads: int = CRITICAL_THREADS
    sign_in_threads: int = SIGN_IN_THREADS
    console_sign_in_threads: int = CONSOLE_SIGN_IN_THREADS
    download_threads: int = DOWNLOAD_THREADS
    geoip_database: Path | None = None
    branding: Branding = field(default_factory=Branding)
    deprecated_names: tuple[DeprecatedName, ...] = ()

    @property
    def read_threads(self) -> int:
        """Threads of a server process for requests with safe methods."""
        return self.threads // 2

    @property
    def write_threads(self) -> int:
        """Threads of a server process for requests with other methods."""
        return self.threads - self.read_threads

    @property
    def database_connections(self) -> int:
        """Size of the database connection pool of a server process."""
        lanes = self.critical_threads + self.sign_in_threads + self.console_sign_in_threads + self.download_threads
        return self.threads + lanes + min(self.max_streams, STREAM_CONNECTIONS)

    @property
    def max_database_connections(self) -> int:
        """Number of connections that embedded PostgreSQL must allow, for `serve` and concurrent commands."""
        server_connections = self.server_processes * (self.database_connections + EXTRA_SERVER_CONNECTIONS)
        worker_connections = self.database_connections + EXTRA_WORKER_CONNECTIONS
        return max(MIN_DATABASE_CONNECTIONS, server_connections + worker_connections + COMMAND_CONNECTIONS)

    @property
    def may_pin_to_cores(self) -> bool:
        """Whether each server process can have its own core. Under a CPU quota, other services use the same cores."""
        return self.server_processes == self.cores == available_cores(quota=False)

    @property
    def owner_url(self) -> str:
        """URL of the database with the role that owns the tables, which may be the service's own role."""
        return self.admin_database_url or self.database_url or ""

    @property
    def database_name(self) -> str:
        """Where the database is, for people: its URL without password and options, or the embedded one's folder."""
        if self.embedded:
            return f"embedded PostgreSQL in {self.postgres_folder}"
        return without_password(self.database_url or "")

    @property
    def mail_folder(self) -> Path:
        """Folder for mails without a mail server."""
        return self.data_dir / "mails"

    @property
    def postgres_folder(self) -> Path:
        """Data folder of embedded PostgreSQL."""
        return self.data_dir / "postgres"

    @property
    def master_key_file(self) -> Path:
        """File of the generated master key, with embedded PostgreSQL."""
        return self.data_dir / "master.key"

    @property
    def signing_key_file(self) -> Path:
        """File of the generated signing key, with embedded PostgreSQL."""
        return self.data_dir / "signing.key"

    @property
    def public_host(self) -> str:
        """Host name of the public URL."""
        return urlsplit(self.public_url).hostname or "localhost"

    @property
    def passkey_host(self) -> str:
        """Host that passkeys belong to: that of the public URL. Browsers accept no address, but `localhost`."""
        return "localhost" if _is_loopback(self.public_host) else self.public_host

    @property
    def passkey_origins(self) -> tuple[str, ...]:
        """Origins of the pages that may use passkeys: the console, and those that the operator has added."""
        console = _origin(self.public_url)
        if _is_loopback(self.public_host):
            console = console.replace(_url_host(self.public_host), self.passkey_host, 1)
        return (console, *self.further_passkey_origins)


def load(*, with_master_key: bool = True) -> Settings:
    """Return the settings. Commands that decrypt nothing need no master key. Raises `ConfigError`."""
    env = Environment()
    try:
        settings = _read(env)
    except EnvError as error:
        raise ConfigError(" ".join(str(error).split())) from None
    if with_master_key:
        _require_master_key(settings)
    return settings


def colors_are_disabled() -> bool:
    """Return whether the user wants neither colors nor other styles in the output (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def log_format() -> LogFormat | None:
    """Return the format of log lines that the operator asked for, if any. Raises `ConfigError`."""
    env = Environment()
    value = env.text("LOG_FORMAT", "")
    if not value:
        return None
    try:
        return LogFormat(value)
    except ValueError:
        msg = f"{PREFIX}LOG_FORMAT must be {' or '.join(LogFormat)}"
        raise ConfigError(msg) from None


def share_metrics_in(folder: Path) -> None:
    """Let prometheus_client store its values in files that processes share. It reads the environment itself."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def shared_metrics_folder() -> Path | None:
    """Return the folder of metrics that processes share; None with a single process."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def _read(env: Environment) -> Settings:
    cores = available_cores()
    host = env.text("HOST", "") or "127.0.0.1"
    port = _integer("PORT", env.text("PORT", None), 8000, PORTS.start, PORTS.stop - 1)
    database_url = _database_url("DATABASE_URL", env.text("DATABASE_URL", None))
    data_dir = Path(env.text("DATA_DIR", ".subusers")).resolve()
    configured_url = env.text("PUBLIC_URL", None)
    default_url = f"http://{_url_host(host)}:{port}"
    public_url = _public_url((default_url if configured_url is None else configured_url).rstrip("/"))
    return Settings(
        database_url=database_url,
        audit_retention=_optional_duration("AUDIT_RETENTION", env.text("AUDIT_RETENTION", "")),
        erasure_delay=_duration("ERASURE_DELAY", env.text("ERASURE_DELAY", "") or "0", MAX_ERASURE_DELAY),
        admin_database_url=_admin_database_url(env.text("ADMIN_DATABASE_URL", None), database_url),
        smtp_url=_url("SMTP_URL", env.text("SMTP_URL", None), "smtp", "smtps"),
        mail_from=env.text("MAIL_FROM", None),
        master_keys=parse_master_keys("SUBUSERS_MASTER_KEY", env.text("MASTER_KEY", None)),
        data_dir=data_dir,
        host=host,
        port=port,
        public_url=public_url,
        further_passkey_origins=_passkey_origins(env.text("PASSKEY_ORIGINS", ""), public_url),
        source=None if configured_url is None else public_url,
        sign_in_url=_sign_in_url(env.text("SIGN_IN_URL", "").rstrip("/")),
        server_processes=_integer("SERVER_PROCESSES", env.text("SERVER_PROCESSES", None), cores, 1, 64),
        threads=_integer("THREADS", env.text("THREADS", None), DEFAULT_THREADS, 2, 128),
        cores=cores,
        embedded=not database_url,
        trusted_proxies=_networks(env.text("TRUSTED_PROXIES", "")),
        webhook_receivers=_webhook_receivers(env.text("WEBHOOK_ALLOW", "")),
        broker_url=_url("BROKER_URL", env.text("BROKER_URL", None), "amqp", "amqps"),
        signing_keys=_signing_keys(env.text("SIGNING_KEY", None)),
        metrics_token=_metrics_token(env.text("METRICS_TOKEN", None)),
        max_streams=_integer("MAX_STREAMS", env.text("MAX_STREAMS", None), DEFAULT_MAX_STREAMS, 1, 128),
        connections=_integer("CONNECTIONS", env.text("CONNECTIONS", None), DEFAULT_CONNECTIONS, 16, 100_000),
        connections_per_client=_integer(
            "CONNECTIONS_PER_CLIENT",
            env.text("CONNECTIONS_PER_CLIENT", None),
            DEFAULT_CONNECTIONS_PER_CLIENT,
            1,
            100_000,
        ),
        watchdog_seconds=_integer(
            "WATCHDOG_SECONDS", env.text("WATCHDOG_SECONDS", None), DEFAULT_WATCHDOG_SECONDS, 2, 600
        ),
        geoip_database=_geoip_database(env.text("GEOIP_DATABASE", "")),
        branding=_branding(env),
        deprecated_names=env.deprecated_names,
    )


def _require_master_key(settings: Settings) -> None:
    if not settings.embedded and not settings.master_keys:
        msg = (
            "SUBUSERS_MASTER_KEY is missing: with SUBUSERS_DATABASE_URL set it must be 32 random bytes in base64, "
            "for example from `openssl rand -base64 32`"
        )
        raise ConfigError(msg)


def _url_host(host: str) -> str:
    """Return a host in URL form. For all addresses, return the loopback address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"[{host}]" if ":" in host else host


def _url(name: str, url: str | None, *schemes: str) -> str | None:
    """Return the URL if it has one of these schemes. The message never contains the URL, which may have a password."""
    if not url:
        return None
    if _split(url).scheme not in schemes or not _split(url).netloc:
        msg = f"SUBUSERS_{name} must be a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        raise ConfigError(msg)
    return url


def _admin_database_url(url: str | None, database_url: str | None) -> str | None:
    """Return the URL of the tables' owner, None if the service runs as that role."""
    url = _database_url("ADMIN_DATABASE_URL", url)
    if url is None:
        return None
    service_role = conninfo_to_dict(database_url or "").get("user")
    if service_role is None:
        msg = "SUBUSERS_ADMIN_DATABASE_URL requires SUBUSERS_DATABASE_URL with the service's own role"
        raise ConfigError(msg)
    return url if conninfo_to_dict(url).get("user") != service_role else None


def _database_url(name: str, url: str | None) -> str | None:
    """Return the URL if libpq can parse it and no part of a password was taken for another component."""
    url = _url(name, url, "postgresql", "postgres")
    if url is None:
        return None
    try:
        ports = str(conninfo_to_dict(url).get("port") or "5432").split(",")
    except psycopg.ProgrammingError:
        ports = []
    has_misplaced_password = "@" in _split(url).path or _split(url).fragment
    if has_misplaced_password or not ports or not all(_is_port(port) for port in ports):
        msg = (
            f"SUBUSERS_{name} must be of the form postgresql://user:password@host:port/database, with special "
            "characters percent-encoded"
        )
        raise ConfigError(msg)
    return url


def _is_port(text: str) -> bool:
    try:
        return parse_integer(text) in PORTS
    except ValueError:
        return False


def _public_url(url: str) -> str:
    parts = _split(_url("PUBLIC_URL", url, "https", "http") or "")
    try:
        is_valid = parts.port != 0 and parts.hostname and "@" not in parts.netloc
    except ValueError:
        is_valid = False
    if not is_valid:
        msg = "SUBUSERS_PUBLIC_URL must be of the form https://host or https://host:port"
        raise ConfigError(msg)
    return url


def _sign_in_url(url: str) -> str | None:
    """Return the base of the portal's sign-in pages, None if they are the console's. Links are appended to its path."""
    if not url:
        return None
    parts = _split(url)
    try:
        is_valid = parts.scheme in {"https", "http"} and parts.port != 0 and parts.hostname and "@" not in parts.netloc
    except ValueError:
        is_valid = False
    if not is_valid or "?" in url or "#" in url or not url.isascii() or any(map(str.isspace, url)):
        msg = "SUBUSERS_SIGN_IN_URL must be of the form https://host/path, without a query"
        raise ConfigError(msg)
    return url


def _branding(env: Environment) -> Branding:
    name = one_line(env.text("PRODUCT_NAME", ""))
    if len(name) > MAX_PRODUCT_NAME_LENGTH:
        msg = f"SUBUSERS_PRODUCT_NAME must have at most {MAX_PRODUCT_NAME_LENGTH} characters"
        raise ConfigError(msg)
    return Branding(
        product_name=name or Branding.product_name,
        logo=_logo(env.text("LOGO", "")),
        accent_color=_accent_color(env.text("ACCENT_COLOR", "")),
        portal_url=_url("PORTAL_URL", env.text("PORTAL_URL", None), "https", "http"),
        support_address=_support_address(env.text("SUPPORT_ADDRESS", "")),
        time_zone=_mail_time_zone(env.text("MAIL_TIME_ZONE", "")),
    )


def _mail_time_zone(name: str) -> ZoneInfo:
    if name and name not in time_zone_names():
        msg = "SUBUSERS_MAIL_TIME_ZONE must be the name of a time zone, such as Europe/Rome"
        raise ConfigError(msg)
    return ZoneInfo(name or UTC_NAME)


def _logo(path: str) -> Logo | None:
    """Return the picture, None without one."""
    if not path:
        return None
    file = Path(path)
    media_type = LOGO_MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        msg = f"SUBUSERS_LOGO must be a file with the extension {', '.join(LOGO_MEDIA_TYPES)}"
        raise ConfigError(msg)
    try:
        content = file.read_bytes()
    except OSError:
        content = b""
    if not 0 < len(content) <= MAX_LOGO_BYTES:
        msg = f"SUBUSERS_LOGO must be the path of a readable file of 1 to {MAX_LOGO_BYTES} bytes"
        raise ConfigError(msg)
    return Logo(content, media_type)


def _accent_color(color: str) -> str | None:
    """Return the color, None without one."""
    if not color:
        return None
    if not is_hex_color(color):
        msg = "SUBUSERS_ACCENT_COLOR must be a color of the form #rrggbb, such as #2f54eb"
        raise ConfigError(msg)
    contrast = contrast_with_white(color)
    if contrast < MIN_CONTRAST:
        msg = (
            f"SUBUSERS_ACCENT_COLOR {color} has a contrast of {contrast:.2f}:1 with the white text on it: "
            f"choose a darker color, with at least {MIN_CONTRAST}:1"
        )
        raise ConfigError(msg)
    return color.lower()


def _support_address(text: str) -> str | None:
    """Return the e-mail address or URL, None without one."""
    if not text:
        return None
    is_url = _split(text).scheme in {"https", "http"} and bool(_split(text).netloc)
    if any(map(str.isspace, text)) or not (is_url or EMAIL_ADDRESS.fullmatch(text)):
        msg = "SUBUSERS_SUPPORT_ADDRESS must be an e-mail address or a URL that begins with https://"
        raise ConfigError(msg)
    return text


def _origin(url: str) -> str:
    """Return the origin of a URL as browsers write it, without a default port."""
    parts = urlsplit(url)
    host = _url_host(parts.hostname or "")
    is_default = parts.port in {None, {"https": 443, "http": 80}.get(parts.scheme)}
    return f"{parts.scheme}://{host}" if is_default else f"{parts.scheme}://{host}:{parts.port}"


def _is_loopback(host: str) -> bool:
    """Return whether a host is an address of this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _passkey_origins(text: str, public_url: str) -> tuple[str, ...]:
    """Return the origins in a list. Browsers let a page use passkeys of its own host and of those above it."""
    host = urlsplit(public_url).hostname or ""
    origins = [origin.strip() for origin in text.split(",") if origin.strip()]
    for origin in origins:
        parts = _split(origin)
        try:
            is_below = f".{parts.hostname}".endswith(f".{host}")
            is_valid = parts.scheme in {"https", "http"} and is_below and _origin(origin) == origin
        except ValueError:
            is_valid = False
        if not is_valid:
            msg = (
                "SUBUSERS_PASSKEY_ORIGINS must be a comma-separated list of origins such as "
                "https://portal.example.com, whose hosts are that of SUBUSERS_PUBLIC_URL or below it"
            )
            raise ConfigError(msg)
    return tuple(origins)


def _integer(name: str, text: str | None, default: int, minimum: int, maximum: int) -> int:
    if text is None:
        return default
    try:
        number = parse_integer(text.strip())
    except ValueError:
        number = minimum - 1
    if not minimum <= number <= maximum:
        msg = f"SUBUSERS_{name} must be a whole number from {minimum} to {maximum}"
        raise ConfigError(msg)
    return number


def _duration(name: str, text: str, maximum: timedelta, minimum: timedelta = timedelta()) -> timedelta:
    duration = parse_duration(text.strip())
    if duration is None or not minimum <= duration <= maximum:
        bounds = f"{minimum.days} to {maximum.days} days" if minimum else f"up to {maximum.days} days"
        msg = f"SUBUSERS_{name} must be a length of time such as P30D, PT36H or 3600 (seconds), {bounds}"
        raise ConfigError(msg)
    return duration


def _optional_duration(name: str, text: str) -> timedelta | None:
    return _duration(name, text, MAX_AUDIT_RETENTION, MIN_AUDIT_RETENTION) if text.strip() else None


def _geoip_database(text: str) -> Path | None:
    """Return the absolute path of a readable GeoIP database, None if none is set."""
    if not text:
        return None
    path = Path(text).resolve()
    try:
        maxminddb.open_database(path).close()
    except (OSError, maxminddb.InvalidDatabaseError):
        msg = "SUBUSERS_GEOIP_DATABASE must be the path of a readable MaxMind DB file (.mmdb)"
        raise ConfigError(msg) from None
    return path


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        msg = (
            "SUBUSERS_TRUSTED_PROXIES must be IP addresses or networks, separated by commas, such as "
            "10.0.0.5,192.168.0.0/16"
        )
        raise ConfigError(msg) from None


def _metrics_token(text: str | None) -> str | None:
    if not text:
        return None
    if len(text) < MIN_METRICS_TOKEN_LENGTH or not BEARER_TOKEN.fullmatch(text):
        msg = (
            f"SUBUSERS_METRICS_TOKEN must have at least {MIN_METRICS_TOKEN_LENGTH} characters, only letters, digits "
            "and -._~+/=, for example from `openssl rand -base64 32`"
        )
        raise ConfigError(msg)
    return text


def _webhook_receivers(text: str) -> WebhookUrlPolicy:
    networks, hosts = [], set[str]()
    for part in (part.strip().lower() for part in text.split(",")):
        try:
            networks.append(ip_network(part))
        except ValueError:
            hosts.add(part.rstrip("."))
    hosts.discard("")
    if any(not HOST.fullmatch(host) or host.rpartition(".")[2].isdecimal() for host in hosts):
        msg = (
            "SUBUSERS_WEBHOOK_ALLOW must be IP addresses, networks or host names, separated by commas, such as "
            "10.0.0.0/8,receiver.internal"
        )
        raise ConfigError(msg)
    return WebhookUrlPolicy(tuple(networks), frozenset(hosts))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # unbalanced brackets
        return urlsplit("")


def require_signing_key(settings: Settings) -> None:
    """Raise `ConfigError` if no key can sign checkpoints."""
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


def parse_master_keys(name: str, text: str | None) -> tuple[bytes, ...]:
    """Parse the keys in the setting or file called `name`. Raises `ConfigError`."""
    if not text:
        return ()
    keys = tuple(_parse_master_key(name, part.strip()) for part in text.split(","))
    if len(set(keys)) < len(keys):
        msg = f"{name} names the same key twice"
        raise ConfigError(msg)
    return keys


def _parse_master_key(name: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        msg = f"{name} must be 32 random bytes in base64, several separated by commas, the current one first"
        raise ConfigError(msg)
    return key
