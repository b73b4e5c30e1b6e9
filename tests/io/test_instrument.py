import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.core.instrument import Instrument
from octflow.io.digest import fast_id
from octflow.io.instrument import instrument_files, read_calibration

LINES = ((0.159377, 1146.436), (0.159057, 1146.579))


def table(bend_nm=0.0, n=9):
    """What a calibration against known wavelengths gives: pixels of lines, to 0.01 px."""
    wavelengths_nm = np.linspace(1160, 1460, n)
    away = bend_nm * np.sin(np.linspace(0, np.pi, n))
    pixels = [(wavelengths_nm + away - offset) / slope for slope, offset in LINES]
    rows = zip(wavelengths_nm, *pixels, strict=True)
    return "# nm, camera 1, camera 2\n" + "".join(
        "{:.3f}, {:.2f}, {:.2f}\n".format(*row) for row in rows
    )


def read(tmp_path, text, bound=0.1):
    (tmp_path / "table.txt").write_text(text)
    return read_calibration(tmp_path / "table.txt", max_residual_nm=bound)


def test_wavelength_maps_are_the_lines_the_table_was_made_of(tmp_path):
    found = read(tmp_path, table())
    pixel = np.arange(1, 2049)
    for camera, (slope, offset) in zip(found.cameras, LINES, strict=True):
        fitted = camera.slope_nm * pixel + camera.offset_nm
        np.testing.assert_allclose(fitted, slope * pixel + offset, atol=2e-3)
    assert found.residual_nm < 2e-3


def test_the_fit_is_that_of_least_squares(tmp_path):
    text = table(bend_nm=0.05)
    rows = np.array([line.split(",") for line in text.splitlines()[1:]], float)
    found = read(tmp_path, text)
    for camera, pixel in zip(found.cameras, rows[:, 1:].T, strict=True):
        expected = np.polyfit(pixel, rows[:, 0], 1)
        np.testing.assert_allclose((camera.slope_nm, camera.offset_nm), expected, rtol=1e-10)
    assert 0.02 < found.residual_nm < 0.06


def test_blanks_serve_as_well_as_commas(tmp_path):
    assert read(tmp_path, table()) == read(tmp_path, table().replace(",", "\t"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (table(bend_nm=0.5), r"nm from the straight line of camera 1, expected at most 0.1 nm"),
        (table(n=2), "found 2 lines, expected at least 3"),
        ("1200 300\n", "found line 1: '1200 300', expected lines of wavelength in nm, pixel"),
        ("1200 300 0\n", "found line 1: '1200 300 0', expected pixels from 1 to 2048"),
        ("1200 300 nan\n", "expected pixels from 1 to 2048"),
        ("1200 3 3\n1300 2 2\n1400 1 1", "expected wavelengths that grow with the pixel"),
        ("1200 3 3\n1300 3 4\n1400 3 5", "found 1 different pixels of camera 1"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(DataError, match="found no such file or directory, expected a table"):
        read_calibration(tmp_path / "none.txt", max_residual_nm=0.1)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="found bytes that are not text"):
        read_calibration(tmp_path / "binary", max_residual_nm=0.1)


def test_the_files_of_an_instrument_are_described_with_their_digests(tmp_path):
    paths = {name: tmp_path / name for name in ("preset", "calibration_file", "dispersion_file")}
    for name, path in paths.items():
        path.write_text(name)
    found = instrument_files(Instrument(**{name: str(path) for name, path in paths.items()}))
    assert [(p.role, p.id) for p in found] == [
        ("instrument", fast_id(paths["preset"])),
        ("calibration", fast_id(paths["calibration_file"])),
        ("dispersion", fast_id(paths["dispersion_file"])),
    ]
    paths["preset"].unlink()
    with pytest.raises(DataError, match="preset: found no file, expected the instrument"):
        instrument_files(Instrument(preset=str(paths["preset"])))
