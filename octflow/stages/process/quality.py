"""How good a tile is, and what it is held against."""

import math
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.record import Gate
from octflow.stages.process.products import Maps
from octflow.stages.process.surface import Surface, profiles_around

DEEP_PX = 100
"""Deepest samples, which show the noise."""
MIN_FOUND_FRACTION = 0.1
"""Believable surfaces from which their edge is measured: noise alone has some."""

_SAID = {
    "nan_fraction": ("{:.3%} of the samples not finite", "{:.3%}"),
    "noise_floor_db": ("a noise floor of {:.1f} dB", "{:g} dB"),
    "saturated_fraction": ("{:.3%} of the samples saturated", "{:.3%}"),
    "snr_db": ("a median SNR of {:.1f} dB", "{:g} dB"),
    "surface_edge_px": ("a surface edge of {:.1f} px", "{:g} px"),
    "surface_found_fraction": ("a surface in {:.1%} of the A-lines", "{:.1%}"),
}
"""How a number and its bound are said."""
_LOW_IS_BAD = {"snr_db", "surface_found_fraction"}
_AROUND_PX, _OUTSIDE_PX = 20, 5
_LOW, _HIGH = 0.1, 0.9


def clear_nonfinite(jones: NDArray[np.complex64]) -> int:
    """Set samples that are not finite to 0, in place, and return how many there were.

    Parameters
    ----------
    jones : (2, Z, Y, X) complex64 array
        J1 and J2, changed; A-lines of a B-line lie side by side.

    Examples
    --------
    >>> jones = np.array([1, np.nan, 1j, np.inf], np.complex64).reshape(2, 1, 1, 2)
    >>> clear_nonfinite(jones), jones.ravel().tolist()
    (2, [(1+0j), 0j, 1j, 0j])
    """
    return int(_cleared(jones.view(np.float32)))


@njit(nogil=True, cache=True)
def _cleared(parts: NDArray[np.float32]) -> int:
    count = 0
    n_x = parts.shape[3]
    for channel in range(parts.shape[0]):
        for z in range(parts.shape[1]):
            for y in range(parts.shape[2]):
                line = parts[channel, z, y]
                if math.isfinite(_zero_or_nan(line)):
                    continue
                for x in range(0, n_x, 2):
                    if not (math.isfinite(line[x]) and math.isfinite(line[x + 1])):
                        line[x] = line[x + 1] = 0
                        count += 1
    return count


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _zero_or_nan(line: NDArray[np.float32]) -> np.float32:
    """Sum 0 times everything: any order will do, so that the loop is vectorised."""
    total = np.float32(0)
    for x in range(line.size):
        total += line[x] * np.float32(0)
    return total


def noise_floor_db(intensity_db: NDArray[np.float32]) -> float:
    """Return the median of the deepest 100 samples of a volume (Z, Y, X).

    Examples
    --------
    >>> noise_floor_db(np.arange(300, dtype=np.float32)[:, None, None])
    249.5
    """
    return float(np.median(intensity_db[-DEEP_PX:]))


def mean_noise(intensity_db: NDArray[np.float32]) -> float:
    """Return the mean linear intensity of the deepest 100 samples of a volume (Z, Y, X)."""
    return float(np.mean(10 ** (0.1 * intensity_db[-DEEP_PX:]), dtype=float))


def judge_tile(
    maps: Maps,
    surface: Surface,
    intensity_db: NDArray[np.float32],
    *,
    noise_db: float,
    min_step_db: float,
) -> dict[str, float]:
    """Measure how good a tile is.

    Parameters
    ----------
    maps : dict of str to (Y, X) float32 array
        surf, surfraw and mip.
    surface : Surface
        Unfiltered.
    intensity_db : (Z, Y, X) float32 array
        Intensity.
    noise_db : float
        Noise floor.
    min_step_db : float
        Rise that makes a surface believable.

    Returns
    -------
    qc : dict of str to float
        noise_floor_db; snr_db, the median peak of the window above the noise floor;
        surface_roughness_px, the mean distance of surface and median-filtered surface;
        surface_found_fraction, where the surface was found and not given; surface_edge_px, the
        depth of the rise at the surface, where at least a tenth was found.
    """
    qc = {
        "noise_floor_db": noise_db,
        "snr_db": float(np.median(maps["mip"])) - noise_db,
        "surface_roughness_px": float(np.abs(maps["surfraw"] - maps["surf"]).mean(dtype=float)),
    }
    if np.isfinite(surface.step_db).all():
        found = surface.step_db >= min_step_db
        qc["surface_found_fraction"] = float(np.mean(found))
        if np.mean(found) >= MIN_FOUND_FRACTION:
            qc["surface_edge_px"] = edge_px(intensity_db, maps["surf"], found)
    return qc


def edge_px(
    intensity_db: NDArray[np.float32], surface_px: NDArray[np.float32], found: NDArray[np.bool_]
) -> float:
    """Measure the depth over which the mean intensity rises from 10 to 90 % at the surface.

    Dispersion that is left blurs single reflectors but not the statistics of speckle, so that only
    an edge shows it. The profiles of the A-lines are averaged, each counted from its own surface.

    Parameters
    ----------
    intensity_db : (Z, Y, X) float32 array
        Intensity.
    surface_px : (Y, X) float32 array
        Surface.
    found : (Y, X) bool array
        A-lines that count; at least one.

    Returns
    -------
    width_px : float
        In samples; 0.8 for a step.
    """
    around = profiles_around(intensity_db, surface_px, above_px=_AROUND_PX, below_px=_AROUND_PX)
    mean = around[:, found].mean(axis=1, dtype=float)
    noise = mean[:_OUTSIDE_PX].mean()
    rise = (mean - noise) / max(mean.max() - noise, 1e-30)
    return _first_reaching(rise, _HIGH) - _first_reaching(rise, _LOW)


def _first_reaching(rise: NDArray[np.float64], level: float) -> float:
    """Interpolate the first sample that reaches a level; the maximum is 1."""
    after = int(np.argmax(rise >= level))
    if after == 0:
        return 0.0
    below, above = rise[after - 1], rise[after]
    return float(after - 1 + (level - below) / (above - below))


def said(gate: Gate) -> tuple[str, str]:
    """Say what was found and what was expected.

    Examples
    --------
    >>> said(Gate(name="snr_db", verdict="fail", value=2.5, bound=3))
    ('a median SNR of 2.5 dB', 'at least 3 dB')
    """
    number, limit = _SAID[gate.name]
    side = "at least" if gate.name in _LOW_IS_BAD else "at most"
    return number.format(gate.value), f"{side} {limit.format(gate.bound)}"


def refuse(path: Path, gates: list[Gate]) -> None:
    """Stop at the first gate that says fail.

    Raises
    ------
    DataError
        Names the tile, the number and its bound.
    """
    for gate in gates:
        if gate.verdict == "fail":
            found, expected = said(gate)
            raise DataError(path, found=found, expected=expected)
