"""`subusers rotate-master-key`: rewrap all keys with a new master key."""

from __future__ import annotations

from rich.progress import Progress as ProgressBar

from api.bootstrap.composition_root import UnknownMasterKey
from api.bootstrap.config import ConfigError
from api.cli.output import echo
from api.cli.startup import open_service


def rotate_master_key() -> None:
    """Wrap all keys with the first key of SUBUSERS_MASTER_KEY, while the service runs.

    You can interrupt and repeat it. The output says when the other keys can be removed.
    """
    with open_service() as service, ProgressBar() as bar:
        master_key_rotation = service.workers.master_key_rotation
        task = bar.add_task("rewrapping keys", total=master_key_rotation.count_outdated())
        try:
            rewrapped = master_key_rotation.run(lambda step: bar.advance(task, step))
        except UnknownMasterKey as error:
            msg = f"a key is wrapped by the master key {error}, which is not in SUBUSERS_MASTER_KEY: add it again"
            raise ConfigError(msg) from None
    echo(
        f"rewrapped {rewrapped} keys; everything is wrapped by {master_key_rotation.current_id}. Once every process "
        "has this key first, repeat this command; then remove the other keys."
    )
