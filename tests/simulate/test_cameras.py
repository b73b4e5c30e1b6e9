import numpy as np
import pytest

from octflow.core.instrument import Instrument
from octflow.simulate.cameras import complex_noise, exposed, noise_floor, reference_counts
from octflow.simulate.settings import CameraNoise
from octflow.simulate.spectrometer import camera_positions

FLAT = np.full((2, 2048), 1000.0, np.float32)


def dark_frame(noise, level=0.0, n_x=200):
    return exposed(np.full((2, n_x, 2048), level, np.float32), FLAT, noise, (1, 2))


def test_channel_2_is_stored_reversed(noiseless):
    ramp = np.broadcast_to(np.arange(2048, dtype=np.float32), (2, 1, 2048))
    stored = exposed(ramp, FLAT, noiseless, (1,))
    assert stored[0, 0, :3].tolist() == [1000, 1001, 1002]
    assert stored[1, 0, -3:].tolist() == [1002, 1001, 1000]


def test_counts_are_rounded_and_clipped_to_12_bits(noiseless):
    levels = np.array([-2000, 0.4, 0.6, 5000], np.float32)
    line = np.zeros((2, 1, 2048), np.float32)
    line[0, 0, :4] = levels
    stored = exposed(line, FLAT, noiseless, (1,))
    assert stored.dtype == np.uint16
    assert stored[0, 0, :4].tolist() == [0, 1000, 1001, 4095]


def test_noise_variance_is_shot_plus_read_plus_rounding():
    noise = CameraNoise(electrons_per_count=40, read_counts=2)
    assert dark_frame(noise).var() == pytest.approx(1000 / 40 + 4 + 1 / 12, rel=0.01)


def test_noise_has_no_bias():
    assert dark_frame(CameraNoise()).mean() == pytest.approx(1000, abs=0.03)


def test_noise_floor_is_what_the_definition_reconstructs(intensity):
    noise = CameraNoise()
    reference = reference_counts(camera_positions(Instrument()), noise, 1)
    frame = exposed(np.zeros((2, 200, 2048), np.float32), reference, noise, (3,))
    found = intensity(frame[None], 0.0)
    assert 10 * np.log10(found[..., :500].mean() / noise_floor(noise)) == pytest.approx(0, abs=1.5)


def test_noise_of_complex_tiles_has_the_level_of_the_noise_floor():
    noise = CameraNoise()
    values = complex_noise(50, noise, (1,))
    assert (np.abs(values) ** 2).sum(axis=0).mean() == pytest.approx(noise_floor(noise), rel=0.02)


def test_reference_light_has_its_peak_in_the_middle_of_the_band():
    reference = reference_counts(camera_positions(Instrument()), CameraNoise(), 1)
    smooth = np.convolve(reference[0], np.ones(101) / 101, mode="valid")
    assert smooth.max() == pytest.approx(2060, rel=0.03)
    assert abs(smooth.argmax() + 50 - 1024) < 150
