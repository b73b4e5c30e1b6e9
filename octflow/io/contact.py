"""Contact sheets: many small pictures on one page, each under its title."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from octflow.io.picture import write_picture

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_CELL_PX = 420
_MARGIN_PX = 20
_TITLE_PX, _HEADLINE_PX = 14, 16
"""Sizes of letters."""
_LINE_PX = 18


@dataclass(frozen=True)
class Titled:
    """A picture, RGB (Y, X, 3), and what is written above it."""

    title: str
    rgb: NDArray[np.uint8]


def write_contact_sheet(
    path: Path, pictures: Sequence[Titled], *, title: str, across: int = 4
) -> None:
    """Write pictures in reading order, enlarged or shrunk to the same longer side.

    Pillow alone: jobs of batches are many, and matplotlib takes longer to load than they to draw.

    Parameters
    ----------
    path : Path
        JPEG or PNG.
    pictures : sequence of Titled
        At least one.
    title : str
        Headline of the page.
    across : int
        Pictures side by side.
    """
    across = min(across, len(pictures))
    down = -(-len(pictures) // across)
    step_px = _CELL_PX + _MARGIN_PX
    above_px = _LINE_PX * max(len(picture.title.splitlines()) for picture in pictures)
    top_px = 2 * _MARGIN_PX + _HEADLINE_PX
    headline, font = (ImageFont.load_default(px) for px in (_HEADLINE_PX, _TITLE_PX))
    least_px = int(headline.getlength(title)) + _MARGIN_PX
    size = (max(across * step_px, least_px) + _MARGIN_PX, top_px + down * (step_px + above_px))
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN_PX, _MARGIN_PX), title, "black", headline)
    for n, picture in enumerate(pictures):
        corner = (
            _MARGIN_PX + n % across * step_px,
            top_px + n // across * (step_px + above_px) + above_px,
        )
        _put(page, picture, corner)
        _write(draw, picture.title.splitlines(), corner, font)
    write_picture(path, np.asarray(page))


def _put(page: Image.Image, picture: Titled, corner: tuple[int, int]) -> None:
    shown = Image.fromarray(picture.rgb)
    scale = _CELL_PX / max(shown.size)
    size = (max(1, round(scale * shown.width)), max(1, round(scale * shown.height)))
    # Pixels of small tiles stay squares; large ones are averaged.
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    page.paste(shown.resize(size, how), corner)


def _write(
    draw: ImageDraw.ImageDraw, lines: list[str], corner: tuple[int, int], font: _Font
) -> None:
    """Write lines so that the last is just above a picture."""
    x, y = corner
    for n, text in enumerate(lines):
        draw.text((x, y + (n - len(lines)) * _LINE_PX), text, "black", font)
