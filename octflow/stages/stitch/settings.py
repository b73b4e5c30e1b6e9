"""Settings of the stage stitch."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.functional_validators import BeforeValidator

from octflow.core.gates import AtLeast, AtMost
from octflow.core.settings import Settings

Modality = Literal["aip", "mip", "ret", "ori", "biref", "surf", "mus"]


Word = Annotated[str, BeforeValidator(str)]
"""YAML makes dates and numbers of what looks like them."""


class StitchBounds(Settings):
    """What coordinates and mosaics are held against."""

    residual_rms_px: AtMost = AtMost(warn=0.5, fail=3)
    """Root mean square residual of the trusted links: beyond a few pixels the mosaic is torn."""
    trusted_links_fraction: AtLeast = AtLeast(warn=0.5)
    """Part of the links over tissue that is trusted."""
    coverage_fraction: AtLeast = AtLeast(warn=0.95)
    """Part of the mosaic that has tiles."""
    tissue_fraction: AtLeast = AtLeast(warn=0.01)
    """Part of the mosaic that is tissue."""


class StitchSettings(Settings):
    """How tile coordinates are found and mosaics are blended."""

    engine: Literal["octflow", "fiji"] = "octflow"
    """What finds the coordinates: octflow itself, or Fiji's Grid/Collection stitching."""
    fiji: str = "ImageJ-linux64"
    """Fiji's program: a path, or a name that is on the PATH where the job runs."""
    fiji_timeout_s: int = Field(3600, ge=1)
    """Time after which Fiji is stopped."""
    coordinates: dict[str, str] = Field({})
    """Illumination to a file with its coordinates, which are then not looked for: a tilemap, or a
    TileConfiguration; relative to the project folder."""
    coordinates_ids: dict[str, str] = Field({})
    """Digests of these files, filled in when they are read: another content is another file."""
    force_refresh_coordinates: Word = ""
    """Any new word or number, such as a date: coordinates are found anew, once, and what follows is
    made again."""
    template_slices: tuple[Annotated[int, Field(ge=1)], ...] = Field((1,), min_length=1)
    """Slices whose mosaics the coordinates of every illumination are found on, all together. The
    first has the numbers of the tiles, and gives the focus."""
    refine: bool = False
    """Find the coordinates of every mosaic anew around those of the template."""
    refine_px: float = Field(8.0, gt=0, le=500)
    """Largest shift of a tile against the template; a mosaic that needs more is not refined."""
    link_modalities: tuple[Literal["aip", "mip", "ret", "biref"], ...] = ("aip", "mip")
    """Maps compared in the overlaps, besides aip; the more speckle they show the better."""
    search_px: int = Field(24, ge=2, le=500)
    """Largest deviation from the nominal step; at most a quarter of the tile is searched."""
    min_confidence: float = Field(6.0, ge=3)
    """Height of a correlation peak, in robust standard deviations, from which it is trusted."""
    placement: Literal["subpixel", "rounded"] = "subpixel"
    """Interpolate tiles at their position, or put them on the nearest pixel."""
    modalities: tuple[Modality, ...] = ("aip", "mip", "ret", "ori", "biref", "surf")
    """Maps that are stitched."""
    mask_outputs: tuple[Modality, ...] = ("aip", "mip", "ret", "ori", "biref", "surf")
    """Stitched maps that are empty outside the tissue."""
    gates: StitchBounds = StitchBounds()
    """Bounds of the quality of coordinates and mosaics, each with a warning and a refusal."""
    previews: bool = True
    """Write a JPEG and a TIFF beside every stitched map."""
