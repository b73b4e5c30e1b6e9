"""The demonstration, whole: products that other programs open, accuracy, reports."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import nibabel as nib
import numpy as np
import ome_zarr_models
import pytest
import scipy.io
import tifffile
import zarr
from PIL import Image

from octflow.core.axial import axis_difference
from octflow.io.nifti import read_nifti
from octflow.io.records import read_record
from octflow.io.tilemap import read_tilemap
from octflow.services.pages import write_pages
from octflow.services.project import session_of
from octflow.services.state import peek_project
from octflow.services.why import origin_of
from octflow.simulate.accuracy import accuracy_table

import runs

pytestmark = pytest.mark.slow

STAGES = {"ingest", "convert", "process", "archive", "stitch", "volume", "register", "stack"}
ENFACE = ("aip", "mip", "ret", "ori", "biref", "surf")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo preset, reconstructed."""
    folder = runs.simulate(tmp_path_factory.mktemp("demo") / "demo", "demo")
    status, said = runs.snakemake(folder, cores=2)
    assert status == 0, said
    return folder


@pytest.fixture
def project(demo, monkeypatch):
    """The project folder, as the working directory: records speak from there."""
    monkeypatch.chdir(demo / "project")
    return demo / "project"


def test_every_quantity_is_within_its_bound_of_the_truth(demo):
    rows = accuracy_table(demo / "project", demo / "truth")
    assert {row.name.split(",")[0] for row in rows} >= {
        "surface",
        "birefringence in bundles",
        "in-plane axis",
        "tissue mask",
        "tile positions",
        "focus plane",
        "3-D axis",
    }
    assert [row for row in rows if not row.passed] == []


