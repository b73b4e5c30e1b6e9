"""What a user can choose in stage register."""

from typing import Literal

from pydantic import Field

from octflow.core.backend import BackendName
from octflow.core.gates import AtLeast, AtMost
from octflow.core.settings import Settings


class RegisterBounds(Settings):
    """What the affine between two illuminations is held against; one that fails is not used."""

    overlap_fraction: AtLeast = AtLeast(warn=0.7, fail=0.5)
    """Part of the smaller tissue that both illuminations see."""
    rotation_deg: AtMost = AtMost(warn=4, fail=5)
    """Rotation between the illuminations, either way."""
    stretch_fraction: AtMost = AtMost(warn=0.07, fail=0.1)
    """Scale or shear beyond the foreshortening by the tilt."""
    information_gain_nats: AtLeast = AtLeast(fail=-0.01)
    """Mutual information won; a good guess cannot be improved, and a last step may overshoot."""
    residual_px: AtMost = AtMost(warn=2, fail=8)
    """Root mean square shift of patches afterwards: more is no affine, or not this one."""
    recognised_fraction: AtLeast = AtLeast(warn=0.3)
    """Part of the patches of tissue that show in both illuminations, near their place; smooth
    tissue shows little, so that a refusal is left to be set."""


class InDepth(Settings):
    """How volumes of illuminations are brought together, and fibres found in depth."""

    shear: bool = True
    """Oblique beams move on along x with depth; false for volumes that hide it, as simulated ones
    do."""
    window_px: int = Field(60, ge=8, le=500)
    """Depth samples that the fibres of a voxel are estimated from."""
    smoothing_px: float = Field(1.0, ge=0, le=20)
    """Sigma of the Gaussian across A-lines within that window."""
    largest_dn: float = Field(3e-3, gt=0, lt=0.1)
    """Birefringence that must not be mistaken for a smaller one: it limits the lag between the
    samples that are compared."""
    min_coherence: float = Field(0.9, ge=0, le=1)
    """Agreement of the samples of a window, 1 without noise, below which a voxel has no fibres."""
    chunk_px: tuple[int, int, int] = (64, 64, 64)
    """Voxels (z, y, x) compressed together."""
    shard_px: tuple[int, int, int] = (256, 256, 256)
    """Voxels (z, y, x) in one file."""


ABOUT_VOLUMES = frozenset({"volumes", "inclination", "in_depth"})
"""Settings that say nothing of what is made from maps."""


class RegisterSettings(Settings):
    """How illuminations of one slice are registered and turned into 3-D fibre axes."""

    image: Literal["biref", "aip", "mip", "ret"] = "biref"
    """Map that the registration compares between illuminations."""
    mask: Literal["tissue", "aip", "mip", "none"] = "tissue"
    """Pixels that are solved for: the tissue of the mosaic, what is bright in one of its intensity
    maps, or all that have values. Maps are compared as stage stitch left them; under aip or mip
    there alone."""
    mask_threshold_db: dict[str, float] = Field(default_factory=dict)
    """Intensity from which aip or mip counts as tissue, by name of the illumination; where one is
    not named, its own mask_threshold_db, which is meant for aip."""
    mask_smoothing_px: float = Field(5.0, ge=0, le=50)
    """Sigma of the Gaussian applied to aip or mip before the threshold."""
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
    axis_smoothing: Literal["adaptive", "gaussian", "none"] = "adaptive"
    """How birefringence and axis are averaged before the 3-D axis is solved for: over neighbours
    that all illuminations see alike, over all neighbours, or not."""
    axis_smoothing_px: float = Field(1.0, ge=0, le=50)
    """Sigma of the Gaussian; a lone illumination is always averaged with it."""
    axis_smoothing_radius_px: float = Field(10.0, ge=0, le=50)
    """Radius within which adaptive smoothing looks for like neighbours, at most."""
    axis_goal_deg: float = Field(1.0, gt=0, le=90)
    """Error in depth of a typical flat fibre that adaptive smoothing aims at: less noise than that
    is not averaged, more by larger radii."""
    mode: Literal["closed", "reference"] = "closed"
    """Solve for the 3-D axis in closed form, or go on from there to the minimum of the cost of
    older reconstructions, to compare with their results."""
    axis_noise_root_dn: float = Field(0.0, ge=0, lt=1)
    """Noise of a view in root of birefringence: in single pixels, after a Gaussian that of the
    smoothed maps. 0 takes it from the misfit of the views."""
    view_weights: dict[str, float] = Field(default_factory=dict)
    """Weight of an illumination in the least squares, by name; 1 where it is not named."""
    gates: RegisterBounds = RegisterBounds()
    """Bounds of the quality of a registration, each with a warning and a refusal."""
    volumes: tuple[Literal["dBI", "R3D", "O3D"], ...] = ()
    """Volumes of the other illuminations that are brought onto the voxels of the fixed one."""
    inclination: bool = False
    """Experimental: inclination, azimuth and birefringence of every voxel, as volumes."""
    in_depth: InDepth = InDepth()
    """How both are made."""
    backend: BackendName = "python"
    """Who brings the maps of all illuminations onto the same pixels, averages them and solves for
    the fibre axes: python, octave, matlab, or matlab-engine; section `matlab` says how they are
    run. The affines are found by Python."""
    backend_id: str | None = None
    """Digest of the functions of the others, filled in when it is read."""
    colour_window_dn: tuple[float, float] = (0.0, 1.2e-3)
    """Birefringence shown black and shown at full brightness."""
