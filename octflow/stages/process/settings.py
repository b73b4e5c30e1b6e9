"""Section `process` of the configuration."""

from typing import Annotated, Literal

from pydantic import Field

from octflow.core.settings import Settings

Modality = Literal["dBI", "R3D", "O3D", "aip", "mip", "ret", "ori", "biref"]


class ProcessSettings(Settings):
    """How complex tiles become volumes and maps."""

    modalities: tuple[Modality, ...] = ("dBI", "R3D", "O3D", "aip", "mip", "ret", "ori", "biref")
    """Products to be written; the surface always is."""
    phase_offset_deg: float = Field(100, ge=-360, le=360)
    """Axis angle added to the measured one: the orientation of the instrument."""
    flip_phase: bool = False
    """Negate the measured axis before the offset is added."""
    surface: Literal["find", "find-threshold"] | Annotated[int, Field(ge=0)] = "find"
    """Rule that finds the surface of the tissue, or one depth index for all A-lines."""
    surface_threshold_db: float = 55
    """Intensity of tissue; find-threshold looks whether an A-line begins inside tissue."""
    enface_offset_px: int = Field(0, ge=-1000, le=1000)
    """Depth samples between the surface and the window of the maps."""
    enface_depth_px: int = Field(80, ge=1)
    """Depth samples in the window of the maps."""
    scattering: bool = False
    """Write the map of the scattering coefficient, mus."""
    max_noise_floor_db: float = 70
    """Deep intensity from which a tile is taken for noise and refused."""
    min_surface_step_db: float = Field(3, ge=0)
    """Rise of the smoothed intensity that makes a found surface believable."""
    min_surface_found_fraction: float = Field(0, ge=0, le=1)
    """Share of A-lines with a believable surface below which a tile carries a warning; tiles
    beside the tissue have none, so raise it only where all tiles lie on tissue."""
    min_snr_db: float = Field(10, ge=0)
    """Median peak above the noise floor below which a tile carries a warning."""
    max_failed_tiles: int = Field(5, ge=0)
    """Tiles of a batch that may fail before the batch counts as failed."""
