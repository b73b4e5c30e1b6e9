"""`octflow watch`: the workflow while the microscope is running."""

import sys
from pathlib import Path

import click

from octflow.services.project import config_of
from octflow.services.watch.lock import sole_watcher
from octflow.services.watch.loop import Watcher
from octflow.workflow.config import PIPELINE


@click.command("watch")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--once", is_flag=True, help="End when nothing is left to be done now.")
@click.option("--retry", is_flag=True, help="Try again what was given up.")
@click.option(
    "--log-json/--log-text",
    default=None,
    help="Log JSON lines to standard output, or words to standard error.  [default: JSON where "
    "standard error is no terminal]",
)
def command(file: Path, *, once: bool, retry: bool, log_json: bool | None) -> None:
    """Make what can be made from the tiles of the project of configuration FILE, as they come.

    Stays in the foreground. SIGTERM lets running jobs end within `watch.grace_s`. Status, logs
    and the lock lie in the folder watch of the project.

    \b
    Examples:
      octflow watch /data/I46/config.yaml
      octflow watch /data/I46/config.yaml --once
    """  # noqa: D301 - \b keeps click from joining the lines
    config = config_of(file)
    as_json = not sys.stderr.isatty() if log_json is None else log_json
    with sole_watcher(PIPELINE / config.project.folder) as lock:
        Watcher(config, file, lock, as_json=as_json).run(once=once, retry=retry)
