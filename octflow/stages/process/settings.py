"""Section `process` of the configuration."""

from typing import Annotated, Literal

from pydantic import Field

from octflow.core.backend import BackendName
from octflow.core.gates import AtLeast, AtMost
from octflow.core.settings import Retries, Settings

Modality = Literal["dBI", "R3D", "O3D", "aip", "mip", "ret", "ori", "biref"]


SurfaceRule = Literal["find", "find-threshold", "find-refined"]
MapPath = Annotated[str, Field(pattern=r"\.nii(\.gz)?$")]


class TileBounds(Settings):
    """What a tile is held against; tiles of agar alone must pass the bounds named fail."""

    nan_fraction: AtMost = AtMost(warn=0, fail=0.01)
    """Share of complex samples that are not finite; they count as dark."""
    noise_floor_db: AtMost = AtMost(warn=60, fail=70)
    """Deep intensity: a tile of noise, or one that is saturated, has a high floor."""
    saturated_fraction: AtMost = AtMost(warn=0.001, fail=0.5)
    """Share of saturated camera samples, where the raw tile was looked at."""
    snr_db: AtLeast = AtLeast(warn=5, fail=0)
    """Median peak above the noise floor; the peak of noise alone lies some 6 dB above it, and a
    tile of agar is no better: refusing it would only leave a hole."""
    surface_edge_px: AtMost = AtMost(warn=3.5, fail=1000)
    """Depth over which the intensity rises at the surface: wide where dispersion is left."""
    surface_found_fraction: AtLeast = AtLeast(warn=0, fail=0)
    """Share of A-lines with a believable surface; tiles beside the tissue have none, so raise
    the bounds only where all tiles lie on tissue."""


class ProcessSettings(Settings):
    """How complex tiles become volumes and maps."""

    modalities: tuple[Modality, ...] = ("dBI", "R3D", "O3D", "aip", "mip", "ret", "ori", "biref")
    """Products to be written; the surface always is."""
    phase_offset_deg: float = Field(100, ge=-360, le=360)
    """Axis angle added to the measured one: the orientation of the instrument."""
    flip_phase: bool = False
    """Negate the measured axis before the offset is added."""
    surface: SurfaceRule | Annotated[int, Field(ge=0)] | MapPath = "find-refined"
    """Rule that finds the surface of the tissue, one depth index for all A-lines, or a NIfTI map
    of the tile's size with the depth index of every A-line; relative to the project folder.
    find-refined: half the height of the edge; find: its steepest rise in dB, which lies one
    sample higher; find-threshold: find, except where an A-line begins inside tissue."""
    surface_id: str | None = None
    """Digest of that map, filled in when it is read: another content is another surface."""
    surface_threshold_db: float = 55
    """Intensity of tissue; find-threshold looks whether an A-line begins inside tissue."""
    enface_offset_px: int = Field(0, ge=-1000, le=1000)
    """Depth samples between the surface and the window of the maps."""
    enface_depth_px: int = Field(80, ge=1)
    """Depth samples in the window of the maps."""
    birefringence: Literal["slope", "fold"] = "fold"
    """fold: rate at which the polarisation turns; ori is then the axis of that turn. slope: of the
    retardance, which folds at 90 degrees and is drawn towards 45 by noise."""
    max_delta_n: float = Field(0.006, gt=0, le=0.1)
    """Largest birefringence that fold looks for."""
    roll_off_db: float = Field(0, ge=0, le=60)
    """Loss of sensitivity at the end of the depth range, a parabola in dB from depth 0; it is
    added to the intensity. 0 leaves the intensity as measured."""
    scattering: bool = False
    """Write the map of the scattering coefficient, mus."""
    scattering_noise: Literal["keep", "subtract"] = "keep"
    """Whether mus takes the noise floor for signal."""
    storage: Literal["float32", "int16"] = "float32"
    """How volumes are stored: int16 halves the disk, to 0.01 dB and 0.003 degrees."""
    min_surface_step_db: float = Field(3, ge=0)
    """Rise of the smoothed intensity that makes a found surface believable."""
    gates: TileBounds = TileBounds()
    """Bounds of the quality of a tile, each with a warning and a refusal."""
    backend: BackendName = "python"
    """Who computes volumes and maps: python, octave, matlab, or matlab-engine; section `matlab`
    says how they are run."""
    backend_id: str | None = None
    """Digest of the functions of the others, filled in when it is read."""
    max_failed_tiles: int = Field(5, ge=0)
    """Tiles of a batch that may fail before the batch counts as failed."""
    retries: Retries = Retries()
    """How often a tile is tried again when its failure may pass by itself."""
