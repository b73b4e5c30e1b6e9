"""The sample and its ids: project > slice > mosaic > batch > tile, all counted from 1."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from octflow.core.errors import SettingsError
from octflow.core.settings import Settings

GridType = Literal["snake-by-columns", "snake-by-rows", "column-by-column", "row-by-row"]
GridStart = Literal["up-right", "up-left", "down-right", "down-left"]


class GridOverride(Settings):
    """Another grid for a range of slices, for a scan area that was edited during the run."""

    first_slice: int = Field(ge=1)
    """First slice with this grid."""
    last_slice: int = Field(ge=1)
    """Last slice with this grid."""
    grid_size_x: int = Field(ge=1)
    """Grid columns in these slices."""
    first_column: int = Field(0, ge=0)
    """Grid column of the other slices that the first of these lies on."""
    grid_size_y: int | None = Field(None, ge=1)
    """Tiles per grid column in these slices; null: as in the others."""
    first_row: int = Field(0, ge=0)
    """Place along y, 0 having the smallest y, in the other slices' columns that these begin at."""


class Illumination(Settings):
    """One row of the illumination table."""

    name: str = Field(pattern=r"^[a-zA-Z][a-zA-Z0-9]*$")
    """Name in file names, such as normal or tilted."""
    tilt_deg: float = Field(0.0, ge=-60, le=60)
    """Tilt of the beam about the y axis."""
    grid_size_x: int = Field(ge=1)
    """Grid columns, which are the batches of a mosaic."""
    tile_size_x_px: int = Field(350, ge=4)
    """A-lines per B-line."""
    tile_size_y_px: int = Field(350, ge=4)
    """B-lines per tile."""
    overlap_fraction: float = Field(0.2, gt=0, lt=0.9)
    """Nominal overlap of neighbouring tiles."""
    mask_threshold_db: float = 60.0
    """Average intensity above which the stitched map is tissue."""
    first_column: int = Field(0, ge=0)
    """Place of the first grid column; overrides count from the same one."""
    grid_size_y: int | None = Field(None, ge=1)
    """Tiles per grid column; null: as for the other illuminations."""
    first_row: int = Field(0, ge=0)
    """Place of the tile with the smallest y; overrides count from the same one."""
    overrides: tuple[GridOverride, ...] = ()
    """Other grids for ranges of slices."""
    lane: int = Field(0, ge=0)
    """Place among the illuminations interleaved in a raw file, from 0; filled in where
    acquisition.interleaved says so."""
    n_lanes: int = Field(1, ge=1)
    """Illuminations interleaved in a raw file; filled in likewise."""

    def at(self, slice_id: int) -> "Illumination":
        """Return this row as it holds for one slice."""
        for other in self.overrides:
            if other.first_slice <= slice_id <= other.last_slice:
                changed = other.model_dump(exclude={"first_slice", "last_slice"}, exclude_none=True)
                return self.model_copy(update=changed)
        return self

    def nominal_step_px(self) -> tuple[float, float]:
        """Return the nominal grid step (x, y)."""
        keep = 1 - self.overlap_fraction
        return self.tile_size_x_px * keep, self.tile_size_y_px * keep


