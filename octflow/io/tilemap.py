"""The tilemap: coordinates of the tiles of an illumination, as a Jinja2 template of YAML.

Rendered with the folder of the tiles, a mosaic and a modality it lists every tile file with its
position, which other programs can read too.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import yaml

from octflow.core.errors import DataError
from octflow.core.mosaic import Layout, extended
from octflow.io.atomic import replacing

_TEMPLATE = """\
{{# Tile coordinates of the illumination {name}; rendered per mosaic and modality. #}}
{{% set stem = "mosaic_%03d" % mosaic %}}
metadata:
  base_dir: "{{{{ base_dir }}}}"
  mosaic: {{{{ mosaic }}}}
  modality: {{{{ modality }}}}
  illumination: {name}
  scan_resolution: {{{{ scan_resolution | default({resolution}) }}}}
  tile_overlap: [{overlap}]
tiles:
"""
_TILE = """\
- tile_number: {tile}
  filepath: "{{{{ base_dir }}}}/{{{{ stem }}}}_image_{tile:04d}_{{{{ modality }}}}.nii"
  x: {x:.4f}
  y: {y:.4f}
  grid: [{place}]
"""


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The compiled reader, which not every build of the library has, is ten times as fast."""


@dataclass(frozen=True)
class Tilemap:
    """Where the tiles of an illumination lie."""

    illumination: str
    """Name of the illumination."""
    scan_resolution_mm: tuple[float, float, float]
    """Voxel size (x, y, z)."""
    overlap_px: tuple[int, int]
    """Overlap of neighbours (y, x), over which their weights fall."""
    positions_px: dict[int, tuple[float, float]]
    """Tile id to position (x, y), the smallest being 0."""
    grid: dict[int, tuple[int, int]]
    """Tile id to place (x, y) in the grid."""

    def on(self, grid: dict[int, tuple[int, int]]) -> "Tilemap":
        """Return the coordinates of another scan of the same places, or some of them, or more.

        Raises
        ------
        DataError
            A place lies beyond what the known ones tell.
        """
        known = {self.grid[tile]: position for tile, position in self.positions_px.items()}
        try:
            positions = extended(known, grid.values())
        except ValueError as error:
            expected = "a template slice with more columns"
            raise DataError("tile coordinates", found=str(error), expected=expected) from error
        placed = {tile: positions[place] for tile, place in grid.items()}
        return replace(self, positions_px=placed, grid=grid)

    def layout(self, tile_shape: tuple[int, int], *, subpixel: bool = True) -> Layout:
        """Lay out tiles of size (n_y, n_x)."""
        return Layout(self.positions_px, tile_shape, self.overlap_px, subpixel)


def write_tilemap(path: Path, tilemap: Tilemap) -> None:
    """Write a tilemap as a template, tiles in ascending order, positions to 0.0001 px."""
    with replacing(path) as part:
        part.write_text(_template_of(tilemap))


def write_listing(
    path: Path, tilemap: Tilemap, *, base_dir: Path, mosaic: int, modality: str
) -> None:
    """Write a tilemap filled in: the tile files of one mosaic and modality, as plain YAML."""
    text = _template_of(tilemap)
    with replacing(path) as part:
        part.write_text(_filled(text, base_dir=base_dir, mosaic=mosaic, modality=modality))


def _template_of(tilemap: Tilemap) -> str:
    y_px, x_px = tilemap.overlap_px
    head = _TEMPLATE.format(
        name=tilemap.illumination,
        resolution=[round(size, 9) for size in tilemap.scan_resolution_mm],
        overlap=f"{x_px}, {y_px}",
    )
    tiles = [
        _TILE.format(tile=tile, x=x, y=y, place="{}, {}".format(*tilemap.grid[tile]))
        for tile, (x, y) in sorted(tilemap.positions_px.items())
    ]
    return head + "".join(tiles)


def _filled(text: str, *, base_dir: Path, mosaic: int, modality: str) -> str:
    template = jinja2.Template(text, undefined=jinja2.StrictUndefined)
    filled: str = template.render(base_dir=base_dir, mosaic=mosaic, modality=modality)
    return filled + "\n"


def render_tilemap(path: Path, *, base_dir: Path, mosaic: int, modality: str) -> str:
    """Fill in a tilemap.

    Parameters
    ----------
    path : Path
        The template.
    base_dir : Path
        Folder of the tiles.
    mosaic : int
        Mosaic id.
    modality : str
        Modality in the names of the tiles.

    Returns
    -------
    text : str
        YAML with `metadata` and `tiles`.

    Raises
    ------
    DataError
        The file is missing, or not a template.
    """
    try:
        return _filled(path.read_text(), base_dir=base_dir, mosaic=mosaic, modality=modality)
    except FileNotFoundError as error:
        raise DataError(path, found="no file", expected="a tilemap template") from error
    except jinja2.TemplateError as error:
        raise DataError(path, found=str(error), expected="a tilemap template") from error


def read_tilemap(path: Path) -> Tilemap:
    """Read the coordinates of a tilemap.

    Raises
    ------
    DataError
        The file is missing, or not a tilemap.
    """
    text = render_tilemap(path, base_dir=Path(), mosaic=1, modality="aip")
    try:
        return _tilemap_of(yaml.load(text, Loader=_LOADER))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        raise DataError(path, found=found, expected="metadata and tiles of a tilemap") from error


def _tilemap_of(plain: dict[str, Any]) -> Tilemap:
    metadata, tiles = plain["metadata"], plain["tiles"]
    size_x, size_y, size_z = (float(size) for size in metadata["scan_resolution"])
    x_px, y_px = (int(r) for r in metadata["tile_overlap"])
    return Tilemap(
        illumination=str(metadata["illumination"]),
        scan_resolution_mm=(size_x, size_y, size_z),
        overlap_px=(y_px, x_px),
        positions_px={int(t["tile_number"]): (float(t["x"]), float(t["y"])) for t in tiles},
        grid={int(t["tile_number"]): (int(t["grid"][0]), int(t["grid"][1])) for t in tiles},
    )
