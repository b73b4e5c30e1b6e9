"""`octflow status`: how far a project is, what failed, what waits."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from octflow.services.project import session_of
from octflow.services.state import peek_project
from octflow.services.state_text import lines_of


@click.command("status")
@click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--json", "as_json", is_flag=True, help="Everything, down to batches, as JSON.")
@click.option("--watch", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Again and again.")
@click.option("--stale", is_flag=True, help="What would be made otherwise now: opens all flags.")
@click.option("--tiles", is_flag=True, help="Failed tiles of finished batches too: opens flags.")
def command(
    config: Path | None, watch: float | None, *, as_json: bool, tiles: bool, stale: bool
) -> None:
    """Say how far the project of CONFIG is, of all that is expected.

    CONFIG is what `snakemake --configfile` is given. Nothing is changed and nothing locked.
    With --stale: instead, what was made with other parameters, stage versions or inputs than now.

    \b
    Examples:
      octflow status /data/I46/config.yaml
      octflow status /data/I46/config.yaml --watch 30
      octflow status /data/I46/config.yaml --json | jq .pace
      octflow status /data/I46/config.yaml --stale
    """  # noqa: D301 - \b keeps click from joining the lines
    while True:
        lines = _stale(config, as_json) if stale else _lines(config, as_json=as_json, tiles=tiles)
        text = "\n".join(lines)
        if watch is not None and not as_json:
            click.clear()
        click.echo(text)
        if watch is None:
            return
        time.sleep(watch)


def _lines(config: Path | None, *, as_json: bool, tiles: bool) -> Iterator[str]:
    """Look anew: a session remembers what was there."""
    session = session_of(config)
    state = peek_project(session, tiles=tiles)
    if as_json:
        yield json.dumps(asdict(state))
    else:
        yield from lines_of(state)


def _stale(config: Path | None, as_json: bool) -> Iterator[str]:
    from octflow.services import stale, stale_text  # Loads Snakemake, which takes a while.
    from octflow.workflow.params import Rules

    found = stale.staleness_of(session_of(config), Rules(config))
    if as_json:
        yield json.dumps(asdict(found))
    else:
        yield from stale_text.lines_of(found)