class Experiment(Settings):
    """How tiles are arranged: the illumination table, the grid and the scan order."""

    grid_size_y: int = Field(28, ge=1)
    """Tiles per grid column, for illuminations that do not say otherwise."""
    grid_type: GridType = "snake-by-columns"
    """Scan order in Fiji's words."""
    grid_start: GridStart = "up-right"
    """Direction of the first two moves: up-right starts at the bottom left."""
    illuminations: tuple[Illumination, ...] = (
        Illumination(name="normal", grid_size_x=20),
        Illumination(
            name="tilted", tilt_deg=-15, grid_size_x=35, tile_size_x_px=200, mask_threshold_db=55
        ),
    )
    """One row per illumination, in the order of acquisition."""

    @model_validator(mode="after")
    def _check_names(self) -> "Experiment":
        names = [row.name for row in self.illuminations]
        if not names or len(set(names)) < len(names):
            raise SettingsError(f"illuminations: found names {names}, expected distinct names")
        return self

    def interleaved(self) -> "Experiment":
        """Return the same table with all illuminations of a slice in one raw file.

        A-line i of the file belongs to illumination i modulo their number.

        Raises
        ------
        SettingsError
            Tiles or grids differ, so that the A-lines of a file do not go round evenly.

        Examples
        --------
        >>> rows = [Illumination(name=n, grid_size_x=3) for n in ("normal", "tiltPos")]
        >>> table = Experiment(illuminations=tuple(rows)).interleaved()
        >>> [(row.lane, row.n_lanes) for row in table.illuminations]
        [(0, 2), (1, 2)]
        """
        tile = ("tile_size_x_px", "tile_size_y_px")
        grid = ("grid_size_x", "grid_size_y", "first_column", "first_row", "overrides")
        for field in (*tile, *grid):
            found = {row.name: getattr(row, field) for row in self.illuminations}
            if any(value != self.illuminations[0].__dict__[field] for value in found.values()):
                said = ", ".join(f"{name}: {value}" for name, value in found.items())
                raise SettingsError(
                    f"experiment.illuminations: found {field} {said}, "
                    "expected the same for all illuminations that are interleaved"
                )
        n = len(self.illuminations)
        rows = [
            row.model_copy(update={"lane": lane, "n_lanes": n})
            for lane, row in enumerate(self.illuminations)
        ]
        return self.model_copy(update={"illuminations": tuple(rows)})

    def slice_of(self, mosaic: int) -> int:
        """Return the slice a mosaic belongs to.

        Examples
        --------
        >>> [Experiment().slice_of(m) for m in (1, 2, 3)]
        [1, 1, 2]
        """
        return (mosaic - 1) // len(self.illuminations) + 1

    def illumination_of(self, mosaic: int) -> Illumination:
        """Return the illumination of a mosaic, as it holds for its slice."""
        row = self.illuminations[(mosaic - 1) % len(self.illuminations)]
        return row.at(self.slice_of(mosaic))

    def mosaic_of(self, slice_id: int, illumination: str) -> int:
        """Return the mosaic of a slice with the illumination of that name."""
        names = [row.name for row in self.illuminations]
        return (slice_id - 1) * len(names) + names.index(illumination) + 1

    def mosaics_of(self, slice_id: int) -> list[int]:
        """Return the mosaics of a slice, one per illumination."""
        count = len(self.illuminations)
        return list(range((slice_id - 1) * count + 1, slice_id * count + 1))

    def batches_of(self, mosaic: int) -> list[int]:
        """Return the batches of a mosaic, one per grid column."""
        return list(range(1, self.illumination_of(mosaic).grid_size_x + 1))

    def tiles_of(self, mosaic: int, batch: int) -> list[int]:
        """Return the tiles of a batch: as many as a grid column has, in order of acquisition."""
        size_y = self._size_y(mosaic)
        return list(range((batch - 1) * size_y + 1, batch * size_y + 1))

    def _size_y(self, mosaic: int) -> int:
        return self.illumination_of(mosaic).grid_size_y or self.grid_size_y

    def grid_of(self, mosaic: int) -> dict[int, tuple[int, int]]:
        """Return the grid position (x, y) of every tile, y = 0 having the smallest y.

        A place is the same in all slices, whatever part of the grid a slice has.

        Examples
        --------
        Snake by columns, up and right: the first column runs from the bottom to the top.

        >>> row = Illumination(name="normal", grid_size_x=2)
        >>> Experiment(grid_size_y=3, illuminations=(row,)).grid_of(1)
        {1: (0, 2), 2: (0, 1), 3: (0, 0), 4: (1, 0), 5: (1, 1), 6: (1, 2)}
        """
        row = self.illumination_of(mosaic)
        places = enumerate(self._scan(row.grid_size_x, self._size_y(mosaic)), start=1)
        return {tile: (row.first_column + x, row.first_row + y) for tile, (x, y) in places}

    def _scan(self, size_x: int, size_y: int) -> Iterator[tuple[int, int]]:
        by_columns = "column" in self.grid_type
        snake = self.grid_type.startswith("snake")
        vertical, horizontal = self.grid_start.split("-")
        flip_x, flip_y = horizontal == "left", vertical == "up"
        outer, inner = (size_x, size_y) if by_columns else (size_y, size_x)
        for o in range(outer):
            for k in range(inner):
                i = inner - 1 - k if snake and o % 2 else k
                x, y = (o, i) if by_columns else (i, o)
                yield (size_x - 1 - x if flip_x else x, size_y - 1 - y if flip_y else y)
