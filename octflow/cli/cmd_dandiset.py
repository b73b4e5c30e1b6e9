"""`octflow dandiset`: a folder of links by names of BIDS."""

from pathlib import Path

import click

from octflow.services.dandiset import link_dandiset
from octflow.services.project import session_of


@click.command("dandiset")
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(config: Path, folder: Path) -> None:
    """Fill FOLDER with links to the products of the project of CONFIG, by names of BIDS.

    CONFIG is what `snakemake --configfile` is given. Nothing is copied; what else is in FOLDER,
    such as the dandiset.yaml of `dandi download`, is left alone. Again, it adds what has been made
    since. No archive needs to be named in CONFIG.

    \b
    Examples:
      octflow dandiset /data/I46/config.yaml /data/000052
      dandi validate /data/000052
    """  # noqa: D301 - \b keeps click from joining the lines
    linked = link_dandiset(session_of(config), folder)
    click.echo(f"{folder}: {linked.made} links made, {linked.kept} kept")
