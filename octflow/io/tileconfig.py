"""TileConfiguration files, the coordinates Fiji's stitching reads and writes."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from octflow.core.errors import DataError
from octflow.io.atomic import replacing

_LINE = re.compile(r"(?P<name>[^;]+);(?P<series>[^;]*);\s*\((?P<numbers>[^()]*)\)")
_HEAD = re.compile(r"(?P<key>dim|multiseries)\s*=\s*(?P<value>\S*)", re.IGNORECASE)
_POINT = {2: "(x, y)", 3: "(x, y, z)"}


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
    series: int | None = None
    """Place in a file of several series, in files that say `multiseries`."""


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
        A line is neither blank, comment, `dim = ...`, `multiseries = ...` nor the position of a
        tile that was not named before; or no line says the dimension.

    Examples
    --------
    >>> parse_tileconfig("# Define the dimension\ndim = 2\n\na.tif; ; (0.5, -2)\n")
    [TilePosition(name='a.tif', x_px=0.5, y_px=-2.0, z_px=None, series=None)]
    """
    found: dict[tuple[str, int | None], TilePosition] = {}
    dim = 0
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        try:
            if head := _HEAD.fullmatch(words):
                dim = _dimension(head["value"]) if head["key"].lower() == "dim" else dim
                continue
            tile = _tile_of(words, dim)
            if (tile.name, tile.series) in found:
                raise ValueError("every tile once")
        except ValueError as error:
            raise DataError(path, found=f"line {number}: {words!r}", expected=str(error)) from error
        found[tile.name, tile.series] = tile
    return list(found.values())


def _dimension(value: str) -> int:
    if value not in {"2", "3"}:
        raise ValueError("dim = 2 or dim = 3")
    return int(value)


def _tile_of(words: str, dim: int) -> TilePosition:
    if not dim:
        raise ValueError("dim = 2 or dim = 3 before the first tile")
    if not (match := _LINE.fullmatch(words)) or not match["name"].strip():
        raise ValueError(f"name; ; {_POINT[dim]}")
    numbers = [_number(part) for part in match["numbers"].split(",")]
    if len(numbers) != dim:
        raise ValueError(f"name; ; {_POINT[dim]}, as dim = {dim} says")
    series = match["series"].strip()
    return TilePosition(
        match["name"].strip(),
        numbers[0],
        numbers[1],
        numbers[2] if dim == 3 else None,
        int(series) if series.isdigit() else None,
    )


def _number(part: str) -> float:
    try:
        number = float(part)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in part:
        raise ValueError(f"a number in place of {part.strip()!r}")
    return number


def read_tileconfig(path: Path) -> list[TilePosition]:
    """Read a TileConfiguration file.

    Raises
    ------
    DataError
        There is no such file, or a line of it cannot be read.
    """
    try:
        return parse_tileconfig(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError as error:
        raise DataError(path, found="no file", expected="a TileConfiguration file") from error
    except UnicodeDecodeError as error:
        raise DataError(path, found=str(error), expected="text in UTF-8") from error


def write_tileconfig(path: Path, tiles: list[TilePosition]) -> None:
    """Write a TileConfiguration file of two dimensions, or of three where any tile has a z."""
    deep = any(tile.z_px is not None for tile in tiles)
    lines = ["# Define the number of dimensions we are working on", f"dim = {3 if deep else 2}"]
    lines += ["", "# Define the image coordinates"]
    if any(tile.series is not None for tile in tiles):
        lines.insert(2, "multiseries = true")
    for tile in tiles:
        numbers = [tile.x_px, tile.y_px] + ([tile.z_px or 0.0] if deep else [])
        series = "" if tile.series is None else tile.series
        lines.append(f"{tile.name}; {series}; ({', '.join(f'{n:.4f}' for n in numbers)})")
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
