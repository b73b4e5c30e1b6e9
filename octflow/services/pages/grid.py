"""The tiles of a mosaic as a person looks at them: in their places, each in one state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from octflow.core.experiment import Experiment
from octflow.services.pages.facts import Fact
from octflow.services.state import BatchState, MosaicState

STATES = {
    "processed": "processed",
    "hole": "no product: it failed",
    "failed": "in a batch that failed",
    "missing": "declared missing",
    "converted": "converted",
    "arrived": "arrived",
    "settling": "still changing",
    "absent": "not arrived",
}
"""States of a tile, and what they are called."""


@dataclass(frozen=True)
class Cell:
    """A tile in its place."""

    tile: int
    batch: int
    x: int
    y: int
    state: str
    said: str
    """What is said of it, where there is more than the state."""


@dataclass(frozen=True)
class Grid:
    """The tiles of a mosaic."""

    n_x: int
    n_y: int
    cells: list[Cell]

    @property
    def counts(self) -> dict[str, int]:
        """Tiles by state, of those states that there are."""
        found = [cell.state for cell in self.cells]
        return {state: found.count(state) for state in STATES if state in found}


def grid_of(
    mosaic: MosaicState,
    experiment: Experiment,
    facts: Iterable[Fact],
    declared: Mapping[tuple[int, int], str],
) -> Grid:
    """Return the tiles of a mosaic in their places, x to the right and y down.

    Parameters
    ----------
    mosaic : MosaicState
        As it was looked at.
    experiment : Experiment
        Tells the places.
    facts : iterable of Fact
        What the records of its batches tell.
    declared : mapping of (int, int) to str
        Reasons by (mosaic, tile) of tiles that were declared missing.
    """
    places = experiment.grid_of(mosaic.mosaic)
    left, top = (min(place[axis] for place in places.values()) for axis in (0, 1))
    holes = {t: ("missing", reason) for (m, t), reason in declared.items() if m == mosaic.mosaic}
    holes = _holes(facts) | holes
    cells = []
    for batch in mosaic.batches:
        for tile in experiment.tiles_of(mosaic.mosaic, batch.batch):
            state, said = holes.get(tile) or ("", "")
            state = _state(batch, tile, state)
            x, y = places[tile]
            cells.append(Cell(tile, batch.batch, x - left, y - top, state, said))
    n_x, n_y = (1 + max(getattr(cell, axis) for cell in cells) for axis in "xy")
    return Grid(n_x, n_y, cells)


def _holes(facts: Iterable[Fact]) -> dict[int, tuple[str, str]]:
    """Return state and reason of tiles that gave no product; the earliest job knows why."""
    found: dict[int, tuple[str, str]] = {}
    for fact in facts:
        if fact.rule not in {"start_batch", "convert_batch", "process_batch"}:
            continue
        for state, reasons in (("missing", fact.missing), ("hole", fact.failed)):
            for tile, reason in reasons.items():
                found.setdefault(int(tile), (state, reason))
    return found


def _state(batch: BatchState, tile: int, hole: str) -> str:
    """Return the state of a tile: what has become of it outweighs what is going on."""
    jobs = batch.jobs
    if jobs["process_batch"] == "done":
        return hole or "processed"
    if tile in batch.settling:
        return "settling"
    if tile in batch.absent:
        return "absent"
    if "failed" in (jobs["start_batch"], jobs["convert_batch"], jobs["process_batch"]):
        return "failed"
    return hole or ("converted" if jobs["convert_batch"] == "done" else "arrived")
