"""From the maps of the tiles to their coordinates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from math import log

from octflow.core.mosaic import Along, Grid, neighbours
from octflow.core.texture import BAND_PX, Floats
from octflow.stages.stitch.links import Link, find_link
from octflow.stages.stitch.solve import Solution, solve_positions

Pair = tuple[int, int, Along]
Band = tuple[float, float]

_BANDS_PX: tuple[Band, ...] = (BAND_PX, (1.0, 3.0), (1.5, 5.0))
"""Textures that are tried: speckle that the tiles share, fibres and cells, what is coarser."""
_SAMPLE = (6, 24)
"""Links by which the texture is chosen: one in 16, within these bounds."""


def find_positions(
    tiles: Mapping[int, Floats],
    grid: Grid,
    *,
    step_px: tuple[float, float],
    search_px: int,
    min_confidence: float,
    mask_threshold_db: float,
) -> Solution:
    """Link all neighbours that are there, and solve for the positions of all tiles.

    Parameters
    ----------
    tiles, grid, step_px, search_px, min_confidence, mask_threshold_db
        See `find_links`.

    Raises
    ------
    EstimateError
        No link is trusted.
    """
    links = find_links(
        tiles,
        grid,
        step_px=step_px,
        search_px=search_px,
        min_confidence=min_confidence,
        mask_threshold_db=mask_threshold_db,
    )
    return solve_positions(grid, links, step_px)


def find_links(
    tiles: Mapping[int, Floats],
    grid: Grid,
    *,
    step_px: tuple[float, float],
    search_px: int,
    min_confidence: float,
    mask_threshold_db: float,
) -> list[Link]:
    """Measure how all neighbours lie that are there.

    Whether speckle is the same in neighbouring tiles, and how coarse the tissue is, depends on
    sample and optics: a few links, spread over the mosaic, are measured in several bands of
    texture, and all links in the band that gives most confidence.

    Parameters
    ----------
    tiles : mapping of int to (Y, X) or (C, Y, X) array
        Maps of the tiles that are there; channel 0 is the average intensity in dB.
    grid : mapping of int to (grid_x, grid_y)
        All tiles of the mosaic.
    step_px : (2,) floats
        Nominal grid step (x, y).
    search_px, min_confidence, mask_threshold_db
        See `find_link`.
    """
    pairs = [pair for pair in neighbours(grid) if pair[0] in tiles and pair[1] in tiles]

    @lru_cache(2 * _reach(pairs) + 2)
    def maps(tile: int) -> Floats:
        return _channels(tiles[tile])

    @cache
    def link(pair: Pair, band_px: Band) -> Link | None:
        return find_link(
            pair,
            maps(pair[0]),
            maps(pair[1]),
            step_px=step_px[0] if pair[2] == "x" else step_px[1],
            search_px=search_px,
            min_confidence=min_confidence,
            mask_threshold_db=mask_threshold_db,
            band_px=band_px,
        )

    band_px = _best_band(pairs, link)
    return [found for pair in pairs if (found := link(pair, band_px)) is not None]


def renumbered(links: Sequence[Link], grid: Grid, template: Grid) -> list[Link]:
    """Call the tiles of links as another scan of the same places does.

    Parameters
    ----------
    links : sequence of Link
        Links of one scan.
    grid, template : mapping of int to (grid_x, grid_y)
        Tiles of that scan, and of the one whose numbers are wanted.

    Returns
    -------
    links : list of Link
        Without those of places that the other scan does not have.
    """
    tile_at = {place: tile for tile, place in template.items()}
    name = {tile: tile_at[place] for tile, place in grid.items() if place in tile_at}
    return [
        replace(link, first=name[link.first], second=name[link.second])
        for link in links
        if link.first in name and link.second in name
    ]


def _best_band(pairs: Sequence[Pair], link: Callable[[Pair, Band], Link | None]) -> Band:
    """Return the band in which some links have most confidence, by their geometric mean."""
    samples: list[list[float]] = []
    wanted = min(max(len(pairs) // 16, _SAMPLE[0]), _SAMPLE[1])
    for pair in _spread(pairs):
        first = link(pair, _BANDS_PX[0])
        if first is not None and first.verdict == "background":
            continue
        measured = [first, *(link(pair, band) for band in _BANDS_PX[1:])]
        samples.append([log(max(k.confidence, 1.0)) if k else 0.0 for k in measured])
        if len(samples) == wanted:
            break
    scores = [sum(column) for column in zip(*samples, strict=True)] or [0.0]
    return _BANDS_PX[scores.index(max(scores))]


def _spread(pairs: Sequence[Pair]) -> list[Pair]:
    """Order pairs so that the first few of them lie all over the mosaic."""
    golden = (5**0.5 - 1) / 2
    order = sorted(range(len(pairs)), key=lambda i: (i * golden) % 1)
    return [pairs[i] for i in order]


def _reach(pairs: Sequence[Pair]) -> int:
    """Tiles from one of a pair to the other, at most: so long a tile that is read is kept."""
    ranks = {tile: i for i, tile in enumerate(sorted({t for pair in pairs for t in pair[:2]}))}
    return max((abs(ranks[second] - ranks[first]) for first, second, _ in pairs), default=0)


def _channels(maps: Floats) -> Floats:
    return maps if maps.ndim == 3 else maps[None]
