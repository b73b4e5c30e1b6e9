"""`octflow uploads`: what was sent to the archive, and what would be."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from octflow.services.project import session_of
from octflow.services.uploads import peek_uploads
from octflow.services.uploads_text import lines_of


@click.command("uploads")
@click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--files", is_flag=True, help="Name every file that would be sent, and where to.")
@click.option("--json", "as_json", is_flag=True, help="Everything, with all files, as JSON.")
def command(config: Path | None, *, files: bool, as_json: bool) -> None:
    """Say what of the project of CONFIG was sent to the archive, and what would be, with sizes.

    CONFIG is what `snakemake --configfile` is given. Nothing is sent, nothing changed, and the
    archive is not asked: `octflow verify PROJECT --uploads` does that.

    \b
    Examples:
      octflow uploads /data/I46/config.yaml
      octflow uploads /data/I46/config.yaml --files
      octflow uploads /data/I46/config.yaml --json | jq '.[] | select(.state == "to send")'
    """  # noqa: D301 - \b keeps click from joining the lines
    uploads = list(peek_uploads(session_of(config)))
    if as_json:
        click.echo(json.dumps([asdict(one) | {"bytes": one.bytes} for one in uploads]))
    else:
        click.echo("\n".join(lines_of(uploads, files=files)))
