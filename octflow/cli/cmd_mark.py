"""`octflow mark`: what a person decides about a part of the sample."""

from collections.abc import Iterator
from pathlib import Path

import click

from octflow.cli.parts import part_of, part_options
from octflow.core.part import Part
from octflow.io.marks import Kind, holds_of, read_marks
from octflow.services.marks import mark
from octflow.services.project import session_of


@click.command("mark")
@click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@part_options
@click.option("--hold", metavar="WHY", help="The workflow leaves it alone until it is released.")
@click.option("--release", metavar="WHY", help="The workflow goes on with it.")
@click.option("--note", metavar="TEXT", help="For people; shown by status.")
def command(
    config: Path | None,
    slice_id: int | None,
    mosaic: int | None,
    batch: Part | None,
    **texts: str | None,
) -> None:
    """Put a slice, mosaic or batch of the project of CONFIG on hold, release it, or leave a note.

    What is on hold, and what contains it, is not asked for: a mosaic with such a batch is not
    stitched, a slice with such a mosaic is neither registered nor in the stack. What was made
    stays; a job that is running is not stopped. Without options, all that was decided so far is
    printed. A note without a part is about the project.

    \b
    Examples:
      octflow mark --slice 12 --hold "torn, ask Anna" /data/I46/config.yaml
      octflow mark --slice 12 --release "glued" /data/I46/config.yaml
      octflow mark --batch 3/2 --note "laser drifted" /data/I46/config.yaml
      octflow mark /data/I46/config.yaml
    """  # noqa: D301 - \b keeps click from joining the lines
    session = session_of(config)
    given = [(kind, text) for kind, text in texts.items() if text is not None]
    if not given and (slice_id, mosaic, batch) == (None, None, None):
        click.echo("\n".join(_lines(session.project)) or "nothing was decided yet")
        return
    if len(given) != 1:
        raise click.UsageError(f"found {len(given)} of --hold, --release, --note, expected one")
    kinds: dict[str, Kind] = {"hold": "hold", "release": "release", "note": "note"}
    kind, text = kinds[given[0][0]], given[0][1]
    of_project = kind == "note" and (slice_id, mosaic, batch) == (None, None, None)
    part = Part() if of_project else part_of(slice_id, mosaic, batch)
    mark(session, part, kind, text)
    click.echo(f"{part}: {kind}")


def _lines(project: Path) -> Iterator[str]:
    marks = read_marks(project)
    now_held = set(holds_of(marks).values())
    for one in marks:
        yield f"{'ON HOLD' if one in now_held else one.kind:<8} {one}"
