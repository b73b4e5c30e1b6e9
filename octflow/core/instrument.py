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
    """Name in records."""
    preset: str | None = None
    """Name of a file in config/instruments, or path of such a file: it holds what is not said
    here. Paths in it start at its own folder."""
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
    calibration_file: str | None = None
    """Table of wavelengths and the pixels that see them, which the wavelength maps are fitted to
    in place of `cameras`: lines of wavelength in nm, pixel of camera 1, pixel of camera 2."""
    max_calibration_residual_nm: Positive = 0.1
    """Largest distance of the table from the fitted straight lines."""
    calibration_residual_nm: float | None = None
    """That distance, filled in when the table is read."""
    dispersion_file: str | None = None
    """float64 phases in rad on the common wavenumber grid: 2048 for both cameras, or 4096."""
    dispersion_id: str | None = None
    """Digest of that file, filled in when it is read: another content is another reconstruction."""

    @property
    def voxel_size_mm(self) -> tuple[float, float, float]:
        """Voxel size (x, y, z) in mm."""
        return (self.voxel_x_um / 1000, self.voxel_y_um / 1000, self.voxel_z_um / 1000)
