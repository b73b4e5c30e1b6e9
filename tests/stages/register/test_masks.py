"""The mask of the registration, on maps that are registered."""

from pathlib import Path

import numpy as np
import pytest

from octflow.core.axial import wrap_axis
from octflow.core.errors import DataError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.records import product
from octflow.stages.register.files import register_slice
from octflow.stages.register.masks import mask_of
from octflow.stages.register.settings import RegisterSettings

from flags import write_flag

SHAPE = (150, 170)
TABLE = [
    Illumination(name="normal", grid_size_x=1, mask_threshold_db=60),
    Illumination(name="tilted", tilt_deg=-15, grid_size_x=1, mask_threshold_db=60),
]
SHIFT_PX = (6.0, -4.0)
CUT = 90
"""Pixels along x, from which on the tissue is too dark for aip."""
SMALL = {"image": "mip", "mask_smoothing_px": 2}
AXIS = np.array([0.8, 0.36, 0.48])
"""Of all fibres."""


def is_tissue(fields):
    return fields.scene() > 55


def write_view(fields, folder, row, lost=()):
    """Maps of a slice whose right part aip shows darkly, mip brightly, beside a bright speck."""
    way = fields.affine(row.tilt_deg, shift=SHIFT_PX if row.tilt_deg else (0, 0))

    def seen(image, noise=0.0):
        return fields.moved(image, way, SHAPE, seed=int(abs(row.tilt_deg)), noise=noise)

    mip = np.where(is_tissue(fields), fields.scene(), 50.0)
    mip[:8, :8] = 90
    aip = np.where(np.arange(SHAPE[1]) < CUT, mip, mip - 12)
    apparent, azimuth = fields.seen_under(AXIS, 8e-4, row.tilt_deg)
    texture = 1 + 0.05 * (mip - 66) / 4
    arrays = {
        "aip": seen(aip, 0.3),
        "mip": seen(mip, 0.3),
        "biref": apparent * seen(texture),
        "ori": np.full(SHAPE, wrap_axis(-azimuth)),
        "mask": seen(is_tissue(fields)) > 0.5,
    }
    listed = []
    for role in arrays.keys() - set(lost):
        path = folder / f"{row.name}_{role}.nii"
        kind = np.uint8 if role == "mask" else np.float32
        write_nifti(path, arrays[role].astype(kind), voxel_size_mm=(0.01, 0.01, 0.0025))
        listed.append(product(path, role))
    unit = {"slice": 1, "mosaic": 1 + TABLE.index(row), "illumination": row.name}
    return write_flag(folder / f"{row.name}.stitched", outputs=listed, unit=unit)


def registered(fields, folder, lost=(), **settings):
    return register_slice(
        stitched=[write_view(fields, folder, row, lost) for row in TABLE],
        overview=folder / "overview.jpg", folder=folder, illuminations=TABLE, slice_id=1,
        instrument=Instrument(), settings=RegisterSettings(**(SMALL | settings)),
    )  # fmt: skip


def solved_for(outcome):
    return read_nifti(Path(next(p.path for p in outcome.outputs if p.role == "valid"))) > 0


def alike(first, second):
    """Dice coefficient."""
    return 2 * np.sum(first & second) / (first.sum() + second.sum())


@pytest.mark.parametrize("mask", ["tissue", "mip"])
def test_tissue_is_found_by_the_mosaic_and_by_mip(fields, tmp_path, mask):
    valid = solved_for(registered(fields, tmp_path, mask=mask))
    assert alike(valid, is_tissue(fields)) > 0.95
    assert not valid[:12, :12].any()


def test_under_aip_what_is_dark_there_is_left_out(fields, tmp_path):
    valid = solved_for(registered(fields, tmp_path, mask="aip"))
    bright = is_tissue(fields) & (np.arange(SHAPE[1]) < CUT)
    assert alike(valid, bright) > 0.95
    assert not valid[:, CUT + 10 :].any()


def test_a_threshold_of_its_own_brings_the_dark_part_back(fields, tmp_path):
    outcome = registered(
        fields, tmp_path, mask="aip", mask_threshold_db={"normal": 48.5, "tilted": 48.5}
    )
    assert solved_for(outcome)[60:90, CUT + 10 : 115].all()


def test_a_threshold_named_for_one_view_leaves_the_other_one_alone(fields, tmp_path):
    outcome = registered(fields, tmp_path, mask="aip", mask_threshold_db={"tilted": 48.5})
    assert not solved_for(outcome)[:, CUT + 10 :].any()


def test_without_a_mask_all_that_both_views_have_is_solved_for(fields, tmp_path):
    outcome = registered(fields, tmp_path, lost=("mask",), mask="none")
    assert solved_for(outcome)[10:-10, 10:-20].all()


@pytest.mark.parametrize("mask", ["tissue", "aip", "mip", "none"])
def test_every_mask_leads_to_the_shift_and_the_fibres(fields, tmp_path, mask):
    outcome = registered(fields, tmp_path, mask=mask)
    axis, valid = read_nifti(tmp_path / "slice-001_axis3d.nii.gz")[:, 0], solved_for(outcome)
    assert {gate.verdict for gate in outcome.gates} == {"pass"}
    assert np.median(fields.axis_error_deg(axis[:, valid], AXIS[:, None])) < 2


@pytest.mark.parametrize(("mask", "lost"), [("tissue", "mask"), ("aip", "aip"), ("mip", "mip")])
def test_a_map_that_the_mask_is_made_from_and_is_not_there_is_named(fields, tmp_path, mask, lost):
    with pytest.raises(DataError, match=f"expected also {lost}"):
        registered(fields, tmp_path, lost=(lost,), mask=mask, image="biref")


def test_maps_that_are_empty_outside_the_tissue_keep_it():
    y, x = np.indices((60, 80))
    tissue = np.hypot(y - 30, x - 40) < 20
    # A missing column of tiles through the tissue, which stage stitch left empty too.
    there = tissue & ((x < 45) | (x > 50))
    mip = np.where(there, 70, np.nan).astype(np.float32)
    np.testing.assert_array_equal(mask_of("mip", {"mip": mip}, 60, sigma_px=2), there)
