"""Files that describe the microscope: wavelength calibration, preset, dispersion."""

from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

from octflow.core.errors import DataError
from octflow.core.instrument import Camera, Instrument
from octflow.core.record import Product
from octflow.io.records import product

_MOST_PIXEL, _FEWEST_LINES = 2048, 3
_ROLES = {
    "instrument": "preset",
    "calibration": "calibration_file",
    "dispersion": "dispersion_file",
}


class Calibration(NamedTuple):
    """Wavelength maps of both cameras, and the largest distance of the table from them."""

    cameras: tuple[Camera, Camera]
    residual_nm: float


def read_calibration(path: Path, *, max_residual_nm: float) -> Calibration:
    """Fit a straight line through wavelength over pixel for each camera, by least squares.

    Parameters
    ----------
    path : Path
        Text: lines of wavelength (nm), pixel of camera 1, pixel of camera 2, separated by blanks
        or commas, at least three; pixels count from 1 and may be fractional, those of camera 2
        after its reversal is undone. What follows # is a comment.
    max_residual_nm : float
        Largest distance from the lines that is accepted.

    Raises
    ------
    DataError
        Not such a table, or not straight.
    """
    wavelengths_nm, *pixels = zip(*_table(path), strict=True)
    cameras, residual_nm = [], 0.0
    for number, pixel in enumerate(pixels, start=1):
        if len(set(pixel)) < _FEWEST_LINES:
            found = f"{len(set(pixel))} different pixels of camera {number}"
            raise DataError(path, found=found, expected=f"at least {_FEWEST_LINES}")
        slope_nm, offset_nm = linear_regression(pixel, wavelengths_nm)
        if slope_nm <= 0 or offset_nm <= 0:
            found = f"camera {number}: wavelength = {slope_nm:g} nm * pixel + {offset_nm:g} nm"
            raise DataError(path, found=found, expected="wavelengths that grow with the pixel")
        far_nm, at = max(
            (abs(slope_nm * p + offset_nm - w), w)
            for p, w in zip(pixel, wavelengths_nm, strict=True)
        )
        if far_nm > max_residual_nm:
            found = f"{at:g} nm at {far_nm:.3f} nm from the straight line of camera {number}"
            expected = f"at most {max_residual_nm:g} nm (instrument.max_calibration_residual_nm)"
            raise DataError(path, found=found, expected=expected)
        cameras.append(Camera(slope_nm=slope_nm, offset_nm=offset_nm))
        residual_nm = max(residual_nm, far_nm)
    return Calibration((cameras[0], cameras[1]), residual_nm)


def _table(path: Path) -> list[tuple[float, float, float]]:
    expected = "lines of wavelength in nm, pixel of camera 1, pixel of camera 2"
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "bytes that are not text"
        raise DataError(path, found=found.lower(), expected="a table of text") from error
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            wavelength_nm, first, second = (float(word) for word in words)
        except ValueError as error:
            found = f"line {number}: {line.strip()!r}"
            raise DataError(path, found=found, expected=expected) from error
        if not (wavelength_nm > 0 and 1 <= first <= _MOST_PIXEL and 1 <= second <= _MOST_PIXEL):
            found = f"line {number}: {line.strip()!r}"
            raise DataError(path, found=found, expected=f"pixels from 1 to {_MOST_PIXEL}")
        rows.append((wavelength_nm, first, second))
    if len(rows) < _FEWEST_LINES:
        raise DataError(path, found=f"{len(rows)} lines", expected=f"at least {_FEWEST_LINES}")
    return rows


def instrument_files(instrument: Instrument) -> list[Product]:
    """Describe the files that an instrument was read from: preset, calibration, dispersion.

    Raises
    ------
    DataError
        One is gone.
    """
    files = []
    for role, field in _ROLES.items():
        if (name := getattr(instrument, field)) is None:
            continue
        if not Path(name).is_file():
            raise DataError(name, found="no file", expected=f"the {role} of the configuration")
        files.append(product(Path(name), role))
    return files
