"""Settings of the stage stitch."""

from typing import Literal

from pydantic import Field

from octflow.core.settings import Settings

Modality = Literal["aip", "mip", "ret", "ori", "biref", "surf", "mus"]


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
    previews: bool = True
    """Write a JPEG and a TIFF beside every stitched map."""
