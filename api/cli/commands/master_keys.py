"""`subusers rotate-master-key`: rewrap all keys with a new master key."""

from __future__ import annotations

from api.bootstrap.composition_root import UnknownMasterKey
from api.bootstrap.config import ConfigError
from api.cli.options import AsJson
from api.cli.output import echo, print_json, progress_bar
from api.cli.startup import open_service
from application.display_text import quantity


def rotate_master_key(*, as_json: AsJson = False) -> None:
    """Wrap all keys with the first key of SUBUSERS_MASTER_KEY, while the service runs.

    You can interrupt and repeat it. The output says when the other keys can be removed.
    """
    with open_service() as service, progress_bar("rewrapping keys") as show_progress:
        master_key_rotation = service.workers.master_key_rotation
        total, steps = master_key_rotation.count_outdated(), list[int]()

        def show_step(step: int) -> None:
            steps.append(step)
            show_progress(sum(steps), total)

        try:
            rewrapped = master_key_rotation.run(show_step)
        except UnknownMasterKey as error:
            msg = f"a key is wrapped by the master key {error}, which is not in SUBUSERS_MASTER_KEY: add it again"
            raise ConfigError(msg) from None
    if as_json:
        print_json({"rewrapped": rewrapped, "master_key": master_key_rotation.current_id})
        return
    echo(
        f"rewrapped {quantity(rewrapped, 'key')}; everything is wrapped by {master_key_rotation.current_id}. Once "
        "every process has this key first, repeat this command; then remove the other keys."
    )
