import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from octflow.core.axial import axis_difference, wrap_axis
from octflow.core.errors import DataError, EstimateError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.io.mat import read_mat
from octflow.io.nifti import read_nifti, read_voxel_size_mm, write_nifti
from octflow.io.records import product
from octflow.stages.register.files import register_slice
from octflow.stages.register.settings import RegisterSettings

from flags import write_flag
from octave import needs_octave, octave, octave_value

SHAPE = (150, 170)
TABLE = {"normal": 0, "tilted": -15, "tiltPos": 15}
WAYS = {
    "normal": {},
    "tilted": {"rotation_deg": 2, "shift": (6.0, -4.0)},
    "tiltPos": {"rotation_deg": -1, "shift": (1.0, 5.0)},
}
STRICT = {"rotation_deg": {"warn": 0.5, "fail": 0.5}}
VOXEL_MM = (0.01, 0.01, 0.0025)


def fibres():
    """Inclination rising along x through both signs, azimuth along y through both signs."""
    y, x = np.indices(SHAPE)
    phi, alpha = np.deg2rad(120 * (y / SHAPE[0] - 0.5)), np.deg2rad(80 * (x / SHAPE[1] - 0.5))
    return np.stack([np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)])


def write_view(fields, folder, name, mosaic, *, empty=False):
    """The maps of one illumination as stage stitch leaves them; the instrument's axis sign."""
    tilt_deg, way = TABLE[name], WAYS[name]
    matrix = fields.affine(tilt_deg, **way)
    inside = fields.moved(fields.scene() > 55, matrix, SHAPE, noise=0) > 0.5
    axis, scene = fibres(), fields.scene()
    apparent, azimuth = fields.seen_under(axis, np.full(SHAPE, 8e-4), tilt_deg)
    azimuth = np.deg2rad(2 * (azimuth + way.get("rotation_deg", 0)))
    c, s, b = (
        fields.moved(a, matrix, SHAPE, noise=0)
        for a in (np.cos(azimuth), np.sin(azimuth), apparent)
    )
    maps = {
        "aip": fields.moved(scene, matrix, SHAPE, seed=mosaic),
        "biref": b,
        "ori": wrap_axis(-np.rad2deg(np.arctan2(s, c)) / 2),
        "mask": inside,
    }  # fmt: skip
    if empty:
        maps = {role: np.where(role == "mask", 0, np.full(SHAPE, np.nan)) for role in maps}
    listed = []
    for role, array in maps.items():
        path = folder / f"m{mosaic}_{role}.nii.gz"
        array = array.astype(np.uint8 if role == "mask" else np.float32)
        write_nifti(path, array, voxel_size_mm=VOXEL_MM)
        listed.append(product(path, role))
    flag = folder / f"m{mosaic}.stitched"
    return write_flag(
        flag, outputs=listed, unit={"slice": 1, "mosaic": mosaic, "illumination": name}
    )


def registered(fields, folder, *names, table=TABLE, empty=(), **settings):
    return register_slice(
        stitched=[
            write_view(fields, folder, name, i, empty=name in empty)
            for i, name in enumerate(names, start=1)
        ],
        overview=folder / "out/overview.jpg",
        folder=folder / "out",
        illuminations=[Illumination(name=n, tilt_deg=g, grid_size_x=1) for n, g in table.items()],
        slice_id=1,
        instrument=Instrument(),
        settings=RegisterSettings(**({"image": "aip"} | settings)),
    )


