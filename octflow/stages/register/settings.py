"""What a user can choose in stage register."""

from typing import Literal

from pydantic import Field

from octflow.core.settings import Settings


class RegisterSettings(Settings):
    """How illuminations of one slice are registered and turned into 3-D fibre axes."""

    image: Literal["biref", "aip", "mip", "ret"] = "biref"
    """Map that the registration compares between illuminations."""
    smoothing_px: float = Field(2.0, ge=0, le=50)
    """Sigma of the Gaussian applied to both maps before they are compared."""
    bins: int = Field(32, ge=8, le=256)
    """Histogram bins of the mutual information."""
    levels: int = Field(3, ge=1, le=8)
    """Steps of the resolution pyramid, each twice as fine as the one before."""
    iterations: int = Field(200, ge=1, le=10_000)
    """Most steps of the optimiser per level."""
    largest_level_px: int = Field(2_000_000, ge=1024)
    """Pixels of the finest level; larger maps are compared at half, a third, ... resolution."""
    axis_smoothing_px: float = Field(1.0, ge=0, le=50)
    """Sigma of the Gaussian over birefringence and axis before the 3-D axis is solved for."""
    axis_noise_root_dn: float = Field(0.0, ge=0, lt=1)
    """Noise of a view in root of birefringence; 0 takes it from the misfit of the views."""
    view_weights: dict[str, float] = Field(default_factory=dict)
    """Weight of an illumination in the least squares, by name; 1 where it is not named."""
    min_overlap_fraction: float = Field(0.5, ge=0, le=1)
    """Part of the tissue that both illuminations must see."""
    max_rotation_deg: float = Field(5.0, gt=0, le=45)
    """Largest believable rotation between two illuminations."""
    max_stretch_fraction: float = Field(0.1, gt=0, le=0.5)
    """Largest believable scale or shear beyond the foreshortening by the tilt."""
    colour_window_dn: tuple[float, float] = (0.0, 1.2e-3)
    """Birefringence shown black and shown at full brightness."""
