"""Other formats, other illumination tables, other hosts."""

import os

import numpy as np
import pytest
import yaml

from octflow.core.names import parse_raw_name, tile_name
from octflow.io.nifti import read_nifti
from octflow.io.raw import pack_12bit
from octflow.io.records import read_record

import runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def three_views(tmp_path_factory):
    """One slice under three illuminations, reconstructed by the microscope itself."""
    folder = tmp_path_factory.mktemp("three") / "tiny"
    runs.smallest(folder, "--format", "complex", "--third-illumination")
    status, said = runs.snakemake(folder, "state/slice-001.registered", cores=2)
    assert status == 0, said
    return folder


def test_complex_tiles_of_the_microscope_are_linked(three_views):
    links = list((three_views / "project").glob("mosaic-*/complex/*.nii"))
    assert len(links) == 3
    assert all(link.is_symlink() for link in links)


def test_the_slice_is_registered_from_three_views(three_views):
    record = read_record(three_views / "project" / "state" / "slice-001.registered")
    affines = [p for p in record.outputs if p.role == "affine"]
    assert affines
    assert "tiltPos" in (three_views / "project" / affines[0].path).read_text()


STITCHED = "mosaic-{:03d}/state/mosaic-{:03d}.stitched"


SECOND_COLUMN = {"first_slice": 2, "last_slice": 2, "grid_size_x": 1, "first_column": 1}
LAST_ROW = {"first_slice": 3, "last_slice": 3, "grid_size_x": 2, "grid_size_y": 1, "first_row": 1}


def maps_of(folder, mosaic=1):
    """Stitched maps by modality."""
    record = read_record(folder / "project" / STITCHED.format(mosaic, mosaic))
    files = [p for p in record.outputs if p.path.endswith((".nii", ".nii.gz"))]
    return {p.role: read_nifti(folder / "project" / p.path) for p in files}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The first mosaic of one slice from files as they are by default, and two more slices.

    They are the same tissue again, but only the second column was scanned, or the last row.
    """
    simulated = runs.simulate(tmp_path_factory.mktemp("a") / "tiny", "tiny", "--slices", "1")
    folder = runs.acquisition(simulated, simulated.parent / "plain", volumes=runs.VOLUMES)
    rows = yaml.safe_load((folder / "config.yaml").read_text())["experiment"]["illuminations"]
    rows[0]["overrides"] = [SECOND_COLUMN, LAST_ROW]
    reconfigure(folder, "experiment", illuminations=rows)
    for mosaic, tile, old in ((3, 1, 4), (3, 2, 3), (5, 1, 1), (5, 2, 4)):
        (path,) = (folder / "raw").glob(f"mosaic_001_image_{old:04d}_*")
        os.link(path, folder / "raw" / f"mosaic_{mosaic:03d}_image_{tile:04d}_spectral_0009.nii")
    status, said = runs.snakemake(folder, *(STITCHED.format(m, m) for m in (1, 3, 5)), cores=2)
    assert status == 0, said
    return folder


def test_a_slice_with_another_grid_lies_where_its_columns_are(plain):
    whole, part = (maps_of(plain, mosaic) for mosaic in (1, 3))
    record = read_record(plain / "project" / STITCHED.format(3, 3))
    assert record.tiles.ok == [1, 2]
    assert record.tiles.missing == []
    # Right of the first column, which is 32 px wide, the second is alone.
    n_y, n_x = np.min([maps["aip"].shape for maps in (whole, part)], axis=0)
    alone = np.s_[:n_y, 35:n_x]
    for role in ("aip", "ret", "ori", "biref"):
        both = np.isfinite(whole[role][alone]) & np.isfinite(part[role][alone])
        assert np.count_nonzero(both) > 100
        np.testing.assert_array_equal(whole[role][alone][both], part[role][alone][both])
    assert not np.isfinite(part["aip"][:, :15]).any()


def test_a_slice_with_fewer_rows_lies_where_they_are(plain):
    whole, part = (maps_of(plain, mosaic) for mosaic in (1, 5))
    assert read_record(plain / "project" / STITCHED.format(5, 5)).tiles.ok == [1, 2]
    n_y, n_x = np.min([maps["aip"].shape for maps in (whole, part)], axis=0)
    alone = np.s_[35:n_y, :n_x]
    both = np.isfinite(whole["aip"][alone]) & np.isfinite(part["aip"][alone])
    assert np.count_nonzero(both) > 100
    np.testing.assert_array_equal(whole["aip"][alone][both], part["aip"][alone][both])
    assert not np.isfinite(part["aip"][:15]).any()


def reconfigure(folder, section, **changes):
    """Change a section of the configuration of an acquisition."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config[section] |= changes
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def disguised(plain, folder):
    """The same scan, packed, named in the old style, in another order, in a session of its own.

    Snake by columns, up and right, visits (0, 1), (0, 0), (1, 0), (1, 1); row by row, down and
    left, starts at (1, 0). The new session counts the slice as its fourth.
    """
    runs.acquisition(plain, folder, volumes=runs.VOLUMES)
    order = {1: 4, 2: 2, 3: 1, 4: 3}
    for path in sorted((folder / "raw").glob("mosaic_001_*")):
        name = parse_raw_name(path.name)
        spectra = np.fromfile(path, "<u2")[176:]
        path.unlink()
        mosaic, tile = name.mosaic + 6, order[name.tile]
        old = f"mosaic_{mosaic:03d}_image_{tile:03d}_x_000100_y_-00200_z_000000_r_000000_normal"
        pack_12bit(spectra).tofile(folder / "raw" / f"{old}_spectral_0007.raw")
    reconfigure(folder, "acquisition", format="spectral_12bit", slice_offset=-3)
    reconfigure(folder, "experiment", grid_type="row-by-row", grid_start="down-left")
    return folder


