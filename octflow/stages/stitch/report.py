"""What records and pictures tell of coordinates and mosaics."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import EstimateError
from octflow.core.gates import judged
from octflow.core.mosaic import Grid
from octflow.core.record import Gate
from octflow.io.arrows import Arrows
from octflow.io.picture import UNITS, WINDOWS, Panel, panel_of, panel_step
from octflow.stages.stitch.blend import Blended
from octflow.stages.stitch.grid_maps import link_map
from octflow.stages.stitch.refine import Refined
from octflow.stages.stitch.seams import Seam, checkerboard, seam_difference, seam_rms
from octflow.stages.stitch.settings import StitchSettings
from octflow.stages.stitch.solve import Offsets, Solution

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
    """Show the mosaic, its seams, what the links do not agree on, and how regular the stage is."""
    links = solution.links
    confidence = link_map(grid, links, [link.confidence for link in links])
    return [
        panel_of("aip", aip.whole),
        *overlap_panels(aip),
        _with_arrows(aip, "residuals of trusted links", *_residuals(solution, aip)),
        Panel("confidence of links", confidence, "sigma", None, "viridis"),
        _with_arrows(aip, "tiles less lattice", *_lattice_deviations(solution, grid, aip)),
    ]


def moved_panel(refined: Refined, aip: Blended) -> Panel:
    """Show how the tiles of a mosaic lie off the template."""
    at_px = _middles(refined.solution, aip)
    return _with_arrows(aip, "tiles less template", at_px, refined.moved_px)


def _with_arrows(aip: Blended, title: str, at_px: Offsets, by_px: Offsets) -> Panel:
    """Draw shifts on the mosaic, which is kept dark for them."""
    low, high = WINDOWS["aip"]
    shown = panel_of("aip", aip.whole, title)
    return replace(shown, window=(low, 2 * high - low), arrows=Arrows(at_px, by_px))


def _middles(solution: Solution, aip: Blended) -> Offsets:
    """Return the middle (x, y) of every tile in ascending order."""
    positions = np.array([p for _, p in sorted(solution.positions_px.items())])
    size = np.array(aip.whole.shape[::-1]) - positions.max(axis=0)
    middles: Offsets = positions + size / 2
    return middles


def _residuals(solution: Solution, aip: Blended) -> tuple[Offsets, Offsets]:
    """Return where the trusted links lie, and their residuals."""
    middles = dict(zip(sorted(solution.positions_px), _middles(solution, aip), strict=True))
    kept = [link.verdict == "trusted" for link in solution.links]
    at_px = [
        (middles[link.first] + middles[link.second]) / 2
        for link in solution.links
        if link.verdict == "trusted"
    ]
    return np.array(at_px, np.float64).reshape(-1, 2), solution.residuals_px[kept]


def moved_numbers(refined: Refined) -> Numbers:
    """Measure how far the tiles of a mosaic lie off the template."""
    lengths = np.hypot(*refined.moved_px.T)
    return {
        "refined": int(refined.kept is None),
        "moved_rms_px": float(np.sqrt(np.mean(lengths**2))),
        "moved_max_px": float(lengths.max()),
    }


def kept_warnings(refined: Refined) -> list[str]:
    """Say why a mosaic keeps the coordinates of the template."""
    return [f"coordinates of the template are kept: {refined.kept}"] if refined.kept else []


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


def _lattice_deviations(solution: Solution, grid: Grid, aip: Blended) -> tuple[Offsets, Offsets]:
    """Return the middles of the tiles, and position less fitted lattice."""
    tiles = sorted(grid)
    places = np.array([(*grid[t], 1.0) for t in tiles])
    positions = np.array([solution.positions_px[t] for t in tiles])
    lattice = places @ np.linalg.lstsq(places, positions, rcond=None)[0]
    return _middles(solution, aip), positions - lattice
