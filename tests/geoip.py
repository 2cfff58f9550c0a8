"""GeoIP databases for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MILAN = {
    "country": {"iso_code": "IT", "names": {"en": "Italy"}},
    "city": {"names": {"en": "Milan", "de": "Mailand"}},
}
"""A record as GeoLite2 City has it."""


def write_geoip_database(path: Path, records: Mapping[str, Any], ip_version: int = 6) -> Path:
    """Write a database with a record for each network, and return its path."""
    writer = MMDBWriter(ip_version, ipv4_compatible=True) if ip_version == 6 else MMDBWriter(ip_version)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
