"""Simulations of named sizes."""

from octflow.core.errors import SettingsError
from octflow.core.experiment import Experiment, Illumination
from octflow.simulate.settings import Simulation


def preset(name: str) -> Simulation:
    """Return a simulation by the name of its size.

    Parameters
    ----------
    name : {"tiny", "demo", "full-tile"}
        tiny takes seconds, demo has enough overlap for sub-pixel registration, full-tile is one
        tile of the real size.

    Raises
    ------
    SettingsError
        Unknown name.

    Examples
    --------
    >>> preset("demo").experiment.grid_size_y
    3
    """
    makers = {"tiny": _tiny, "demo": _demo, "full-tile": _full_tile}
    if name not in makers:
        raise SettingsError(f"preset: found {name!r}, expected one of {sorted(makers)}")
    return makers[name]()


def _tiny() -> Simulation:
    return Simulation(
        agar_margin_px=4,
        jitter_px=0.8,
        experiment=Experiment(
            grid_size_y=2,
            illuminations=tuple(
                # Tissue leaks into the mean over so few A-lines, and with it into the agar.
                row.model_copy(update={"mask_threshold_db": 65.0})
                for row in (_normal(2, 32, 0.4), _tilted(2, (28, 32), 0.4))
            ),
        ),
        view_shift_px=(1.5, -1.0),
    )


def _demo() -> Simulation:
    return Simulation(
        experiment=Experiment(
            grid_size_y=3, illuminations=(_normal(4, 64, 0.28), _tilted(5, (48, 64), 0.28))
        )
    )


def _full_tile() -> Simulation:
    return Simulation(
        n_slices=1, experiment=Experiment(grid_size_y=1, illuminations=(_normal(1, 350, 0.2),))
    )


def _normal(grid_size_x: int, tile_size_px: int, overlap_fraction: float) -> Illumination:
    return Illumination(
        name="normal",
        grid_size_x=grid_size_x,
        tile_size_x_px=tile_size_px,
        tile_size_y_px=tile_size_px,
        overlap_fraction=overlap_fraction,
    )


def _tilted(
    grid_size_x: int, tile_size_px: tuple[int, int], overlap_fraction: float
) -> Illumination:
    return Illumination(
        name="tilted",
        tilt_deg=-15,
        grid_size_x=grid_size_x,
        tile_size_x_px=tile_size_px[0],
        tile_size_y_px=tile_size_px[1],
        overlap_fraction=overlap_fraction,
        mask_threshold_db=55,
    )
