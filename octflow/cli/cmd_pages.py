"""`octflow pages`: progress of a project as HTML pages."""

import math
import time
from pathlib import Path

import click

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
    `snakemake --configfile` is given.

    \b
    Examples:
      octflow pages /data/I46/config.yaml --open
      octflow pages /data/I46/config.yaml --every 60
    """  # noqa: D301 - \b keeps click from joining the lines
    while True:
        begun_s = time.monotonic()
        index = write_pages(session_of(config), every_s=every or 60, seconds=math.inf)
        if opens or every is None:
            click.echo(index)
        if opens:
            click.launch(str(index))
            opens = False
        if every is None:
            return
        time.sleep(max(0, every - (time.monotonic() - begun_s)))
