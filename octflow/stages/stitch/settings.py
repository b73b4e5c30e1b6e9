"""Settings of the stage stitch."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from octflow.core.gates import AtLeast, AtMost
from octflow.core.settings import Settings

Modality = Literal["aip", "mip", "ret", "ori", "biref", "surf", "mus"]
Windows = dict[Modality, tuple[float, float]]


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
    compress: bool = False
    """Gzip the stitched maps; they become a fifth smaller and take several times as long."""
    previews: bool = True
    """Write a JPEG and a TIFF beside every stitched map."""
    windows: Windows = Field({})
    """Values shown as the first and the last colour, by map; each map has a default."""
    preview_px: int = Field(65500, ge=256, le=65500)
    """Longest side of a JPEG; larger maps are shown by every second pixel, every third, ..."""
    tiff_holes: Literal["nan", "zero"] = "nan"
    """What TIFFs hold where there is no tile or no tissue; NIfTI maps always hold NaN."""

    @field_validator("windows")
    @classmethod
    def _rising(cls, windows: Windows) -> Windows:
        for modality, (low, high) in windows.items():
            if not low < high:
                raise ValueError(f"{modality}: found {low} to {high}, expected a rising window")
        return windows

    def window_of(self, modality: str) -> tuple[float, float] | None:
        """Return the window that was asked for, if any."""
        return next((window for name, window in self.windows.items() if name == modality), None)