def test_other_names_order_packing_and_numbering_give_the_same_brain(plain, tmp_path):
    folder = disguised(plain, tmp_path / "other")
    status, said = runs.snakemake(folder, STITCHED.format(1, 1), cores=2)
    assert status == 0, said
    expected, found = maps_of(plain), maps_of(folder)
    assert set(expected) == set(found)
    for role, array in found.items():
        np.testing.assert_array_equal(array, expected[role], err_msg=role)


def test_delivered_volumes_and_maps_give_the_same_brain(plain, tmp_path):
    folder = runs.acquisition(plain, tmp_path / "delivered", volumes=runs.VOLUMES)
    roles = ["dBI", "R3D", "O3D", "aip", "ret"]
    for role in roles:
        for path in (plain / "project" / "mosaic-001" / "processed").glob(f"*_{role}.nii"):
            os.link(path, folder / "raw" / path.name.replace(role, role.upper()))
    reconfigure(folder, "acquisition", format="processed_with_spectral", delivered=roles)
    archived = "mosaic-001/state/batch-001.archived"
    status, said = runs.snakemake(folder, STITCHED.format(1, 1), archived, cores=2)
    assert status == 0, said
    expected, found = runs.products(plain), runs.products(folder)
    kinds = ("mosaic-001/stitched/", "mosaic-001/processed/")
    stitched = {path for path in expected if path.startswith(kinds)}
    assert len(stitched) > 40
    assert {k: found[k] for k in stitched} == {k: expected[k] for k in stitched}
    kept = read_record(folder / "project" / archived)
    assert all("_spectral_" in p.path for p in kept.inputs if p.tile)
    links = list((folder / "project").glob("mosaic-001/processed/*.nii"))
    assert sum(link.is_symlink() for link in links) == 4 * len(roles)


