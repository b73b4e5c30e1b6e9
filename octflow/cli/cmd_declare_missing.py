"""`octflow declare-missing`: let a mosaic go on without tiles that will never come."""

from pathlib import Path

import click

from octflow.io.missing import declare_missing


@click.command("declare-missing")
@click.argument("tiles", type=click.IntRange(min=1), nargs=-1, required=True)
@click.option("--mosaic", type=click.IntRange(min=1), required=True, help="Mosaic of the tiles.")
@click.option("--reason", required=True, help="Why; kept in the records of all that follows.")
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    default="phantom/project",
    show_default=True,
    help="Project folder.",
)
def command(tiles: tuple[int, ...], mosaic: int, reason: str, project: Path) -> None:
    """Declare TILES of a mosaic missing; they become holes.

    A tile that comes all the same is used. FOLDER is `project.folder` of the configuration.

    \b
    Example:
      octflow declare-missing 17 18 --mosaic 3 --reason "laser off" --project /data/I46/project
    """  # noqa: D301 - \b keeps click from joining the lines
    declare_missing(project, mosaic, list(tiles), reason)
    click.echo(f"mosaic {mosaic}: tiles {list(tiles)} declared missing")
