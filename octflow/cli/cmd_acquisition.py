"""`octflow acquisition`: raw tiles of a dandiset as an acquisition folder."""

import sys
from pathlib import Path

import click

from octflow.services.project import session_of
from octflow.services.raw_links import link_acquisition


@click.command("acquisition")
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("dandiset", type=click.Path(exists=True, file_okay=False, path_type=Path))
def command(config: Path, dandiset: Path) -> None:
    """Fill the acquisition folder of CONFIG with links to the raw tiles of folder DANDISET.

    The way back from `octflow dandiset`: the project of CONFIG can then be made from what was
    downloaded, or cloned. CONFIG says how raw tiles are named there (`upload.raw_name`), and how
    they are arranged (`experiment`). Nothing is copied; compressed spectra are read as they are.
    Exit status 1 if there are files that got no link: each is named, with what was expected.

    \b
    Examples:
      dandi download DANDI:000052 && octflow acquisition /data/again/config.yaml 000052
      snakemake --profile zircon --configfile /data/again/config.yaml
    """  # noqa: D301 - \b keeps click from joining the lines
    session = session_of(config)
    linked = link_acquisition(session, dandiset)
    for line in linked.refused:
        click.echo(line)
    folder = session.pipeline / session.config.acquisition.folder
    click.echo(f"{folder}: {linked.made} links made, {linked.kept} kept")
    if linked.refused:
        click.echo(f"{len(linked.refused)} files were refused", err=True)
        sys.exit(1)
