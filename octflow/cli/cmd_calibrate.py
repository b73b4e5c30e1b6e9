"""`octflow calibrate`: the dispersion of a spectrometer, from raw tiles."""

import sys
from pathlib import Path

import click
import yaml

from octflow.services.calibrate import calibrate, write_calibration
from octflow.workflow.config import read_config

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("calibrate")
@click.option("--raw", type=_FILE, multiple=True, required=True, help="Raw tile; may be repeated.")
@click.option("--config", "config_file", type=_FILE, required=True, help="Configuration.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="calibration",
    show_default=True,
    help="Folder of dispersion.dat, dispersion.png and instrument.yaml.",
)
@click.option("--each", is_flag=True, help="One dispersion per camera: needs strong reflections.")
def command(raw: tuple[Path, ...], config_file: Path, out: Path, *, each: bool) -> None:
    """Estimate the dispersion from raw tiles; exit 1 where the wavelength maps disagree.

    The phase, quadratic and cubic in wavenumber, is the one that makes depth profiles
    sharpest. Tiles with a visible surface or strong reflections serve; one or two suffice.

    \b
    Example:
      octflow calibrate --raw raw/mosaic_001_image_0012_spectral_0012.nii --config config.yaml
    """  # noqa: D301 - \b keeps click from joining the lines
    config = read_config(yaml.safe_load(config_file.read_text()) or {})
    found = calibrate(raw, instrument=config.instrument, experiment=config.experiment, each=each)
    phases, picture, preset = write_calibration(found, out, config.instrument)
    for line in found.words():
        click.echo(line)
    click.echo(f"wrote {phases}, {picture} and {preset}")
    click.echo(f"to use it: instrument: {{preset: {preset.absolute()}}}")
    if found.maps_agree is False:
        sys.exit(1)
