"""`octflow pages`: progress of a project as HTML pages."""

import math
import time
from pathlib import Path

import click

from octflow.core.errors import OctflowError
from octflow.services.pages import write_pages
from octflow.services.project import session_of


@click.command("pages")
@click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--open", "opens", is_flag=True, help="Open the page of the project in a browser.")
@click.option("--every", type=click.FloatRange(min=1), metavar="SECONDS", help="Again and again.")
def command(config: Path | None, every: float | None, *, opens: bool) -> None:
    """Write the progress of the project of CONFIG as HTML pages, into its folder pages.

    One page for the project, one for each slice and mosaic: how far it is, what failed and why,
    quality, pictures. They need no server: open pages/index.html from the disk. CONFIG is what
    `snakemake --configfile` is given. The first writing for a large project takes minutes.

    \b
    Examples:
      octflow pages /data/I46/config.yaml --open
      octflow pages /data/I46/config.yaml --every 60
    """  # noqa: D301 - \b keeps click from joining the lines
    if every is None:
        index = write_pages(session_of(config), seconds=math.inf)
        _tell(index, opens=opens)
        return
    _write_again_and_again(config, every, opens=opens)


def _write_again_and_again(config: Path | None, every: float, *, opens: bool) -> None:
    """Go on for ever: a mount that hiccups, or a file half edited, costs one look."""
    told = False
    while True:
        begun_s = time.monotonic()
        try:
            index = write_pages(session_of(config), every_s=every)
        except (OSError, OctflowError) as error:
            click.echo(f"octflow: {error}; tried again", err=True)
        else:
            if not told:
                _tell(index, opens=opens)
            told = True
        time.sleep(max(0, every - (time.monotonic() - begun_s)))


def _tell(index: Path, *, opens: bool) -> None:
    click.echo(index)
    if opens:
        click.launch(str(index))