@pytest.fixture(scope="module")
def outcome(fields, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slice")
    return registered(fields, folder, "normal", "tilted", axis_smoothing_px=1)


def path_of(outcome, role):
    return Path(next(p.path for p in outcome.outputs if p.role == role))


def read(outcome, role):
    return read_nifti(path_of(outcome, role))


def median_error_deg(fields, outcome):
    axis, valid = read(outcome, "axis3d")[:, 0], read(outcome, "valid") > 0
    assert valid.mean() > 0.3
    return np.median(fields.axis_error_deg(axis, fibres())[valid])


def test_axes_are_found_under_an_unknown_affine(fields, outcome):
    assert median_error_deg(fields, outcome) < 2


def test_a_third_view_is_used(fields, tmp_path):
    outcome = registered(fields, tmp_path, "normal", "tilted", "tiltPos", axis_smoothing_px=1)
    assert median_error_deg(fields, outcome) < 1.5
    assert outcome.qc["views"] == 3


def test_the_affine_is_written_with_its_rotation(fields, outcome):
    one = json.loads(path_of(outcome, "affine").read_text())["moving"][0]
    y, x = np.indices(SHAPE)
    gap = np.array(one["matrix"]) - fields.affine(-15, **WAYS["tilted"])
    miss = np.tensordot(gap, np.stack([x, y, np.ones(SHAPE)]), axes=1)
    assert np.sqrt(np.mean(np.sum(miss**2, axis=0))) < 0.3
    assert one["found"]["rotation_deg"] == pytest.approx(2, abs=0.2)


def test_birefringence_is_the_true_one(outcome):
    dn = read(outcome, "dn")
    assert np.nanmedian(dn) == pytest.approx(8e-4, rel=0.05)


def test_the_mat_file_holds_the_documented_variables(outcome):
    found = read_mat(path_of(outcome, "mat"))
    names = "dneff_n dneff_x phi_n phi_x psi Psi Theta alpha biref units"
    assert set(found) == set(names.split())
    assert found["Theta"].shape == SHAPE


def test_the_mat_file_agrees_with_the_maps(outcome):
    found, axis = read_mat(path_of(outcome, "mat")), read(outcome, "axis3d")[:, 0]
    valid = read(outcome, "valid") > 0
    x, y, z = axis[:, valid]
    theta, alpha, psi, polar = (found[name][valid] for name in ("Theta", "alpha", "psi", "Psi"))
    assert np.abs(axis_difference(np.rad2deg(theta), np.rad2deg(np.arctan(y / x)))).max() < 1e-3
    np.testing.assert_allclose(np.sin(alpha), z * np.sign(x), atol=1e-5)
    assert np.nanmedian(np.abs(axis_difference(np.rad2deg(psi), np.rad2deg(polar)))) < 3


DOCUMENTED = ["Psi", "Theta", "alpha", "biref", "dneff_n", "dneff_x", "phi_n", "phi_x", "psi"]


@pytest.fixture(scope="module")
def in_octave(outcome, tmp_path_factory):
    """What Octave finds in the .mat, and the numbers it writes of every variable."""
    folder, path = tmp_path_factory.mktemp("octave"), path_of(outcome, "mat").resolve()
    load = f"s = load('{path}')"
    listed = "cellfun(@(n) {n, class(s.(n)), size(s.(n))}, fieldnames(s), 'UniformOutput', false)"
    for name in DOCUMENTED:
        octave(f"{load}; f = fopen('{folder}/{name}', 'w'); fwrite(f, s.{name}, 'single');")
    found = {name: (kind, size) for name, kind, size in octave_value(listed, before=load)}
    # Octave's first index, along y, is the fastest.
    values = {n: np.fromfile(folder / n, np.float32).reshape(SHAPE, order="F") for n in DOCUMENTED}
    return found, values, octave_value("s.units", before=load)


@needs_octave
def test_octave_finds_the_documented_variables(in_octave):
    found, _, units = in_octave
    assert found.pop("units") == ("char", [1, len(units)])
    assert found == dict.fromkeys(DOCUMENTED, ("single", list(SHAPE)))
    told = {one.split(": ")[0]: one.rpartition("[")[2] for one in units.split("; ")}
    lengths = {"biref": "1]", "dneff_n": "1]", "dneff_x": "1]"}
    assert told == dict.fromkeys(DOCUMENTED, "rad]") | lengths


@needs_octave
def test_octave_reads_the_values_of_the_maps(outcome, in_octave):
    values, axis = in_octave[1], read(outcome, "axis3d")[:, 0]
    np.testing.assert_array_equal(values["biref"], read(outcome, "dn"))
    x, y, z = np.where(read(outcome, "valid") > 0, axis, np.nan) * np.where(axis[0] < 0, -1, 1)
    np.testing.assert_allclose(values["alpha"], np.arcsin(z), atol=2e-4)
    np.testing.assert_allclose(values["Theta"], np.arctan2(y, x), atol=1e-5)
    sine, cosine = np.sin(values["Psi"]), np.cos(values["Psi"])
    np.testing.assert_allclose(cosine, np.abs(z), atol=1e-5)
    np.testing.assert_allclose(sine, np.sign(z) * np.hypot(x, y), atol=1e-5)


@needs_octave
@pytest.mark.parametrize(("suffix", "tilt_deg"), [("n", 0), ("x", -15)])
def test_octave_reads_what_the_views_see(fields, in_octave, suffix, tilt_deg):
    apparent, azimuth_deg = fields.seen_under(fibres(), np.full(SHAPE, 8e-4), tilt_deg)
    found, phi = in_octave[1][f"dneff_{suffix}"], np.rad2deg(in_octave[1][f"phi_{suffix}"])
    there = np.isfinite(found)
    assert there.mean() > 0.3
    assert np.median(np.abs(found[there] / apparent[there] - 1)) < 0.02
    assert np.median(np.abs(axis_difference(phi[there], azimuth_deg[there]))) < 0.5


@needs_octave
def test_octave_reads_the_pixels_of_the_maps(outcome, tmp_path):
    plain = tmp_path / "dn.nii"
    plain.write_bytes(gzip.decompress(path_of(outcome, "dn").read_bytes()))
    load = f"s = load('{path_of(outcome, 'mat').resolve()}'); dn = read_nifti('{plain}').'"
    assert octave_value("isequaln(s.biref, dn)", before=load) is True


ERRORS = ("uncertainty", "uncertainty_inclination")
MAPS = {"axis3d": 3, "axis3d_weighted": 3} | dict.fromkeys(("dn", "misfit", "valid", *ERRORS), 1)
UNITS = (
    dict.fromkeys(MAPS, "1") | {"misfit": "sqrt of birefringence"} | dict.fromkeys(ERRORS, "deg")
)


@pytest.mark.parametrize("role", MAPS)
def test_every_map_tells_its_name_and_unit(outcome, role):
    image = nib.load(path_of(outcome, role))
    # The field has room for 16 characters.
    assert image.header["intent_name"].item().decode() == role[:16]
    assert image.header["descrip"].item().decode().endswith(f" [{UNITS[role]}]")
    assert image.shape[3:] == (() if MAPS[role] == 1 else (3,))
    assert image.header.get_xyzt_units()[0] == "mm"


def test_no_product_is_left_without_name_and_unit(outcome):
    maps = {p.role for p in outcome.outputs if str(p.path).endswith(".nii.gz")}
    assert maps == set(MAPS)
    pictures = [p.path for p in outcome.outputs if p.role.endswith("_jpeg")]
    assert len(pictures) == 3
    for path in pictures:
        with Image.open(path) as picture:
            assert b"brightness: birefringence" in picture.info["comment"]


def test_vectors_are_weighted_by_birefringence(outcome):
    axis, weighted, dn = (read(outcome, role) for role in ("axis3d", "axis3d_weighted", "dn"))
    np.testing.assert_allclose(weighted, axis * np.nan_to_num(dn), rtol=1e-6)
    assert read_voxel_size_mm(path_of(outcome, "axis3d")) == pytest.approx(VOXEL_MM)


def test_where_a_view_sees_no_tissue_there_is_no_axis(outcome):
    valid = read(outcome, "valid") > 0
    assert not read(outcome, "axis3d")[:, 0][:, ~valid].any()
    assert np.isnan(read(outcome, "dn")[~valid]).all()


def test_uncertainties_are_known_where_axes_are(outcome):
    valid = read(outcome, "valid") > 0
    for role in ("uncertainty", "uncertainty_inclination"):
        found = read(outcome, role)
        np.testing.assert_array_equal(np.isfinite(found), valid)
        assert 0 < np.median(found[valid]) < 20
    assert outcome.qc["median_uncertainty_deg"] == np.median(read(outcome, "uncertainty")[valid])


def test_noise_that_is_set_is_recorded(fields, tmp_path):
    outcome = registered(fields, tmp_path, "normal", "tilted", axis_noise_root_dn=1e-3)
    assert outcome.qc["noise_root_dn"] == 1e-3


def test_the_same_maps_give_the_same_bytes(fields, outcome, tmp_path):
    again = registered(fields, tmp_path, "normal", "tilted", axis_smoothing_px=1)
    assert [p.id for p in again.outputs] == [p.id for p in outcome.outputs]


def test_gates_pass(outcome):
    assert {gate.verdict for gate in outcome.gates} == {"pass"}
    assert outcome.qc["tilted_overlap_fraction"] > 0.95


def test_an_affine_that_cannot_be_is_not_used(fields, tmp_path):
    outcome = registered(fields, tmp_path, "normal", "tilted", gates=STRICT)
    used = json.loads(path_of(outcome, "affine").read_text())["moving"][0]
    assert not used["trusted"]
    assert used["matrix"][0][1] == 0
    assert any("not believed" in warning for warning in outcome.warnings)
    assert any("tilted_rotation_deg: found" in warning for warning in outcome.warnings)
    assert "fail" in {gate.verdict for gate in outcome.gates}


@pytest.mark.parametrize("empty", [(), ("tilted",), ("normal",)])
def test_one_view_alone_gives_what_it_can(fields, tmp_path, empty):
    name = "tilted" if "normal" in empty else "normal"
    outcome = registered(fields, tmp_path, *{name, *empty}, empty=empty)
    assert not any(p.role == "axis3d" for p in outcome.outputs)
    assert {"dneff_n", "phi_n"} <= set(read_mat(path_of(outcome, "mat")))
    assert read(outcome, "valid").any()
    assert f"slice 1: only {name} is usable, so no 3-D axis" in outcome.warnings
    assert set(empty) <= {w.rpartition(" ")[2] for w in outcome.warnings}
    assert outcome.qc["views"] == 1


def test_a_slice_without_tissue_has_no_axes_and_says_so(fields, tmp_path):
    both = ("normal", "tilted")
    outcome = registered(fields, tmp_path, *both, empty=both)
    assert not read(outcome, "valid").any()
    assert np.isnan(read_mat(path_of(outcome, "mat"))["phi_n"]).all()
    assert not any(p.role in {"axis3d", "dn"} for p in outcome.outputs)
    assert "slice 1: no tissue in any view, so no fibre axes" in outcome.warnings
    assert (outcome.qc["views"], outcome.qc["fixed"]) == (0, "normal")


def test_views_with_alike_tilts_are_refused(fields, tmp_path):
    alike = {"normal": 0, "tilted": -1}
    with pytest.raises(EstimateError, match="deg apart"):
        registered(fields, tmp_path, "normal", "tilted", table=alike)


def test_a_lost_map_is_named(fields, tmp_path):
    with pytest.raises(DataError, match="expected also mip"):
        registered(fields, tmp_path, "normal", "tilted", image="mip")


def test_no_view_at_all_is_refused(fields, tmp_path):
    with pytest.raises(EstimateError, match="found no illumination"):
        registered(fields, tmp_path)
