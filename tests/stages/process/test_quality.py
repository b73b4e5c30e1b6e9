"""Quality numbers on volumes with known ones, verdicts on both sides of their bounds."""

from pathlib import Path

import numpy as np
import pytest
import scipy.fft

from octflow.core.errors import DataError
from octflow.core.gates import AtMost, judged
from octflow.simulate.uniform import uniform_jones
from octflow.stages.process.contrast import contrasts
from octflow.stages.process.quality import (
    clear_nonfinite,
    edge_px,
    judge_tile,
    mean_noise,
    noise_floor_db,
    refuse,
)
from octflow.stages.process.settings import TileBounds
from octflow.stages.process.surface import find_surface, smooth_surface


def judge(intensity_db):
    surface = find_surface(intensity_db)
    surf = smooth_surface(surface.index_px)
    maps = {"surf": surf, "surfraw": surface.index_px, "mip": intensity_db.max(axis=0)}
    return judge_tile(maps, surface, intensity_db, noise_db=40, min_step_db=3)


def step(depth_px=60):
    z = np.broadcast_to(np.arange(300)[:, None, None], (300, 5, 6))
    return np.where(z < depth_px, 40, 70).astype(np.float32)


def dispersed(jones, strength_rad):
    """Multiply the spectra by a phase, quadratic over the spectrum: what was not corrected."""
    bins = np.zeros((2, 2048, *jones.shape[2:]), np.complex64)
    bins[:, 24:1024] = jones
    phase = strength_rad * np.linspace(-1, 1, 2048) ** 2
    spectra = scipy.fft.ifft(bins, axis=1) * np.exp(-1j * phase)[None, :, None, None]
    return scipy.fft.fft(spectra, axis=1)[:, 24:1024].astype(np.complex64)


def test_a_step_is_judged_perfect():
    qc = judge(step())
    assert qc.pop("surface_edge_px") == pytest.approx(0.8)
    assert qc == {
        "noise_floor_db": 40,
        "snr_db": 30,
        "surface_roughness_px": 0,
        "surface_found_fraction": 1,
    }


def test_noise_has_no_believable_surface_and_no_edge():
    field = np.random.default_rng(0).normal(size=(2, 500, 20, 20, 2)).view(complex)[..., 0]
    qc = judge(10 * np.log10((np.abs(field) ** 2).sum(axis=0)).astype(np.float32))
    assert qc["surface_found_fraction"] < 0.05
    assert "surface_edge_px" not in qc


def test_a_surface_that_was_given_is_not_judged():
    surface = find_surface(step())._replace(step_db=np.full((5, 6), np.nan, np.float32))
    maps = dict.fromkeys(("surf", "surfraw", "mip"), surface.index_px)
    qc = judge_tile(maps, surface, step(), noise_db=40, min_step_db=3)
    assert not {"surface_found_fraction", "surface_edge_px"} & set(qc)


def test_a_linear_rise_has_the_width_of_its_tenths():
    level = np.clip((np.arange(100) - 50) / 10, 1e-4, 1)
    intensity_db = np.broadcast_to(10 * np.log10(level)[:, None, None], (100, 4, 4))
    here = np.full((4, 4), 55, np.float32)
    width_px = edge_px(intensity_db.astype(np.float32), here, np.ones((4, 4), bool))
    assert width_px == pytest.approx(8, abs=0.01)


def test_the_edge_is_wide_where_dispersion_was_left():
    jones = uniform_jones(5e-4, snr_db=25)[0]
    found = [
        judge(contrasts(dispersed(jones, strength)).intensity_db)["surface_edge_px"]
        for strength in (0, 12)
    ]
    assert found[0] < TileBounds().surface_edge_px.warn < found[1]


def test_samples_that_are_not_finite_are_cleared_and_counted():
    jones = np.ones((2, 3, 4, 5), np.complex64)
    jones[0, 1, 2, 3], jones[1, 0, 0, 0], jones[1, 2, 3, 4] = np.nan, np.inf, complex(1, np.nan)
    part = jones[:, :, 1:]
    assert clear_nonfinite(part) == 2
    assert clear_nonfinite(jones) == 1
    assert jones.sum() == 2 * 3 * 4 * 5 - 3


def test_noise_is_that_of_the_deepest_samples():
    assert noise_floor_db(step(250)) == 55
    assert mean_noise(step(250)) == pytest.approx((1e4 + 1e7) / 2)


def test_a_refusal_names_number_and_bound():
    gates = judged({"noise_floor_db": 96.4}, {"noise_floor_db": AtMost(warn=60, fail=70)})
    said = r"a.nii: found a noise floor of 96.4 dB, expected at most 70 dB"
    with pytest.raises(DataError, match=said):
        refuse(Path("a.nii"), gates)
