"""`octflow unlock`: take away the locks that nobody alive holds."""

import sys
from pathlib import Path

import click

from octflow.services.project import session_of
from octflow.services.unlock import Found, unlock


@click.command("unlock")
@click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--force", is_flag=True, help="Snakemake's and ours, whoever holds them.")
def command(config: Path | None, *, force: bool) -> None:
    """Take away locks of the project of CONFIG that killed processes left; say whose they were.

    Refused, with exit status 1, where the holder is alive or is on another host, where that
    cannot be known; unless --force is given. Locks of the watcher and of `octflow events` end
    with their process, and are only told.

    \b
    Examples:
      octflow unlock /data/I46/config.yaml
      octflow unlock --force /data/I46/config.yaml
    """  # noqa: D301 - \b keeps click from joining the lines
    found = unlock(session_of(config).project, force=force)
    click.echo("\n".join(_line(lock) for lock in found))
    if any(lock.is_refused for lock in found if lock.advice != "ends with it"):
        sys.exit(1)


def _line(lock: Found) -> str:
    if lock.state == "free":
        return f"{lock.name}: free"
    words = {"alive": "held by", "left": "left by", "unknown": "held, as far as is known, by"}
    ends = "taken away" if lock.removed else lock.advice
    return f"{lock.name}: {words[lock.state]} {lock.holder}: {ends}"