def test_what_delivered_maps_cannot_give_is_not_asked_for(plain, tmp_path):
    folder = runs.acquisition(plain, tmp_path / "few", volumes=runs.VOLUMES)
    roles = ["dBI", "ret", "ori"]
    for path in (plain / "raw").iterdir():
        name = parse_raw_name(path.name)
        for role in roles:
            (folder / "raw" / tile_name(name.mosaic, name.tile, role)).touch()
    reconfigure(folder, "acquisition", format="processed_with_spectral", delivered=roles)
    status, said = runs.snakemake(folder, "-n")
    assert status == 0, said
    assert "stack_slices" in said
    assert "register_slice" not in said


@pytest.fixture(scope="module")
def interleaved(tmp_path_factory):
    """One slice under three illuminations, all in each raw file, registered."""
    folder = tmp_path_factory.mktemp("interleaved") / "tiny"
    runs.smallest(folder, "--third-illumination", "--interleaved", "--format", "spectral_12bit")
    archived = [f"mosaic-{m:03d}/state/batch-001.archived" for m in (1, 2)]
    status, said = runs.snakemake(folder, "state/slice-001.registered", *archived, cores=2)
    assert status == 0, said
    return folder


def test_interleaved_illuminations_are_taken_apart_and_registered(interleaved):
    assert len(list((interleaved / "raw").iterdir())) == 1
    record = read_record(interleaved / "project" / "state" / "slice-001.registered")
    (affine,) = [p for p in record.outputs if p.role == "affine"]
    text = (interleaved / "project" / affine.path).read_text()
    assert "tilted" in text
    assert "tiltPos" in text
    assert [gate.verdict for gate in record.gates] == ["pass"] * len(record.gates)


def test_an_interleaved_file_is_archived_once(interleaved):
    flags = [f"mosaic-{m:03d}/state/batch-001.archived" for m in (1, 2)]
    first, second = (read_record(interleaved / "project" / flag) for flag in flags)
    assert len([p for p in first.outputs if p.role == "archived"]) == 1
    assert second.outputs == []
    assert second.qc == {"archived_with_mosaic": 1}


def test_an_interleaved_illumination_is_that_of_a_file_of_its_own(interleaved, tmp_path):
    runs.acquisition(interleaved, tmp_path / "apart")
    folder = tmp_path / "apart"
    for path in sorted((folder / "raw").iterdir()):
        lines = np.fromfile(path, np.uint8).reshape(32, 2, 32, 3, -1)
        path.unlink()
        tile = parse_raw_name(path.name).tile
        own = folder / "raw" / f"mosaic_002_image_{tile:04d}_spectral_0001.raw"
        lines[:, :, :, 1].tofile(own)
    reconfigure(folder, "acquisition", interleaved=False)
    flag = "mosaic-002/state/batch-001.complex"
    status, said = runs.snakemake(folder, flag)
    assert status == 0, said
    found = [
        [p.id for p in read_record(f / "project" / flag).outputs] for f in (folder, interleaved)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_spectra_delivered_beside_complex_tiles_are_archived(three_views, tmp_path):
    folder = tmp_path / "tiny"
    runs.simulate(folder, "tiny", "--third-illumination", "--slices", "1")
    for path in (three_views / "raw").iterdir():
        os.link(path, folder / "raw" / path.name)
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(
        text.replace("format: spectral", "format: complex_with_spectral")
    )
    flags = [f"mosaic-001/state/batch-001.{stage}" for stage in ("archived", "complex")]
    status, said = runs.snakemake(folder, *flags)
    assert status == 0, said
    archived, used = (read_record(folder / "project" / flag).inputs for flag in flags)
    assert all("_spectral_" in p.path for p in archived if p.tile)
    assert all("_processed" in p.path for p in used if p.tile)


@pytest.mark.parametrize("profile", ["demo", "zircon", "slurm"])
def test_every_profile_plans_the_whole_job(profile, tmp_path):
    runs.simulate(tmp_path / "tiny", "tiny")
    profile = str(runs.ROOT / "profiles" / profile)
    status, said = runs.snakemake(tmp_path / "tiny", "--profile", profile, "-n")
    assert status == 0, said
    assert "stack_slices" in said
