"""The command `octflow`."""

import importlib
import sys
from typing import Any

import click

from octflow.core.errors import OctflowError

COMMANDS = {
    "acquisition": "Fill the acquisition folder with links to the raw tiles of a dandiset.",
    "accuracy": "Compare the results of a simulated project with its truth.",
    "calibrate": "Estimate the dispersion from raw tiles, and check the wavelength maps.",
    "config": "Print or check the configuration; write the generated files.",
    "dandiset": "Fill a folder with links to the products of a project, by names of BIDS.",
    "declare-missing": "Declare tiles that will never come, so that their mosaic goes on.",
    "events": "Tell commands, webhooks and Slack what happened in a project.",
    "mark": "Put a part of the sample on hold, release it, or leave a note.",
    "pages": "Write the progress of a project as HTML pages.",
    "replay": "Have a part of a project made anew from a stage on, with all that follows.",
    "setup": "Let `snakemake --profile zircon` find the profiles of this repository.",
    "simulate": "Simulate an acquisition: raw tiles with known truth.",
    "status": "Say how far a project is, what failed and what waits.",
    "unlock": "Take away the locks that killed processes left; say who holds the others.",
    "uploads": "Say what was sent to the archive, and what would be, with sizes.",
    "verify": "Check archived copies and products against their records.",
    "why": "Say how a product was made, from what, when and where.",
    "watch": "Run the workflow while tiles come in, as a service.",
}
"""Commands and their first line; each lives in its own file and is imported when called."""


class _Lazy(click.Group):
    """A group that imports a command only when it is called: `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"octflow.cli.cmd_{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.command(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Reconstruction itself is a Snakemake workflow: `snakemake --profile zircon`.",
)
@click.version_option(package_name="octflow")
def group() -> None:
    """Reconstruct brains from polarisation-sensitive OCT while the microscope is running."""


def main(arguments: list[str] | None = None) -> Any:  # noqa: ANN401 - whatever click returns
    """Run a command; what octflow or the system found wrong is one line, not a traceback."""
    try:
        return group(arguments)
    except OctflowError as error:
        click.echo(f"octflow: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        click.echo(f"octflow: {error.filename}: found {(error.strerror or '').lower()}", err=True)
        sys.exit(1)
