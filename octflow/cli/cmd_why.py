"""`octflow why`: which job made a product, from what, when and where."""

from pathlib import Path

import click

from octflow.services.why import origin_of
from octflow.services.why_text import lines_of


@click.command("why")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--parameters", is_flag=True, help="The parameters of the job whole, not cut.")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    metavar="JOBS",
    help="How many jobs back; all, if not given.",
)
def command(path: Path, depth: int | None, *, parameters: bool) -> None:
    """Say how PATH was made: by which job and code, from which inputs, and theirs in turn.

    PATH is a product, a file in an OME-Zarr folder, a flag, or an attempt under lineage/. The
    product may be gone: only its record is needed. Of the product of a single tile, only the
    files of that tile are named.

    \b
    Examples:
      octflow why /data/I46/project/mosaic-001/stitched/mosaic_001_aip.nii
      octflow why /data/I46/project/state/project.stacked --depth 1
    """  # noqa: D301 - \b keeps click from joining the lines
    for line in lines_of(origin_of(path), parameters=parameters, depth=depth):
        click.echo(line)
