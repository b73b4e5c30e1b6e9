"""TileConfiguration files, the coordinates Fiji's stitching reads and writes."""

import re
from dataclasses import dataclass
from pathlib import Path

from octflow.core.errors import DataError
from octflow.io.atomic import replacing

_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_LINE = re.compile(rf"(?P<name>[^;]*);[^;]*;\s*\({_NUMBER},{_NUMBER}(?:,{_NUMBER})?\)\s*")


@dataclass(frozen=True)
class TilePosition:
    """One line: a file and where its first pixel lies."""

    name: str
    """File name as written, not looked for."""
    x_px: float
    """Position along x."""
    y_px: float
    """Position along y."""
    z_px: float | None = None
    """Position along z, in files of three dimensions."""


def parse_tileconfig(text: str, path: Path | str = "TileConfiguration.txt") -> list[TilePosition]:
    r"""Read the lines `name; ; (x, y)` or `name; ; (x, y, z)`; comments and blanks are skipped.

    Parameters
    ----------
    text : str
        The whole file.
    path : Path or str
        Named in errors.

    Raises
    ------
    DataError
        A line is neither blank, comment, `dim = ...`, `multiseries = ...` nor a position.

    Examples
    --------
    >>> parse_tileconfig("# Define the dimension\ndim = 2\n\na.tif; ; (0.5, -2)\n")
    [TilePosition(name='a.tif', x_px=0.5, y_px=-2.0, z_px=None)]
    """
    found = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if re.match(r"\s*(dim|multiseries)\s*=", line, re.IGNORECASE):
            continue
        if not (match := _LINE.fullmatch(line)):
            raise DataError(
                path, found=f"line {number}: {line.strip()!r}", expected="name; ; (x, y)"
            )
        x, y, z = match.groups()[1:]
        place = TilePosition(match["name"].strip(), float(x), float(y), float(z) if z else None)
        found.append(place)
    return found


def read_tileconfig(path: Path) -> list[TilePosition]:
    """Read a TileConfiguration file.

    Raises
    ------
    DataError
        A line cannot be read.
    """
    return parse_tileconfig(path.read_text(encoding="utf-8"), path)


def write_tileconfig(path: Path, tiles: list[TilePosition]) -> None:
    """Write a TileConfiguration file of two dimensions, or of three where any tile has a z."""
    deep = any(tile.z_px is not None for tile in tiles)
    lines = ["# Define the number of dimensions we are working on", f"dim = {3 if deep else 2}"]
    lines += ["", "# Define the image coordinates"]
    for tile in tiles:
        numbers = [tile.x_px, tile.y_px] + ([tile.z_px or 0.0] if deep else [])
        lines.append(f"{tile.name}; ; ({', '.join(f'{n:.4f}' for n in numbers)})")
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
