"""`octflow simulate`: an acquisition whose truth is known."""

from pathlib import Path
from typing import get_args

import click
import yaml

from octflow.core.backend import BACKEND_STAGES, BackendName
from octflow.io.atomic import replacing
from octflow.simulate.acquisition import exposures, scan
from octflow.simulate.presets import preset
from octflow.simulate.settings import Simulation

_SCAN = ("grid_size_x", "tile_size_x_px", "tile_size_y_px", "overlap_fraction")
"""What illuminations whose A-lines are interleaved have in common."""


@click.command("simulate")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--preset",
    "size",
    type=click.Choice(["tiny", "demo", "full-tile"]),
    default="demo",
    show_default=True,
    help="tiny: seconds; demo: 2 slices; full-tile: one tile of the real size, 1 GB.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Another sample, speckle and noise.")
@click.option("--slices", type=click.IntRange(min=1), help="Another number of slices.")
@click.option(
    "--format",
    "raw_kind",
    type=click.Choice(["spectral", "spectral_12bit", "complex"]),
    help="Format of the raw tiles.",
)
@click.option(
    "--names",
    type=click.Choice(["counter", "stage", "cropped"]),
    help="counter: a running number; stage: older spectral names with stage positions; "
    "cropped: complex tiles named ..._processed_cropped.",
)
@click.option(
    "--stage-drift",
    "drift",
    type=click.FloatRange(min=0),
    metavar="PX",
    help="Standard deviation of what differs in a tile's position from slice to slice.",
)
@click.option("--third-illumination", is_flag=True, help="Add an illumination tilted by +15 deg.")
@click.option(
    "--interleaved",
    is_flag=True,
    help="One file for all illuminations of a slice, A-line by A-line; they get the grid and the "
    "tiles of the first.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0),
    default=0,
    metavar="SECONDS",
    help="Drop one tile every SECONDS, as an acquisition does.",
)
@click.option("--grow", is_flag=True, help="Let files grow slowly instead of renaming them.")
@click.option(
    "--backend",
    type=click.Choice(get_args(BackendName)),
    default="python",
    show_default=True,
    help="Who reconstructs it, by its config.yaml: see matlab/README.md.",
)
def command(
    folder: Path,
    size: str,
    pace: float,
    *,
    grow: bool,
    third_illumination: bool,
    interleaved: bool,
    backend: BackendName,
    **changes: float | str | None,
) -> None:
    """Simulate a PS-OCT acquisition into FOLDER.

    Writes FOLDER/raw (what the microscope would write), FOLDER/truth (what a perfect
    reconstruction would find), FOLDER/dispersion.dat, and FOLDER/config.yaml, with which
    Snakemake reconstructs it. An interrupted simulation goes on where it stopped.

    \b
    Examples:
      octflow simulate phantom
      octflow simulate /tmp/brain --preset tiny --seed 3
      octflow simulate /tmp/live --pace 10 --grow
      octflow simulate /tmp/again --backend octave
      snakemake --cores 2 --configfile /tmp/brain/config.yaml
    """  # noqa: D301 - \b keeps click from joining the lines
    simulation = _simulation(
        size, third_illumination=third_illumination, interleaved=interleaved, changes=changes
    )
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "config.yaml") as part:
        part.write_text(yaml.safe_dump(config_of(simulation, folder, backend), sort_keys=False))
    length = len(exposures(simulation))
    tiles = scan(simulation, folder, pace_s=pace, grow=grow)
    with click.progressbar(tiles, length=length, label="scanning", show_pos=True) as bar:
        for _ in bar:
            pass
    click.echo(f"{length} raw tiles in {folder / 'raw'}, their truth in {folder / 'truth'}")


def _simulation(
    size: str,
    *,
    third_illumination: bool,
    interleaved: bool,
    changes: dict[str, float | str | None],
) -> Simulation:
    keys = {"seed": "seed", "slices": "n_slices", "raw_kind": "raw_kind", "names": "name_style"}
    keys["drift"] = "stage_drift_px"
    plain = preset(size).plain()
    plain |= {keys[name]: value for name, value in changes.items() if value is not None}
    if third_illumination:
        rows = plain["experiment"]["illuminations"]
        rows.append({**rows[-1], "name": "tiltPos", "tilt_deg": 15.0})
    if interleaved:
        rows = plain["experiment"]["illuminations"]
        alike = {key: rows[0][key] for key in _SCAN}
        plain["experiment"]["illuminations"] = [{**row, **alike} for row in rows]
        plain["interleaved"] = True
    return Simulation.model_validate(plain)


def config_of(
    simulation: Simulation, folder: Path, backend: BackendName = "python"
) -> dict[str, dict[str, object]]:
    """Return the configuration with which the simulated acquisition is reconstructed."""
    base = folder.absolute()
    config: dict[str, dict[str, object]] = {
        "project": {
            "name": base.name,
            "subject": "phantom",
            "folder": str(base / "project"),
            "slice_thickness_um": simulation.slice_thickness_um,
        },
        "acquisition": {
            "folder": str(base / "raw"),
            "format": simulation.raw_kind,
            "interleaved": simulation.interleaved,
        },
        "experiment": simulation.experiment.plain(),
        "instrument": {
            **simulation.instrument.plain(),
            "dispersion_file": str(base / "dispersion.dat"),
        },
        # Simulated tiles appear by rename, and the simulated scanner has no fly-back.
        "ingest": {"stable_seconds": 0},
        "volume": {"skip_x_px": 0},
        # The simulated beam of a tilted view is foreshortened, not sheared with depth.
        "register": {"in_depth": {"shear": False}},
        # Below the deepest part of the surface, whose relief is some 50 samples.
        "stack": {"top_px": 80},
    }
    for stage in BACKEND_STAGES if backend != "python" else ():
        # Of complex tiles nothing is converted.
        if (stage, simulation.raw_kind) != ("convert", "complex"):
            config.setdefault(stage, {})["backend"] = backend
    return config
