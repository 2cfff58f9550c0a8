"""Program that runs `subusers work` with a skewed clock and frequent housekeeping: `skewed_worker HOURS`."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any
from unittest.mock import patch

DELETE_EXPIRED_SECONDS = 0.2
ROUND_MARKER = "a round of housekeeping"
"""Line that the program prints after each round of housekeeping."""

real_time = time.time


class _AcceptPlainInstances(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class SkewedDatetime(datetime, metaclass=_AcceptPlainInstances):
    """Replacement of `datetime` whose `now()` is skewed. All its instances are plain `datetime` objects."""

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        """Return a plain `datetime`."""
        return datetime(*arguments, **named)  # noqa: DTZ001  # the caller chooses the time zone

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """Return the skewed time."""
        return datetime.fromtimestamp(time.time(), tz)


def main(offset: timedelta) -> None:
    """Run the worker, patching the clock before any module of the service is imported."""
    with (
        patch("time.time", lambda: real_time() + offset.total_seconds()),
        patch("datetime.datetime", SkewedDatetime),
    ):
        from api import cli  # noqa: PLC0415  # imported under the patched clock
        from api.bootstrap.service import Service  # noqa: PLC0415  # as above
        from api.runtime import worker  # noqa: PLC0415  # as above

        delete_expired = Service.delete_expired

        def delete_and_report(service: Service) -> int:
            deleted = delete_expired(service)
            print(ROUND_MARKER, flush=True)
            return deleted

        with (
            patch.object(worker, "DELETE_EXPIRED_SECONDS", DELETE_EXPIRED_SECONDS),
            patch.object(Service, "delete_expired", delete_and_report),
            patch("sys.argv", ["subusers", "work"]),
        ):
            cli.main()


if __name__ == "__main__":
    main(timedelta(hours=float(sys.argv[1])))
