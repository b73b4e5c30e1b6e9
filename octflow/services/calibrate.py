"""Calibrate a spectrometer from raw tiles: dispersion phase, and a check of the wavelength maps."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from octflow.core.dispersion import (
    DepthShift,
    Dispersion,
    camera_shifts,
    depth_profiles,
    equidistant_fringes,
    estimate_dispersion,
)
from octflow.core.errors import DataError
from octflow.core.experiment import Experiment
from octflow.core.instrument import N_SPECTRAL, Instrument
from octflow.core.names import RawKind, RawName, parse_raw_name
from octflow.core.spectra.wavenumber import (
    WavelengthMap,
    common_wavenumbers,
    resampling,
    reversed_resampling,
)
from octflow.io.atomic import replacing
from octflow.io.picture import write_figure
from octflow.io.raw import read_tile
from octflow.workflow.config import PIPELINE
from octflow.workflow.instrument import preset_yaml

MOST_SHIFT_PX = 0.25
"""Depth samples by which the cameras may differ before their wavelength maps are doubted."""
_MOST_LINES = 4096


@dataclass(frozen=True)
class Calibration:
    """What was estimated, of one dispersion for both cameras or of one for each."""

    estimates: tuple[Dispersion, ...]
    shifts: list[DepthShift]
    fringes: NDArray[np.float32]
    """(2, A, K), at equidistant wavenumbers."""

    @property
    def phases_rad(self) -> NDArray[np.float64]:
        """Phases (K,) or (2 * K,), as the dispersion file holds them."""
        return np.concatenate([e.phase_rad(N_SPECTRAL) for e in self.estimates])

    @property
    def maps_agree(self) -> bool | None:
        """Whether the cameras see the same depths; None where it cannot be told."""
        if not self.shifts:
            return None
        return max(abs(s.shift_px) for s in self.shifts) <= MOST_SHIFT_PX

    def words(self) -> Iterator[str]:
        """Say what was found, line by line."""
        names = ("camera 1", "camera 2") if len(self.estimates) == 2 else ("both cameras",)
        for name, e in zip(names, self.estimates, strict=True):
            gain = e.sharpness_after / e.sharpness_before - 1
            yield (
                f"{name}: dispersion {e.quadratic_rad:.1f} rad quadratic, {e.cubic_rad:.1f} rad "
                f"cubic; depth profiles are {100 * gain:.1f} % sharper"
            )
        for s in self.shifts:
            yield f"at depth {s.depth_px:.0f} camera 2 lies {s.shift_px:+.2f} samples deeper"
        yield {
            True: f"wavelength maps: agree, no shift beyond {MOST_SHIFT_PX} samples",
            False: f"wavelength maps: DISAGREE, shifts beyond {MOST_SHIFT_PX} samples; where they "
            "grow with depth, the map of one camera is wrong",
            None: "wavelength maps: cannot be judged, the cameras show no common structure",
        }[self.maps_agree]


def calibrate(
    paths: Sequence[Path],
    *,
    instrument: Instrument,
    experiment: Experiment,
    each: bool = False,
) -> Calibration:
    """Estimate the dispersion from raw tiles, with the wavelength maps of the instrument.

    Parameters
    ----------
    paths : sequence of Path
        Raw spectra of tissue with a visible surface, or of strong reflections.
    instrument : Instrument
        Gives the wavelength maps.
    experiment : Experiment
        Gives the size of the tiles.
    each : bool
        Estimate each camera by itself.

    Raises
    ------
    DataError
        A file is not a spectral tile of the size it must have.
    EstimateError
        The tiles do not determine the dispersion.
    """
    first, second = (WavelengthMap(c.slope_nm, c.offset_nm) for c in instrument.cameras)
    wavenumber = common_wavenumbers(first, second, N_SPECTRAL)
    tables = (resampling(first, wavenumber), reversed_resampling(resampling(second, wavenumber)))
    tiles = [_read_lines(path, experiment, _MOST_LINES // len(paths)) for path in paths]
    fringes = np.concatenate(
        [
            np.stack([equidistant_fringes(t[c], table) for c, table in enumerate(tables)])
            for t in tiles
        ],
        axis=1,
    )
    parts = [fringes[:1], fringes[1:]] if each else [fringes]
    estimates = tuple(estimate_dispersion(part) for part in parts)
    corrected = [
        depth_profiles(fringes[c : c + 1], estimates[c if each else 0].phase_rad(N_SPECTRAL))
        for c in range(2)
    ]
    return Calibration(estimates, camera_shifts(corrected[0], corrected[1]), fringes)


def write_calibration(
    calibration: Calibration, folder: Path, instrument: Instrument
) -> tuple[Path, Path, Path]:
    """Write dispersion.dat, dispersion.png and instrument.yaml; return their paths.

    The last is a preset: the instrument it was found with, and the new dispersion.

    Raises
    ------
    DataError
        There is a dispersion.dat: replacing one that is in use would make a whole brain anew.
    """
    phases, picture = folder / "dispersion.dat", folder / "dispersion.png"
    if phases.exists():
        raise DataError(phases, found="a file", expected="none; choose another folder by --out")
    with replacing(phases) as part:
        part.write_bytes(calibration.phases_rad.astype("<f8").tobytes())
    write_figure(picture, _figure(calibration))
    preset, table = folder / "instrument.yaml", instrument.calibration_file
    seen = os.path.relpath(PIPELINE / table, folder) if table else None
    text = preset_yaml(instrument, dispersion_file=phases.name, calibration_file=seen)
    with replacing(preset) as part:
        part.write_text(text)
    return phases, picture, preset


def _read_lines(path: Path, experiment: Experiment, most: int) -> NDArray[np.uint16]:
    """Read some B-lines, evenly spaced, as (2, A, K)."""
    name = _spectral_name(path)
    row = experiment.illumination_of(name.mosaic)
    n_x, n_y = row.n_lanes * row.tile_size_x_px, row.tile_size_y_px
    kind: RawKind = name.kind
    spectra = read_tile(path, kind, n_x, n_y)[:, :, :: row.n_lanes]
    lines = spectra[:: max(1, n_y * n_x // most)]
    if (lines == lines[:, :, :1]).all():
        raise DataError(path, found="the same spectrum everywhere", expected="fringes")
    return lines.transpose(1, 0, 2, 3).reshape(2, -1, N_SPECTRAL)


def _spectral_name(path: Path) -> RawName:
    name = parse_raw_name(path.name)
    if name is None or name.kind not in {"spectral", "spectral_12bit"}:
        raise DataError(path, found=f"the name {path.name}", expected="a tile of raw spectra")
    return name


def _figure(calibration: Calibration) -> Figure:
    figure = Figure(figsize=(12, 4), layout="constrained")
    profile, sharp, phase = figure.subplots(1, 3)
    _draw_profiles(profile, calibration)
    _draw_sharpness(sharp, calibration)
    for e, name in zip(calibration.estimates, ("first", "second"), strict=False):
        phase.plot(e.phase_rad(N_SPECTRAL), label=name)
    phase.set(title="Dispersion phase", xlabel="wavenumber index", ylabel="rad")
    return figure


def _draw_profiles(axis: Axes, calibration: Calibration) -> None:
    """Draw the A-line of the brightest peak with and without correction."""
    after_rad = calibration.estimates[-1].phase_rad(N_SPECTRAL)
    camera = calibration.fringes[1:]
    line = int(depth_profiles(camera, after_rad).max(axis=-1).argmax())
    for phase_rad, label in ((np.zeros(N_SPECTRAL), "before"), (after_rad, "after")):
        intensity = depth_profiles(camera[:, line : line + 1], phase_rad)[0]
        axis.plot(10 * np.log10(np.maximum(intensity, 1e-7)), label=label, linewidth=0.8)
    axis.set(title="Brightest A-line of camera 2", xlabel="depth index", ylabel="dB")
    axis.legend()


def _draw_sharpness(axis: Axes, calibration: Calibration) -> None:
    labels = ["camera 1", "camera 2"] if len(calibration.estimates) == 2 else ["both cameras"]
    at = np.arange(len(labels))
    before = [e.sharpness_before for e in calibration.estimates]
    after = [e.sharpness_after for e in calibration.estimates]
    axis.bar(at - 0.2, before, 0.4, label="before")
    axis.bar(at + 0.2, after, 0.4, label="after")
    axis.set_xticks(at, labels)
    axis.set(title="Sharpness of depth profiles", ylim=(0.9 * min(before), 1.02 * max(after)))
    axis.legend()
