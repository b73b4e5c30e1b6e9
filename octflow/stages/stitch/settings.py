"""Settings of the stage stitch."""

from typing import Literal

from pydantic import Field, field_validator

from octflow.core.settings import Settings

Modality = Literal["aip", "mip", "ret", "ori", "biref", "surf", "mus"]
Windows = dict[Modality, tuple[float, float]]


class StitchSettings(Settings):
    """How tile coordinates are found and mosaics are blended."""

    engine: Literal["octflow"] = "octflow"
    """What finds the coordinates."""
    template_slice: int = Field(1, ge=1)
    """Slice whose mosaics the coordinates of every illumination are found on."""
    link_modalities: tuple[Literal["aip", "mip", "ret", "biref"], ...] = ("aip", "mip")
    """Maps compared in the overlaps, besides aip; the more speckle they show the better."""
    search_px: int = Field(24, ge=2, le=500)
    """Largest deviation from the nominal step; at most a quarter of the tile is searched."""
    min_confidence: float = Field(6.0, ge=3)
    """Height of a correlation peak, in robust standard deviations, from which it is trusted."""
    max_residual_px: float = Field(0.5, gt=0)
    """Root mean square residual of the trusted links above which the record warns."""
    min_trusted_fraction: float = Field(0.5, ge=0, le=1)
    """Part of the links over tissue that should be trusted, below which the record warns."""
    placement: Literal["subpixel", "rounded"] = "subpixel"
    """Interpolate tiles at their position, or put them on the nearest pixel."""
    modalities: tuple[Modality, ...] = ("aip", "mip", "ret", "ori", "biref", "surf")
    """Maps that are stitched."""
    mask_outputs: tuple[Modality, ...] = ("aip", "mip", "ret", "ori", "biref", "surf")
    """Stitched maps that are empty outside the tissue."""
    min_coverage_fraction: float = Field(0.95, ge=0, le=1)
    """Part of the mosaic that should have tiles, below which the record warns."""
    min_tissue_fraction: float = Field(0.01, ge=0, le=1)
    """Part of the mosaic that should be tissue, below which the record warns."""
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
