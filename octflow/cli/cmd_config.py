"""`octflow config`: what can be configured, and whether a file does it right."""

from pathlib import Path

import click

from octflow.services.project import read_values
from octflow.workflow.config import default_yaml, read_config, write_generated


@click.command("config")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option(
    "--write",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write config.default.yaml and schema.json into FOLDER.",
)
def command(file: Path | None, write: Path | None) -> None:
    """Print every key with its default, or check the configuration FILE.

    \b
    Examples:
      octflow config                      every key, its default
      octflow config config/config.yaml   check a file
      octflow config --write config       regenerate the generated files
    """  # noqa: D301 - \b keeps click from joining the lines
    if write:
        changed = write_generated(write)
        click.echo("\n".join(f"wrote {path}" for path in changed) or "nothing changed")
    elif file:
        config = read_config(read_values(file))
        click.echo(f"{file}: good")
        if (residual_nm := config.instrument.calibration_residual_nm) is not None:
            table = config.instrument.calibration_file
            click.echo(f"{table}: straight within {residual_nm:.4f} nm")
    else:
        click.echo(default_yaml(), nl=False)
