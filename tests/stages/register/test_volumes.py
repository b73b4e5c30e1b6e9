"""Volumes of a slice, from flags to OME-Zarr."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr

from octflow.core.axial import axis_difference, wrap_axis
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.io.omezarr import Plan, read_volume, read_volume_voxel_size_mm
from octflow.io.records import product
from octflow.io.volume_writer import write_volume
from octflow.stages.register.files import register_volumes
from octflow.stages.register.settings import RegisterSettings

from flags import write_flag

SHAPE, SURFACE_PX, MAPS_PX = (160, 70, 90), 25, 40
TILTS = {"normal": 0.0, "tilted": -15.0}
VOXEL_MM = (0.01, 0.01, 0.0025)
G = np.deg2rad(-15)
FIBRE = np.array([0.8, 0.36, 0.48])
DN = 1e-3
ROTATION_DEG = 1.5
TURN = np.deg2rad(ROTATION_DEG)
AFFINE = np.array(
    [
        [np.cos(TURN) * np.cos(G), -np.sin(TURN), 4.0],
        [np.sin(TURN) * np.cos(G), np.cos(TURN), -2.0],
    ]
)
"""Fixed pixel (x, y, 1) to moving pixel, for what maps show: MAPS_PX below the surface."""


def texture(x, y, z):
    """Intensity in dB of the tissue at voxels of the fixed view."""
    waves = 4 * np.sin(x / 6) + 4 * np.cos(y / 5) + 3 * np.sin(z / 9)
    return np.where(z >= SURFACE_PX, 70 + waves, 40)


def seen_at(name):
    """Fixed voxel (x, y, z) that every voxel of a view shows; the beams drawn as they run."""
    z, y, x = np.indices(SHAPE, dtype=float)
    if name == "normal":
        return x, y, z
    surface = SURFACE_PX + 3
    deep = SURFACE_PX + (z - surface) * np.cos(G)
    inverse = np.linalg.inv(AFFINE[:, :2])
    at = np.tensordot(inverse, np.stack([x - AFFINE[0, 2], y - AFFINE[1, 2]]), axes=1)
    # The maps' depth is where the affine holds; below it the beam has gone on along (sin, cos).
    beyond_um = (deep - SURFACE_PX - MAPS_PX) * 2.5
    return at[0] + beyond_um * np.tan(G) / 10.0, at[1], deep


def volumes_of(name, fields):
    x, y, z = seen_at(name)
    apparent, azimuth = fields.seen_under(FIBRE, DN, TILTS[name])
    turn = 0 if name == "normal" else ROTATION_DEG
    top = SURFACE_PX if name == "normal" else SURFACE_PX + 3
    path = np.maximum(np.arange(SHAPE[0]) - top, 0) * 2.5
    delta = 360 * apparent * path / 1.3
    folded = 90 - np.abs(delta % 180 - 90)
    ori = wrap_axis(-(azimuth + turn) + np.where(delta % 180 <= 90, 0, 90))
    lines = {"R3D": folded, "O3D": ori}
    columns = {k: np.broadcast_to(v[:, None, None], SHAPE) for k, v in lines.items()}
    return {"dBI": texture(x, y, z), **columns}


def write_joined(folder, name, fields, modalities):
    outputs = []
    for modality, volume in volumes_of(name, fields).items():
        if modality in modalities:
            path = folder / f"{name}_{modality}.ome.zarr"
            block = volume.astype(np.float32)
            plan = Plan(SHAPE, VOXEL_MM, modality, axial=modality == "O3D")
            write_volume(path, plan, block_of=lambda z, y, x, block=block: block[z, y, x])
            outputs.append(product(path, modality))
    unit = {"slice": 1, "mosaic": 1 + (name == "tilted"), "illumination": name}
    return write_flag(folder / f"{name}.joined", "join_volumes", outputs=outputs, unit=unit)


def write_registered(folder, *, moving=("tilted",), trusted=True):
    views = [
        {
            "illumination": name,
            "tilt_deg": TILTS[name],
            "matrix": AFFINE.tolist(),
            "trusted": trusted,
            "found": {"rotation_deg": ROTATION_DEG},
        }
        for name in moving
    ]
    path = folder / "slice-001_affine.json"
    path.write_text(json.dumps({"fixed": "normal", "moving": views}))
    outputs = [product(path, "affine")]
    return write_flag(folder / "s.registered", "register_slice", outputs=outputs, unit={"slice": 1})


def run(folder, fields, *, names=tuple(TILTS), modalities=("dBI", "R3D", "O3D"), threads=1, **told):
    options = {"volumes": ("dBI",), "inclination": False}
    options |= {k: told.pop(k) for k in ("volumes", "inclination", "in_depth") if k in told}
    folder.mkdir(exist_ok=True)
    return register_volumes(
        registered=write_registered(folder, **told),
        joined=[write_joined(folder, name, fields, modalities) for name in names],
        overview=folder / "overview.jpg",
        folder=folder / "out",
        illuminations=[Illumination(name=n, tilt_deg=g, grid_size_x=1) for n, g in TILTS.items()],
        slice_id=1,
        maps_depth_px=MAPS_PX,
        instrument=Instrument(),
        settings=RegisterSettings(**options),
        threads=threads,
    )


@pytest.fixture(scope="module")
def made(fields, tmp_path_factory):
    outcome = run(
        tmp_path_factory.mktemp("volumes") / "s", fields,
        volumes=("dBI", "O3D"), inclination=True,
    )  # fmt: skip
    arrays = {p.role: p.path for p in outcome.outputs if p.path.endswith(".zarr")}
    return SimpleNamespace(
        outcome=outcome, **{k: np.asarray(read_volume(Path(v))[:]) for k, v in arrays.items()}
    )


INSIDE = np.s_[60:120, 10:60, 20:70]


def test_the_tilted_volume_lies_on_the_voxels_of_the_fixed_one(made):
    z, y, x = np.indices(SHAPE)
    error = (made.dBI_tilted - texture(x, y, z))[INSIDE]
    # Interpolation of waves this long costs 0.1 dB; half a pixel or sample would cost 0.3.
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert made.outcome.qc["tilted_surface_residual_px"] < 0.5


def test_depth_of_the_surface_is_measured(made):
    expected = SURFACE_PX + 3 - SURFACE_PX / np.cos(G)
    assert made.outcome.qc["tilted_depth_shift_px"] == pytest.approx(expected, abs=0.5)


def test_fibres_of_voxels_are_found_in_depth(made):
    axis_deg = np.rad2deg(np.arctan2(FIBRE[1], FIBRE[0]))
    np.testing.assert_allclose(made.inclination[INSIDE], np.rad2deg(np.arcsin(0.48)), atol=0.3)
    assert np.abs(axis_difference(made.azimuth[INSIDE], axis_deg)).max() < 0.3
    np.testing.assert_allclose(made.dn[INSIDE], DN, rtol=0.01)


def test_axes_are_brought_along_turned(made, fields):
    _, azimuth = fields.seen_under(FIBRE, DN, -15)
    assert np.abs(axis_difference(made.O3D_tilted[60:90, 10:60, 20:70], -azimuth)).max() < 0.1


def test_volumes_tell_their_voxel_size(made):
    path = next(p.path for p in made.outcome.outputs if p.role == "dBI_tilted")
    assert path.endswith("slice-001_dBI_tilted.ome.zarr")
    assert read_volume_voxel_size_mm(Path(path)) == pytest.approx(VOXEL_MM)
    assert made.dBI_tilted.shape == SHAPE
    assert made.outcome.warnings == []


def test_two_threads_and_small_shards_make_the_same_voxels(made, fields, tmp_path):
    small = {"chunk_px": (32, 32, 32), "shard_px": (64, 64, 64)}
    one, two = (
        run(tmp_path / str(n), fields, threads=n, inclination=True, in_depth=small) for n in (1, 2)
    )
    ids = [{p.role: p.id for p in o.outputs if p.role != "overview"} for o in (one, two)]
    assert ids[0] == ids[1]
    path = next(p.path for p in two.outputs if p.role == "inclination")
    again = np.asarray(read_volume(Path(path))[:])
    # Running sums begin elsewhere.
    np.testing.assert_allclose(again[INSIDE], made.inclination[INSIDE], atol=0.01)


def made_from(outcome):
    """What a killed job is resumed by, as the metadata have it."""
    path = next(p.path for p in outcome.outputs if p.role == "inclination")
    return zarr.open_group(path, mode="r").attrs["octflow"]["made_from"]


def test_what_is_resumed_is_the_same_volume(fields, tmp_path):
    def known_by(**options):
        return made_from(run(tmp_path / "a", fields, inclination=True, **options))

    first, again, other = known_by(), known_by(threads=2), known_by(in_depth={"window_px": 50})
    assert first == again != other


def test_without_shear_deep_tissue_lies_beside_itself(fields, tmp_path):
    outcome = run(tmp_path / "s", fields, in_depth={"shear": False})
    path = next(p.path for p in outcome.outputs if p.role == "dBI_tilted")
    z, y, x = np.indices(SHAPE)
    error = (np.asarray(read_volume(Path(path))[:]) - texture(x, y, z))[INSIDE]
    assert np.sqrt(np.mean(error**2)) > 0.5


def roles(outcome):
    return {p.role for p in outcome.outputs}


def test_a_missing_illumination_is_said_and_the_rest_goes_on(fields, tmp_path):
    outcome = run(tmp_path / "s", fields, names=("normal",), inclination=True)
    assert roles(outcome) == {"overview"}
    assert "slice 1: no volume dBI of tilted, so none of tilted is placed" in outcome.warnings


def test_a_slice_with_one_registered_view_is_said(fields, tmp_path):
    outcome = run(tmp_path / "s", fields, moving=())
    assert roles(outcome) == {"overview"}
    assert outcome.warnings == ["slice 1: no second view is registered, so no volume is"]


def test_without_retardance_there_are_no_fibres_but_intensity(fields, tmp_path):
    outcome = run(tmp_path / "s", fields, modalities=("dBI", "O3D"), inclination=True)
    assert roles(outcome) == {"overview", "dBI_tilted"}
    assert "slice 1: no fibres of voxels, which take two views" in outcome.warnings


def test_a_registration_that_was_not_believed_is_said(fields, tmp_path):
    outcome = run(tmp_path / "s", fields, trusted=False)
    said = "slice 1: volumes of tilted lie where the guess from its tilt puts them"
    assert outcome.warnings == [said]
