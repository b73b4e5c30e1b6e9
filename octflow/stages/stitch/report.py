"""What records and pictures tell of coordinates and mosaics."""

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import EstimateError
from octflow.core.gates import judged
from octflow.core.mosaic import Grid
from octflow.core.names import AXIAL
from octflow.core.record import Gate
from octflow.io.picture import UNITS, Panel, panel_of
from octflow.stages.stitch.blend import Blended, checkerboard, seam_difference
from octflow.stages.stitch.grid_maps import link_map, tile_map
from octflow.stages.stitch.refine import Refined
from octflow.stages.stitch.settings import StitchSettings
from octflow.stages.stitch.solve import Solution

Numbers = dict[str, float | int | str | None]

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


def judge(numbers: Numbers, settings: StitchSettings) -> list[Gate]:
    """Hold the numbers that have bounds against them."""
    measured = {name: n for name, n in numbers.items() if not isinstance(n, str)}
    return judged(measured, dict(settings.gates))


def refuse(what: str, gates: list[Gate]) -> None:
    """Stop where a gate says fail.

    Raises
    ------
    EstimateError
        Names what is refused, the number and its bound.
    """
    for gate in gates:
        if gate.verdict == "fail":
            raise EstimateError(
                f"{what}: found {gate.name} {gate.value:.3g}, expected a number within the bound "
                f"{gate.bound:g} (stitch.gates)"
            )


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


def moved_numbers(refined: Refined) -> Numbers:
    """Measure how far the tiles of a mosaic lie off the template."""
    lengths = np.hypot(*refined.moved_px.T)
    return {
        "refined": int(refined.kept is None),
        "moved_rms_px": float(np.sqrt(np.mean(lengths**2))),
        "moved_max_px": float(lengths.max()),
    }


def moved_panels(refined: Refined, grid: Grid) -> list[Panel]:
    """Show how far the tiles of a mosaic lie off the template."""
    tiles = sorted(grid)
    return [
        Panel(
            f"{axis} less template",
            tile_map(grid, dict(zip(tiles, moved.tolist(), strict=True))),
            "px",
            None,
            "coolwarm",
        )
        for axis, moved in zip("xy", refined.moved_px.T, strict=True)
    ]


def kept_warnings(refined: Refined) -> list[str]:
    """Say why a mosaic keeps the coordinates of the template."""
    return [f"coordinates of the template are kept: {refined.kept}"] if refined.kept else []


def seam_panels(aip: Blended, mask: NDArray[np.uint8], reached: NDArray[np.uint8]) -> list[Panel]:
    """Show the tissue, the tiles, and how well neighbours agree in intensity."""
    return [
        Panel("mask", mask, "", (0, 1)),
        Panel("tiles per pixel", reached, "", (0, 4), "viridis"),
        *overlap_panels(aip),
    ]


def overlap_panels(aip: Blended) -> list[Panel]:
    """Show how well neighbouring tiles agree in intensity where they overlap."""
    difference = seam_difference(aip.even, aip.odd)
    return [
        panel_of("aip", checkerboard(aip.even, aip.odd), "aip, tiles alternating in overlaps"),
        Panel("aip, difference in overlaps", difference, "dB", (-6, 6), "coolwarm"),
    ]


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


def seam_number(modality: str, blended: Blended, mask: NDArray[np.uint8]) -> Numbers:
    """Measure the root mean square difference of neighbours where they overlap over tissue."""
    difference = seam_difference(blended.even, blended.odd, axial=modality in AXIAL)
    values = difference[np.isfinite(difference) & (mask > 0)]
    name = f"seam_rms_{modality}{_SUFFIXES.get(UNITS.get(modality, ''), '')}"
    return {name: float(np.sqrt(np.mean(values**2))) if values.size else None}


def _lattice_deviations(solution: Solution, grid: Grid) -> tuple[dict[int, float], ...]:
    """Return position less fitted lattice of every tile, along x and along y."""
    tiles = sorted(grid)
    places = np.array([(*grid[t], 1.0) for t in tiles])
    positions = np.array([solution.positions_px[t] for t in tiles])
    lattice = places @ np.linalg.lstsq(places, positions, rcond=None)[0]
    return tuple(dict(zip(tiles, d.tolist(), strict=True)) for d in (positions - lattice).T)
