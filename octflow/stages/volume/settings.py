"""Settings of the stage volume."""

from typing import Literal

from pydantic import Field

from octflow.core.settings import Settings

Modality = Literal["dBI", "R3D", "O3D"]


class VolumeSettings(Settings):
    """How the focus plane is found and volumes are fused."""

    modalities: tuple[Modality, ...] = ("dBI", "R3D", "O3D")
    """Volumes that are stitched."""
    skip_x_px: int = Field(15, ge=0)
    """First A-lines of every B-line that the focus plane ignores, at most half the overlap."""
    min_focus_gain: float = Field(1.0, gt=0)
    """Overlap differences before over after the focus plane, below which the record warns."""
    offset_px: int = Field(30, ge=0)
    """Depth of the shallowest tissue surface in the fused volume."""
    depth_px: int = Field(500, ge=1)
    """Depth samples kept."""
    placement: Literal["subpixel", "rounded"] = "subpixel"
    """Interpolate tiles at their position, or put them on the nearest pixel."""
    mask_volumes: bool = True
    """Leave voxels above and below what is not tissue empty."""
    chunk_px: tuple[int, int, int] = (64, 64, 64)
    """Voxels (z, y, x) compressed together."""
    shard_px: tuple[int, int, int] = (256, 256, 256)
    """Voxels (z, y, x) in one file; memory is about 2 shards per thread and 1 per level."""
    ome_zarr: Literal["0.5", "0.4"] = "0.5"
    """Version of the format. 0.4 is for programs that read no other: every chunk is a file."""
    shares: int = Field(1, ge=1)
    """Jobs that fuse a volume side by side, each its share of the shards."""
