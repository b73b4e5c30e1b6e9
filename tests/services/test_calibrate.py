import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from octflow.core.dispersion import depth_profiles, sharpness
from octflow.core.errors import DataError
from octflow.core.instrument import Camera
from octflow.services.calibrate import calibrate, write_calibration
from octflow.simulate.presets import preset
from octflow.simulate.spectrometer import dispersion_phase
from octflow.simulate.tiles import tile_spectra
from octflow.workflow.config import read_config

TINY = preset("tiny")
TRUE_RAD = dispersion_phase(np.arange(2048.0), TINY.dispersion_rad)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A simulated tile, with its microscope's dispersion."""
    path = tmp_path_factory.mktemp("raw") / "mosaic_001_image_0001_spectral_0001.nii"
    path.write_bytes(bytes(352) + tile_spectra(TINY, 1, 1).tobytes())
    return path


@pytest.fixture(scope="module")
def found(raw):
    return calibrate([raw], instrument=TINY.instrument, experiment=TINY.experiment)


def test_profiles_of_tissue_are_as_sharp_as_with_the_true_phase(found):
    (estimate,) = found.estimates
    truth = sharpness(depth_profiles(found.fringes, TRUE_RAD))
    assert estimate.sharpness_after > 0.995 * truth
    assert estimate.sharpness_after > 1.02 * estimate.sharpness_before


def test_the_phase_is_the_true_one_where_there_is_light_up_to_a_straight_line(found):
    m = np.arange(2048)
    light = np.exp(-(((m - 1023.5) / 410) ** 2) / 2)
    error = found.phases_rad - TRUE_RAD
    line = np.polyval(np.polyfit(m, error, 1, w=np.sqrt(light)), m)
    assert np.sqrt(np.average((error - line) ** 2, weights=light)) < 0.4


def test_true_wavelength_maps_agree(found):
    assert found.maps_agree is True
    assert any("wavelength maps: agree" in line for line in found.words())


def test_a_wrong_wavelength_map_shifts_one_camera_more_and_more_with_depth(raw):
    first, second = TINY.instrument.cameras
    wrong = Camera(slope_nm=second.slope_nm, offset_nm=second.offset_nm + 1.5)
    instrument = TINY.instrument.model_copy(update={"cameras": (first, wrong)})
    found = calibrate([raw], instrument=instrument, experiment=TINY.experiment)
    shifts_px = [s.shift_px for s in found.shifts]
    assert shifts_px == sorted(shifts_px)
    assert found.maps_agree is False


def test_a_dispersion_in_use_is_never_replaced(found, tmp_path):
    phases, picture, preset = write_calibration(found, tmp_path, TINY.instrument)
    assert np.fromfile(phases).shape == (2048,)
    assert picture.stat().st_size > 0
    used = read_config({"instrument": {"preset": str(preset)}}).instrument
    assert used.dispersion_file == str(phases)
    assert used.cameras == TINY.instrument.cameras
    with pytest.raises(DataError, match="found a file, expected none"):
        write_calibration(found, tmp_path, TINY.instrument)


def test_the_command_says_what_it_found(raw, tmp_path):
    config = {"experiment": TINY.experiment.plain(), "instrument": TINY.instrument.plain()}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    options = ["--raw", raw, "--config", tmp_path / "c.yaml", "--out", tmp_path / "new"]
    command = [sys.executable, "-m", "octflow.cli", "calibrate", *map(str, options), "--each"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert "camera 1: dispersion" in done.stdout
    assert np.fromfile(tmp_path / "new" / "dispersion.dat").shape == (4096,)
