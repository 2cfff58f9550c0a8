"""Bringing in a new master key."""

from __future__ import annotations

import typer
from rich.progress import Progress as ProgressBar

from api.bootstrap import UnknownMasterKey
from api.cli.ready import ready_service
from api.config import ConfigError


def rotate_master_key() -> None:
    """Have everything be wrapped by the first key of SUBUSERS_MASTER_KEY, while the service goes on.

    Safe to interrupt and to repeat. At its end it says whether the keys behind the first are of any use yet.
    """
    with ready_service() as service, ProgressBar() as bar:
        rewrapping = service.rewrapping
        task = bar.add_task("wrapping keys anew", total=rewrapping.older())
        try:
            done = rewrapping.run(lambda step: bar.advance(task, step))
        except UnknownMasterKey as error:
            msg = f"something is wrapped by the master key {error}, which is not in SUBUSERS_MASTER_KEY: put it back"
            raise ConfigError(msg) from None
    typer.echo(
        f"wrapped {done} anew; everything is wrapped by {rewrapping.current_id}. Once no process runs that has another "
        "key first, and this has been repeated, the keys behind it can go."
    )
