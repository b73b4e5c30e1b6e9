"""What is known of the microscope before it scans."""

from typing import Annotated

from pydantic import Field

from octflow.core.settings import Settings

N_SPECTRAL = 2048
"""Samples of one spectrum, per camera."""
FIRST_BIN = 24
"""First Fourier bin kept: what lies before it is the autocorrelation of the source."""
N_DEPTH = 1000
"""Depth samples kept, bins 24 to 1023."""

Positive = Annotated[float, Field(gt=0)]


class Camera(Settings):
    """The wavelength map of one camera: lambda(p) = slope * p + offset, p from 1."""

    slope_nm: Positive
    """Wavelength step from one pixel to the next."""
    offset_nm: Positive
    """Wavelength of the (imaginary) pixel 0."""


class Instrument(Settings):
    """The microscope: optics, voxel size and spectrometer calibration."""

    name: str = "example"
    """Name of the preset in config/instruments it was taken from."""
    wavelength_um: Positive = 1.3
    """Centre wavelength; turns retardance into birefringence."""
    voxel_x_um: Positive = 10.0
    """Step between A-lines."""
    voxel_y_um: Positive = 10.0
    """Step between B-lines."""
    voxel_z_um: Positive = 2.5
    """Depth step of the reconstructed volumes."""
    cameras: tuple[Camera, Camera] = (
        Camera(slope_nm=0.159377, offset_nm=1146.436),
        Camera(slope_nm=0.159057, offset_nm=1146.579),
    )
    """Wavelength maps of channel 1 and of channel 2 (after undoing its reversal)."""
    dispersion_file: str | None = None
    """float64 phases in rad on the common wavenumber grid: 2048 for both cameras, or 4096."""
    dispersion_id: str | None = None
    """Digest of that file, filled in when it is read: another content is another reconstruction."""

    @property
    def voxel_size_mm(self) -> tuple[float, float, float]:
        """Voxel size (x, y, z) in mm."""
        return (self.voxel_x_um / 1000, self.voxel_y_um / 1000, self.voxel_z_um / 1000)
