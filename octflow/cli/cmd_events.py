"""`octflow events`: tell listeners what happened."""

import logging
import signal
import sys
import threading
from pathlib import Path

import click

from octflow.services.events.service import Events, follow
from octflow.services.project import config_of
from octflow.workflow.config import PIPELINE


@click.command("events")
@click.argument(
    "config_file",
    metavar="[CONFIG]",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=PIPELINE / "config" / "config.yaml",
)
@click.option("--once", "mode", flag_value="once", default="once", help="Deliver, then end.")
@click.option("--follow", "mode", flag_value="follow", help="Go on until SIGTERM or SIGINT.")
def command(config_file: Path, mode: str) -> None:
    """Find events in the flags of a project and deliver them to its listeners.

    The listeners stand in the section events of CONFIG. Every event is delivered at least
    once to each; --once exits 1 where some could not be delivered, and the next run goes on.

    \b
    Examples:
      octflow events /data/I46/config.yaml
      octflow events /data/I46/config.yaml --follow
    """  # noqa: D301 - \b keeps click from joining the lines
    logging.basicConfig(level=logging.WARNING, format="octflow %(levelname)s: %(message)s")
    config = config_of(config_file)
    project = PIPELINE / config.project.folder
    with Events(config, project) as events:
        if mode == "follow":
            _follow(events)
            return
        count = events.scan()
        left = events.deliver()
    click.echo(f"{count} events in all, {left} deliveries left")
    if left:
        sys.exit(1)


def _follow(events: Events) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    follow(events, stopped)
