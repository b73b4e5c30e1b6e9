import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from octflow.simulate.slice_maps import affine_of, two_maps

WAY = affine_of(0, rotation_deg=20, scale=1.1, shear=0.05, shift_px=(9, 5), centre_px=(150, 100))


def moving_on_fixed(maps):
    y, x = np.indices(maps.fixed.shape)
    to_x, to_y = np.tensordot(maps.matrix, np.stack([x, y, np.ones(x.shape)]), axes=1)
    return map_coordinates(maps.moving, [to_y, to_x], order=1, cval=np.nan)


def test_without_tilt_both_maps_show_the_same_at_places_the_affine_names():
    maps = two_maps((200, 300), WAY, tilt_deg=0, snr_db=80, seed=1)
    seen = moving_on_fixed(maps)
    both = np.isfinite(seen) & np.isfinite(maps.fixed)
    assert both.mean() > 0.3
    assert np.abs(seen - maps.fixed)[both].max() < 0.03 * np.nanmax(maps.fixed)


def test_a_tilt_changes_the_contrast_of_fibres():
    maps = two_maps((200, 300), affine_of(15), tilt_deg=15, snr_db=80, seed=1)
    seen = moving_on_fixed(maps)
    both = np.isfinite(seen) & np.isfinite(maps.fixed)
    assert 0.05 < np.abs(seen - maps.fixed)[both].mean() / maps.fixed[both].mean() < 0.6


def test_noise_has_the_power_that_is_asked_for():
    noisy, clean = (two_maps((200, 300), WAY, tilt_deg=0, snr_db=s, seed=1) for s in (20, 120))
    noise, signal = (np.nanmean(m**2) for m in (noisy.fixed - clean.fixed, clean.fixed))
    assert 10 * np.log10(signal / noise) == pytest.approx(20, abs=0.3)


def test_the_error_of_a_shift_is_its_length():
    maps = two_maps((100, 100), affine_of(10), tilt_deg=10, snr_db=20, seed=1)
    assert maps.error_px(affine_of(10, shift_px=(-6, 8))) == pytest.approx(10)