def test_every_stage_leaves_flags_that_validate_against_the_published_schema(demo):
    import jsonschema

    schema = json.loads((runs.ROOT / "config" / "record.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    records = [json.loads(path.read_text()) for path in runs.flags(demo)]
    assert {record["stage"] for record in records} == STAGES
    for record in records:
        validator.validate(record)


def test_inputs_of_records_are_the_ids_of_records(demo):
    records = [read_record(path) for path in runs.flags(demo)]
    ids = {record.record_id for record in records}
    named = {p.id for record in records for p in record.inputs if p.role == "record"}
    assert named
    assert named <= ids


@pytest.mark.parametrize("modality", ENFACE)
def test_stitched_maps_have_the_true_pixel_size_in_every_format(project, modality):
    stem = project / "mosaic-001" / "stitched" / f"mosaic_001_{modality}"
    image = nib.load(f"{stem}.nii")
    assert image.header.get_zooms()[:2] == pytest.approx((0.01, 0.01))
    assert image.header.get_xyzt_units()[0] == "mm"
    with Image.open(f"{stem}.jpg") as picture:
        assert picture.size == image.shape[:2]
    with tifffile.TiffFile(f"{stem}.tiff") as file:
        assert file.pages[0].tags["XResolution"].value == (1, 10)
        np.testing.assert_array_equal(file.asarray(), np.asarray(image.dataobj)[:, :, 0].T)


def rims_of(layout):
    """Pixels left of the rims of tiles, and those 3 to 6 pixels beside them."""
    rims = np.zeros((layout.shape[0], layout.shape[1] - 1), bool)
    for tile in layout.positions_px:
        y, x = layout.placement(tile).where
        rims[y, [left for left in (x.start - 1, x.stop - 1) if 0 <= left < rims.shape[1]]] = True
    beside = np.any([np.roll(rims, by, axis=1) for by in (-6, -5, -4, -3, 3, 4, 5, 6)], axis=0)
    return rims, beside & ~rims


@pytest.mark.parametrize("modality", ["aip", "mip", "ret", "ori", "biref"])
@pytest.mark.parametrize(("illumination", "mosaic", "n_x"), [("normal", 1, 64), ("tilted", 2, 48)])
def test_maps_do_not_vary_more_across_the_rims_of_tiles(
    project, modality, illumination, mosaic, n_x
):
    layout = read_tilemap(project / f"tilemap-{illumination}.j2").layout((64, n_x))
    found = read_nifti(project / f"mosaic-00{mosaic}/stitched/mosaic_00{mosaic}_{modality}.nii")
    difference = axis_difference if modality == "ori" else np.subtract
    steps = difference(found[:, 1:], found[:, :-1])
    across, beside = (steps[where & np.isfinite(steps)] for where in rims_of(layout))
    assert across.size > 700
    assert np.median(np.abs(across)) < 1.25 * np.median(np.abs(beside))
    assert abs(across.mean()) < 4 * across.std() / np.sqrt(across.size)


@pytest.mark.parametrize("modality", ["dBI", "R3D", "O3D"])
def test_volumes_are_ome_zarr_with_true_scale(project, modality):
    path = project / "mosaic-001" / "stitched" / f"mosaic_001_{modality}.ome.zarr"
    group = zarr.open_group(path, mode="r")
    image = ome_zarr_models.open_ome_zarr(group)
    assert image.ome_zarr_version == "0.5"
    multiscale = image.attributes.ome.multiscales[0]
    assert [axis.name for axis in multiscale.axes] == ["z", "y", "x"]
    scale = multiscale.datasets[0].coordinateTransformations[0].scale
    assert scale == pytest.approx([0.0025, 0.01, 0.01])


def test_a_viewer_library_reads_the_volume(project):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    path = project / "mosaic-001" / "stitched" / "mosaic_001_dBI.ome.zarr"
    node = next(iter(Reader(parse_url(path))()))
    assert node.data[0].shape[0] == 500
    level = np.asarray(node.data[0][200:210])
    assert 40 < np.nanmean(level) < 90


def test_fibre_axes_are_unit_vectors_and_matlab_has_the_documented_names(project):
    axes = np.asarray(nib.load(project / "registered" / "slice-001_axis3d.nii.gz").dataobj)
    length = np.linalg.norm(axes, axis=-1)
    np.testing.assert_allclose(length[length > 0], 1, atol=1e-5)
    variables = scipy.io.loadmat(project / "registered" / "slice-001_axis3d.mat")
    assert {"dneff_n", "dneff_x", "phi_n", "phi_x", "psi", "Psi", "Theta", "alpha", "biref"} <= set(
        variables
    )


def test_the_stack_has_one_plane_per_slice_at_the_thickness_of_a_slice(project):
    image = nib.load(project / "stacked" / "stack_aip.nii.gz")
    assert image.shape[2] == 2
    assert image.header.get_zooms()[:3] == pytest.approx((0.01, 0.01, 0.5))


def test_raw_tiles_are_known_by_their_sha256(project):
    record = read_record(project / "mosaic-001/state/batch-001.complex")
    raw = {p.path: p.id for p in record.inputs if p.role == "raw"}
    path, raw_id = next(iter(raw.items()))
    done = subprocess.run(["sha256sum", path], check=True, capture_output=True, text=True)
    assert raw_id == "sha256:" + done.stdout.split()[0]


def test_a_second_run_has_nothing_to_do(demo):
    status, said = runs.snakemake(demo)
    assert status == 0
    assert "Nothing to be done" in said


def test_the_zircon_profile_finds_nothing_to_do_either(demo):
    status, said = runs.snakemake(demo, "--profile", str(runs.ROOT / "profiles" / "zircon"))
    assert status == 0
    assert "Nothing to be done" in said


def test_the_report_shows_the_pictures(demo):
    status, said = runs.snakemake(demo, "--report", str(demo / "report.html"))
    assert status == 0, said
    page = (demo / "report.html").read_text()
    for category in ("1 Tiles", "2 Mosaics", "3 Volumes", "4 Slices", "5 Stack"):
        assert category in page


@pytest.mark.parametrize(("option", "nodes"), [("--rulegraph", 15), ("--dag", 107)])
def test_graphs_name_the_rules(demo, option, nodes):
    graph = subprocess.run(
        runs.command(demo, option), cwd=runs.ROOT, capture_output=True, text=True, check=True
    )
    assert graph.stdout.count("[label = ") == nodes


def test_what_is_expected_is_exactly_what_the_rules_made(demo):
    state = peek_project(session_of(demo / "config.yaml"))
    flags = list((demo / "project").glob("**/state/*"))
    assert all(count.done == count.expected for count in state.counts)
    assert sum(count.done for count in state.counts) == len(flags)
    assert (state.failures, state.pace.left, state.waiting) == ((), 0, ())


def test_the_stack_is_followed_back_to_every_raw_tile(demo):
    found, jobs = set(), [origin_of(demo / "project" / "state" / "project.stacked")]
    for job in jobs:
        assert job.lost == ()
        found |= {Path(p.path).resolve() for p in job.files if p.role == "raw"}
        jobs += job.made_from
    assert found >= {path.resolve() for path in (demo / "raw").glob("*_spectral_*.nii")}


def test_the_accuracy_command_prints_the_table(demo):
    command = [sys.executable, "-m", "octflow.cli", "accuracy", str(demo)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "3-D axis" in done.stdout


def test_the_pages_of_the_finished_demo_lead_only_to_what_is_there(demo):
    index = write_pages(session_of(demo / "config.yaml"), demo / "pages")
    said = {page.name: page.read_text() for page in index.parent.glob("*.html")}
    links = set(re.findall(r'(?:href|src)="([^"#]+)"', "".join(said.values()))) - {"data:,"}
    assert [link for link in links if not (index.parent / unquote(link)).exists()] == []
    assert 'data-finished="1"' in said["index.html"]
    assert {"small/qc/stack.jpg", "small/mosaic-004/stitched/mosaic_004_ori.jpg"} <= links
    assert "small/registered/slice-002_axis3d.jpg" in links
