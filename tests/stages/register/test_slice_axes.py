"""Fibre axes of simulated slices with sharp bundles, through the files of the whole stage."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter

from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.io.nifti import read_nifti
from octflow.simulate.fibre_maps import fibre_maps, write_measured
from octflow.simulate.slice_maps import affine_of
from octflow.stages.register.files import register_slice
from octflow.stages.register.settings import RegisterSettings

from flags import write_flag

SHAPE = (300, 400)
TILTS_DEG = {"normal": 0, "tilted": -15}
WAY = affine_of(
    -15, rotation_deg=2, shear=0.03, scale=1.03, shift_px=(30, 30), centre_px=(200, 150)
)


def write_view(folder, name, mosaic, measured):
    unit = {"slice": 1, "mosaic": mosaic, "illumination": name}
    return write_flag(folder / name, outputs=write_measured(folder, name, measured), unit=unit)


def registered(folder, maps, threads=1, **settings):
    return register_slice(
        stitched=[
            write_view(folder, name, i, measured)
            for i, (name, measured) in enumerate(
                zip(TILTS_DEG, (maps.fixed, maps.moving), strict=True), start=1
            )
        ],
        overview=folder / "overview.jpg",
        folder=folder / "out",
        illuminations=[
            Illumination(name=n, tilt_deg=g, grid_size_x=1) for n, g in TILTS_DEG.items()
        ],
        slice_id=1,
        instrument=Instrument(),
        settings=RegisterSettings(**settings),
        threads=threads,
    )


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """Truth, record and maps of slices with noise 20 dB below them."""
    every = []
    for seed in (1, 2, 3, 4):
        maps = fibre_maps(SHAPE, WAY, tilt_deg=-15, snr_db=20, seed=seed)
        outcome = registered(tmp_path_factory.mktemp("slice"), maps)
        products = {p.role: read_nifti(Path(p.path)) for p in outcome.outputs if ".nii" in p.path}
        products["axis3d"] = products["axis3d"].reshape(3, *SHAPE)
        every.append((maps, outcome, products))
    return every


@pytest.fixture(params=range(4))
def found(slices, request):
    """One of them."""
    return slices[request.param]


def test_axes_err_by_3_degrees_in_the_median_and_10_in_the_95th_percentile(found):
    maps, _, products = found
    valid = products["valid"] > 0
    errors = maps.errors_deg(products["axis3d"])[valid]
    assert valid.sum() > 0.85 * maps.fixed.tissue.sum()
    assert np.median(errors) <= 3
    assert np.percentile(errors, 95) <= 10


def sign_is_clear(maps, products):
    """Inclinations more than three predicted deviations away from 0 and from the pole."""
    _, true = maps.inclinations_deg(products["axis3d"])
    sigma = 3 * products["uncertainty_inclination"]
    return (products["valid"] > 0) & (np.abs(true) > sigma) & (90 - np.abs(true) > sigma)


def between_the_beams(maps):
    """Fibres in the plane of the tilt and between both beams, which look like another fibre."""
    g = np.deg2rad(-15)
    turned = maps.axis[0] * (np.cos(g) * maps.axis[0] - np.sin(g) * maps.axis[2])
    return (turned < 0) & (np.abs(maps.axis[1]) < 0.05)


def test_signs_of_the_inclination_are_right_where_they_can_be_told(found):
    maps, _, products = found
    inclination, true = maps.inclinations_deg(products["axis3d"])
    assert np.mean((inclination * true > 0)[sign_is_clear(maps, products)]) > 0.99


@pytest.mark.parametrize("azimuths_deg", [(-90, -45), (-45, 0), (0, 45), (45, 90)])
def test_beside_rims_no_azimuth_has_a_wrong_sign_of_the_inclination(slices, azimuths_deg):
    right = []
    for maps, _, products in slices:
        inclination, true = maps.inclinations_deg(products["axis3d"])
        azimuth, dn = np.rad2deg(np.arctan(maps.axis[1] / maps.axis[0])), maps.birefringence
        chosen = (azimuth > azimuths_deg[0]) & (azimuth <= azimuths_deg[1])
        chosen &= sign_is_clear(maps, products) & ~between_the_beams(maps)
        chosen &= maximum_filter(dn, 5) == minimum_filter(dn, 5)
        right.append((inclination * true > 0)[chosen])
    assert sum(map(len, right)) > 10_000
    assert np.mean(np.concatenate(right)) > 0.998


def test_predicted_errors_of_the_inclination_are_the_observed_ones(found):
    maps, _, products = found
    inclination, true = maps.inclinations_deg(products["axis3d"])
    sigma = products["uncertainty_inclination"]
    valid = (products["valid"] > 0) & (np.abs(true) < 70)
    for low, high in ((0, 0.5), (0.5, 1)):
        bounds = np.quantile(sigma[valid], (low, high))
        chosen = valid & (sigma >= bounds[0]) & (sigma <= bounds[1])
        width = 1.4826 * np.median(np.abs((inclination - true) / sigma)[chosen])
        assert width == pytest.approx(1, abs=0.2)


def test_the_noise_of_single_pixels_is_found(found):
    maps, outcome, _ = found
    assert outcome.qc["noise_root_dn"] == pytest.approx(maps.noise_root_dn, rel=0.35)
    assert 100 < outcome.qc["averaged_pixels"] < 250


def test_narrow_bundles_are_not_mixed_with_what_is_beside_them(tmp_path):
    maps = fibre_maps(SHAPE, WAY, tilt_deg=-15, snr_db=20, seed=5, bundle_px=12)
    outcome = registered(tmp_path, maps)
    products = {p.role: read_nifti(Path(p.path)) for p in outcome.outputs if ".nii" in p.path}
    errors = maps.errors_deg(products["axis3d"].reshape(3, *SHAPE))[products["valid"] > 0]
    assert np.median(errors) <= 3
    assert np.percentile(errors, 95) <= 10


def test_two_threads_write_the_same_bytes_as_one(tmp_path):
    maps = fibre_maps((200, 260), np.eye(2, 3), tilt_deg=-15, snr_db=20, seed=4)
    written = []
    for threads in (1, 2):
        (tmp_path / f"{threads}").mkdir()
        outcome = registered(tmp_path / f"{threads}", maps, threads)
        written.append([p.id for p in outcome.outputs])
    assert written[0] == written[1]


def test_without_smoothing_nothing_is_averaged(tmp_path):
    maps = fibre_maps((150, 200), np.eye(2, 3), tilt_deg=-15, snr_db=20, seed=4)
    outcome = registered(tmp_path, maps, axis_smoothing="none")
    products = {p.role: read_nifti(Path(p.path)) for p in outcome.outputs if ".nii" in p.path}
    errors = maps.errors_deg(products["axis3d"].reshape(3, 150, 200))
    assert "averaged_pixels" not in outcome.qc
    assert np.nanmedian(errors) > 10
