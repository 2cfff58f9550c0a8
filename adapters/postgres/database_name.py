"""Name of a database for people, without secrets."""

from __future__ import annotations

from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo


def without_password(url: str) -> str:
    """Return a database URL with role, hosts, ports and database only, completed by what libpq takes as defaults."""
    defaults = {
        option.keyword.decode(): (option.val or option.compiled or b"").decode() for option in Conninfo.get_defaults()
    }
    parts = defaults | {name: str(value) for name, value in conninfo_to_dict(url).items()}
    hosts = (parts.get("host") or parts.get("hostaddr") or "localhost").split(",")
    ports = parts["port"].split(",")
    if len(ports) == 1:  # libpq uses one port for all hosts
        ports *= len(hosts)
    addresses = ",".join(
        f"{_host(host)}:{port}" if port else _host(host) for host, port in zip(hosts, ports, strict=True)
    )
    role = quote(parts["user"], safe="")
    database = quote(parts["dbname"] or parts["user"], safe="")
    return f"postgresql://{role}@{addresses}/{database}"


def _host(host: str) -> str:
    """Return a host name, an address or a socket folder in URL form."""
    return f"[{host}]" if ":" in host else quote(host, safe="")
