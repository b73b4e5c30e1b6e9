"""Settings of a simulated acquisition."""

from typing import Literal

from pydantic import Field, model_validator

from octflow.core.errors import SettingsError
from octflow.core.experiment import Experiment
from octflow.core.instrument import Instrument
from octflow.core.settings import Settings

NameStyle = Literal["counter", "stage", "cropped"]


class CameraNoise(Settings):
    """Light and noise of the spectrometer; the defaults put the noise floor near 50 dB."""

    source_counts: float = Field(2000.0, gt=0, le=3000)
    """Counts of the reference light at the centre of the source spectrum."""
    fixed_pattern_fraction: float = Field(0.03, ge=0, le=0.2)
    """Ripple of the reference light over the camera, the same in all A-lines."""
    electrons_per_count: float = Field(45.0, gt=0)
    """Photo-electrons per count: sets the shot noise."""
    read_counts: float = Field(1.5, ge=0)
    """Standard deviation of the read-out noise."""


class Simulation(Settings):
    """An experiment to be simulated: sample, microscope, scan and file format."""

    seed: int = Field(1, ge=0)
    """Decides sample, speckle, jitter and noise; same seed, same bytes."""
    n_slices: int = Field(2, ge=1)
    """Slices cut from the sample."""
    experiment: Experiment = Experiment()
    """Illumination table, grid and scan order."""
    instrument: Instrument = Instrument()
    """Optics and spectrometer calibration."""
    raw_kind: Literal["spectral", "spectral_12bit", "complex"] = "spectral"
    """Format of the raw tiles."""
    name_style: NameStyle = "counter"
    """counter: names with a running number; stage: older spectral names with stage positions;
    cropped: complex tiles named ..._processed_cropped."""
    interleaved: bool = False
    """One raw file holds all illuminations of a slice, A-line by A-line."""
    slice_thickness_um: float = Field(500.0, gt=0)
    """Distance between the surfaces of consecutive slices."""
    surface_depth_px: float = Field(150.0, ge=30, le=300)
    """Mean depth index of the sample surface."""
    surface_relief_px: float = Field(25.0, ge=0, le=100)
    """Largest deviation of the surface from its mean depth."""
    agar_margin_px: float = Field(14.0, ge=0)
    """Agar between the edge of the scanned field and the tissue."""
    axis_offset_deg: float = 100.0
    """Offset between the phase difference of the channels and twice the axis angle, halved."""
    jitter_px: float = Field(1.5, ge=0)
    """Largest error of a stage position, per axis; repeated on every slice."""
    skew_deg: float = Field(1.0, ge=-10, le=10)
    """Angle of the stage axes against the scan axes."""
    stage_drift_px: float = Field(0.0, ge=0)
    """Standard deviation of what differs in a stage position from slice to slice."""
    view_rotation_deg: float = Field(0.5, ge=-10, le=10)
    """Rotation of every view after the first about the beam."""
    view_shift_px: tuple[float, float] = (4.0, -3.0)
    """Shift (x, y) of every view after the first."""
    focus_scale: float = Field(1.0, ge=0, le=5)
    """Scales the field curvature; 1 lets the surface pattern span some 10 to 20 depth samples."""
    dispersion_rad: float = Field(12.0, ge=-50, le=50)
    """Dispersion phase at the edges of the spectrum."""
    noise: CameraNoise = CameraNoise()
    """Light and noise of the cameras."""

    @model_validator(mode="after")
    def _check_interleaved(self) -> "Simulation":
        if self.interleaved:
            if self.raw_kind == "complex":
                raise SettingsError("interleaved: found complex tiles, expected spectra")
            self.experiment.interleaved()
        return self
