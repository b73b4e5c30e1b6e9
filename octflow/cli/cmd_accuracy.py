"""`octflow accuracy`: how near the truth a reconstruction came."""

import sys
from pathlib import Path

import click

from octflow.simulate.accuracy import accuracy_table


@click.command("accuracy")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Print the errors of FOLDER/project against FOLDER/truth; exit 1 where a bound is missed.

    \b
    Example:
      octflow accuracy phantom
    """  # noqa: D301 - \b keeps click from joining the lines
    rows = accuracy_table(folder / "project", folder / "truth")
    name_length = max(len(row.name) for row in rows)
    click.echo(f"{'quantity':{name_length}}  {'found':>8}  {'bound':>8}  {'unit':8}  limited by")
    for row in rows:
        limit = row.limit if row.passed else f"MISSED; {row.limit}"
        click.echo(
            f"{row.name:{name_length}}  {row.value:8.3g}  {row.bound:8.3g}  {row.unit:8}  {limit}"
        )
    if not all(row.passed for row in rows):
        sys.exit(1)
