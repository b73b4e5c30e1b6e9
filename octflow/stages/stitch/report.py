"""What records and pictures tell of coordinates and mosaics."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octflow.core.mosaic import Grid
from octflow.core.record import Gate
from octflow.io.picture import UNITS, Panel, panel_of, panel_step
from octflow.stages.stitch.blend import Blended
from octflow.stages.stitch.grid_maps import link_map, tile_map
from octflow.stages.stitch.seams import Seam, checkerboard, seam_difference, seam_rms
from octflow.stages.stitch.settings import StitchSettings
from octflow.stages.stitch.solve import Solution

Numbers = dict[str, float | int | str | None]

_WORST = 3
"""Seams that are named."""
_SUFFIXES = {"dB": "_db", "deg": "_deg", "px": "_px", "1/mm": "_per_mm"}


def link_numbers(solution: Solution, grid: Grid) -> Numbers:
    """Count the links by verdict and measure their residuals."""
    verdicts = [link.verdict for link in solution.links]
    trusted = [link for link in solution.links if link.verdict == "trusted"]
    over_tissue = len(verdicts) - verdicts.count("background")
    linked = {tile for link in trusted for tile in (link.first, link.second)}
    lengths = np.hypot(*solution.residuals_px.T)[[v == "trusted" for v in verdicts]]
    return {
        "tiles": len(grid),
        "tiles_without_trusted_link": len(set(grid) - linked),
        "links": len(verdicts),
        "links_background": verdicts.count("background"),
        "links_inconsistent": verdicts.count("inconsistent"),
        "trusted_links": len(trusted),
        "trusted_links_fraction": len(trusted) / over_tissue if over_tissue else None,
        "residual_rms_px": solution.residual_rms_px,
        "residual_max_px": float(lengths.max()) if trusted else None,
        "correlation_median": float(np.median([k.correlation for k in trusted] or [0.0])),
    }


def link_gates(numbers: Numbers, settings: StitchSettings) -> list[Gate]:
    """Hold residuals and trusted links against their bounds."""
    residual, fraction = numbers["residual_rms_px"], numbers["trusted_links_fraction"]
    return [
        _gate("residual_rms_px", residual, settings.max_residual_px, largest=True),
        _gate("trusted_links_fraction", fraction, settings.min_trusted_fraction, largest=False),
    ]


def enface_gates(numbers: Numbers, settings: StitchSettings) -> list[Gate]:
    """Hold coverage against its bound, and see that there is tissue."""
    coverage, tissue = numbers["coverage_fraction"], numbers["tissue_fraction"]
    return [
        _gate("coverage_fraction", coverage, settings.min_coverage_fraction, largest=False),
        _gate("tissue_fraction", tissue, settings.min_tissue_fraction, largest=False),
    ]


def gate_warnings(gates: list[Gate]) -> list[str]:
    """Say in words what did not pass."""
    return [f"{g.name}: found {g.value}, bound {g.bound}" for g in gates if g.verdict != "pass"]


def link_panels(solution: Solution, grid: Grid, aip: Blended) -> list[Panel]:
    """Show the mosaic, its seams, and the links as a grid."""
    trusted = [link for link in solution.links if link.verdict == "trusted"]
    kept = [link.verdict == "trusted" for link in solution.links]
    lengths = np.hypot(*solution.residuals_px[kept].T).tolist()
    confidences = [link.confidence for link in solution.links]
    x_px, y_px = _lattice_deviations(solution, grid)
    return [
        panel_of("aip", aip.whole),
        *overlap_panels(aip),
        Panel("residual of trusted links", link_map(grid, trusted, lengths), "px", None, "magma"),
        Panel("confidence of links", link_map(grid, solution.links, confidences), "sigma"),
        Panel("x less lattice", tile_map(grid, x_px), "px", None, "coolwarm"),
        Panel("y less lattice", tile_map(grid, y_px), "px", None, "coolwarm"),
    ]


def seam_panels(
    aip: Blended, mask: NDArray[np.uint8], reached: NDArray[np.uint8], grid: Grid, seams: list[Seam]
) -> list[Panel]:
    """Show the tissue, the tiles, and how well neighbours agree in intensity."""
    ratios = link_map(grid, seams, [seam.ratio for seam in seams])
    return [
        panel_of("mask", mask),
        panel_of("", reached, "tiles per pixel", window=(0, 4)),
        *overlap_panels(aip),
        Panel("aip, difference of neighbours / median", ratios, "", (0, 3), "magma"),
        *(_seam_panel(aip, seam) for seam in seams[:1]),
    ]


def overlap_panels(aip: Blended) -> list[Panel]:
    """Show how well neighbouring tiles agree in intensity where they overlap."""
    every = panel_step(aip.whole)
    # Thinned before: the squares are as large in the picture however large the mosaic is.
    even, odd = aip.even[::every, ::every], aip.odd[::every, ::every]
    board = panel_of("aip", checkerboard(even, odd), "aip, tiles alternating in overlaps")
    difference = seam_difference(even, odd)
    title = "aip, difference in overlaps"
    return [
        replace(board, every=every),
        Panel(title, difference, "dB", (-6, 6), "coolwarm", every=every),
    ]


def _seam_panel(aip: Blended, seam: Seam) -> Panel:
    """Show two neighbours pixel by pixel in alternate squares, with some surroundings."""
    y, x = (slice(max(0, part.start - 32), part.stop + 32) for part in seam.where)
    board = checkerboard(aip.even[y, x], aip.odd[y, x])
    return panel_of("aip", board, f"aip, worst seam: tiles {seam.first}, {seam.second}")


def coverage_numbers(
    reached: NDArray[np.uint8], reachable: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> Numbers:
    """Measure how much of the mosaic has tiles, and how much is tissue.

    Parameters
    ----------
    reached, reachable : (Y, X) arrays
        Tiles per pixel: those that are there, and all.
    mask : (Y, X) array
        Tissue.
    """
    covered = np.count_nonzero(reached) / np.count_nonzero(reachable)
    return {"coverage_fraction": float(covered), "tissue_fraction": float(mask.mean())}


def seam_numbers(modality: str, seams: list[Seam]) -> Numbers:
    """Measure how much neighbours differ over tissue, and name those that differ most."""
    unit = _SUFFIXES.get(UNITS.get(modality, ""), "")
    return {
        f"seam_rms_{modality}{unit}": seam_rms(seams),
        f"seam_worst_ratio_{modality}": seams[0].ratio if seams else None,
        f"seams_worst_{modality}": "; ".join(map(_named, seams[:_WORST])) or None,
    }


def _named(seam: Seam) -> str:
    return f"tiles {seam.first}, {seam.second}: {seam.ratio:.1f} times the median"


def _lattice_deviations(solution: Solution, grid: Grid) -> tuple[dict[int, float], ...]:
    """Return position less fitted lattice of every tile, along x and along y."""
    tiles = sorted(grid)
    places = np.array([(*grid[t], 1.0) for t in tiles])
    positions = np.array([solution.positions_px[t] for t in tiles])
    lattice = places @ np.linalg.lstsq(places, positions, rcond=None)[0]
    return tuple(dict(zip(tiles, d.tolist(), strict=True)) for d in (positions - lattice).T)


def _gate(name: str, value: float | str | None, bound: float, *, largest: bool) -> Gate:
    number = None if value is None else float(value)
    good = number is not None and (number <= bound if largest else number >= bound)
    return Gate(name=name, verdict="pass" if good else "warn", value=number, bound=bound)
