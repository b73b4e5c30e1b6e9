import math
import subprocess
import sys
from types import SimpleNamespace

import pytest

from octflow.core.errors import SettingsError
from octflow.workflow.session import open_session

import matlab_programs as programs


@pytest.fixture
def session(tmp_path):
    return open_session({"project": {"folder": "results", "name": "I46"}}, tmp_path)


def job(**wildcards):
    return SimpleNamespace(**wildcards, items=wildcards.items)


def test_relative_folders_start_at_the_snakefile(session, tmp_path):
    assert session.project == tmp_path / "results"
    assert session.project.is_dir()


def test_a_unit_names_slice_and_illumination_of_a_mosaic(session):
    unit = session.unit(job(mosaic="004", batch="002"))
    expected = {"project": "I46", "mosaic": 4, "batch": 2, "slice": 2, "illumination": "tilted"}
    assert unit == expected


@pytest.mark.parametrize("needs", ["convert_mb", "process_mb"])
def test_memory_grows_with_threads_and_is_less_for_small_tiles(session, needs):
    normal, tilted = (
        [getattr(session, needs)(job(mosaic=mosaic), threads) for threads in (1, 2, 3)]
        for mosaic in ("001", "002")
    )
    assert normal[2] - normal[1] == normal[1] - normal[0] > 0
    assert tilted[0] < normal[0]


@pytest.mark.parametrize(("backend", "mb"), [("octave", 3 * 5880), ("matlab", 2000 + 5880)])
def test_another_backend_needs_memory_for_whole_tiles_and_time(tmp_path, backend, mb):
    asked = {"project": {"folder": "r"}, "matlab": {"folder": str(programs.FUNCTIONS)}}
    here = open_session(asked, tmp_path)
    there = open_session(asked | {"process": {"backend": backend}}, tmp_path)
    batch = job(mosaic="001", batch="001")
    assert there.process_mb(batch, 3) - here.process_mb(batch, 3) == mb
    assert there.tiles_min(batch, 1) > here.tiles_min(batch, 1)


def test_another_backend_of_register_needs_memory_and_time_for_the_maps(tmp_path):
    asked = {"project": {"folder": "r"}, "matlab": {"folder": str(programs.FUNCTIONS)}}
    sessions = [
        open_session(asked | {"register": {"backend": backend}}, tmp_path)
        for backend in ("python", "octave", "matlab")
    ]
    python, octave, matlab = (one.register_mb(job(slice="001"), 2) for one in sessions)
    assert 1.5 * python < octave == matlab - 1900
    minutes = [one.register_min(job(slice="001"), 1) for one in sessions]
    assert minutes[0] < minutes[1] == minutes[2]


def test_the_functions_decide_the_axes_of_another_backend_and_no_volumes(tmp_path):
    asked = {"project": {"folder": "r"}, "matlab": {"folder": str(programs.FUNCTIONS)}}
    here = open_session(asked, tmp_path)
    there = open_session(asked | {"register": {"backend": "octave"}}, tmp_path)
    assert here.register_settings["backend_id"] is None
    assert there.register_settings["backend_id"].startswith("sha256:")
    assert there.matlab_for("register")(None, 1)["folder"] == str(programs.FUNCTIONS)
    assert there.register_volumes_settings == here.register_volumes_settings


def test_axes_of_another_backend_need_no_complex_tiles(tmp_path):
    asked = {"convert": {"complex": "none"}, "register": {"backend": "octave"}}
    asked |= {"project": {"folder": "r"}, "matlab": {"folder": str(programs.FUNCTIONS)}}
    assert open_session(asked, tmp_path).config.register_.backend == "octave"


def test_memory_of_a_mosaic_is_that_of_its_pixels(tmp_path):
    row = {"name": "normal", "grid_size_x": 30, "overlap_fraction": 0.2}
    row |= {"tile_size_x_px": 350, "tile_size_y_px": 350}
    experiment = {"grid_size_y": 20, "illuminations": [row]}
    session = open_session({"project": {"folder": "r"}, "experiment": experiment}, tmp_path)
    n_px = (350 + 29 * 280) * (350 + 19 * 280)
    assert session.stitch_mb(job(mosaic="001")) == 400 + round(26 * n_px / 1e6)


def test_memory_of_a_slice_is_that_of_the_pixels_of_its_mosaics(tmp_path):
    size = {"overlap_fraction": 0.2, "tile_size_y_px": 350}
    rows = [
        size | {"name": "normal", "grid_size_x": 30, "tile_size_x_px": 350},
        size | {"name": "tilted", "grid_size_x": 40, "tile_size_x_px": 200, "tilt_deg": -15},
    ]
    experiment = {"grid_size_y": 20, "illuminations": rows}
    session = open_session({"project": {"folder": "r"}, "experiment": experiment}, tmp_path)
    along_px = 350 + 29 * 280, 200 + 39 * 160
    maps_mb = sum(along_px) * (350 + 19 * 280) * 100 / 1e6
    one, two = (session.register_mb(job(slice="001"), threads) for threads in (1, 2))
    assert one == pytest.approx(400 + maps_mb + 0.02 * along_px[0], abs=1)
    assert two - one == pytest.approx(0.02 * along_px[0], abs=1)


def test_run_time_of_a_batch_is_that_of_its_a_lines(tmp_path):
    size = {"tile_size_x_px": 350, "tile_size_y_px": 350, "grid_size_x": 2}
    experiment = {"grid_size_y": 40, "illuminations": [{"name": "normal", **size}]}
    session = open_session({"project": {"folder": "r"}, "experiment": experiment}, tmp_path)
    batch = job(mosaic="001", batch="001")
    busy_min = 40 * 350 * 350 * 80e-6 / 60
    assert session.tiles_min(batch, 1) == math.ceil(10 * busy_min)
    assert session.tiles_min(batch, 3) == 4 * session.tiles_min(batch, 1)


def test_run_time_of_a_share_is_its_part_of_the_volume(tmp_path):
    size = {"tile_size_x_px": 1000, "tile_size_y_px": 1000, "grid_size_x": 10}
    values = {
        "project": {"folder": "r"},
        "experiment": {"grid_size_y": 10, "illuminations": [{"name": "normal", **size}]},
        "volume": {"shares": 4},
    }
    session = open_session(values, tmp_path)
    whole, share = session.volume_min(job(mosaic="001"), 1), session.share_min(job(mosaic="001"), 1)
    assert whole == pytest.approx(10 * 8200**2 * 500 * 0.012e-6 / 60, abs=1)
    assert share == pytest.approx(whole / 4, abs=1)


@pytest.mark.parametrize(("size_px", "minutes"), [(100, 10), (4000, 14)])
def test_run_time_of_a_slice_is_that_of_its_pixels_and_never_too_short(tmp_path, size_px, minutes):
    size = {"tile_size_x_px": size_px, "tile_size_y_px": size_px, "grid_size_x": 1}
    rows = [size | {"name": "normal"}, size | {"name": "tilted"}]
    experiment = {"grid_size_y": 1, "illuminations": rows}
    session = open_session({"project": {"folder": "r"}, "experiment": experiment}, tmp_path)
    assert max(10, math.ceil(10 * 2 * size_px**2 * 2.5e-6 / 60)) == minutes
    attempts = [session.register_min(job(slice="001"), attempt) for attempt in (1, 2)]
    assert attempts == [minutes, 2 * minutes]


def test_tiles_go_before_mosaics_and_those_before_slices_and_old_before_new(session):
    order = [
        ("process_batch", job(mosaic="003", batch="002")),
        ("convert_batch", job(mosaic="004", batch="001")),
        ("start_slice", job(slice="003")),
        ("stack_slices", job()),
        ("stitch_volume", job(mosaic="001", modality="dBI")),
        ("stitch_enface", job(mosaic="009")),
        ("register_slice", job(slice="001")),
        ("register_slice", job(slice="002")),
        ("register_slice", job(slice="2000")),
    ]
    priorities = [session.priority(wildcards, rule) for rule, wildcards in order]
    assert priorities == sorted(set(priorities), reverse=True)


def test_params_are_plain_values(session):
    plain = {
        "settings": session.settings("register"),
        "instrument": session.instrument,
        "illuminations": session.illuminations,
        "grid": session.grid(job(mosaic="001")),
        "grids": session.template_grids(job(illumination="normal")),
        "coordinates": session.coordinate_settings(job(illumination="normal")),
        "version": session.version("stitch"),
    }
    assert eval(repr(plain)) == plain


def test_the_dispersion_file_is_seen_from_the_project_and_known_by_its_content(tmp_path):
    (tmp_path / "d.dat").write_bytes(b"1")
    values = {"instrument": {"dispersion_file": "d.dat"}, "project": {"folder": "a/b"}}
    before = open_session(values, tmp_path).instrument
    assert before["dispersion_file"] == "../../d.dat"
    (tmp_path / "d.dat").write_bytes(b"2")
    assert open_session(values, tmp_path).instrument["dispersion_id"] != before["dispersion_id"]


def test_what_delivered_files_cannot_give_is_left_out_and_said(tmp_path):
    acquisition = {"format": "processed_with_spectral", "delivered": ["dBI", "ret", "ori"]}
    session = open_session({"acquisition": acquisition}, tmp_path)
    assert session.settings("stitch")["modalities"] == ["aip", "mip", "ret", "ori", "surf"]
    assert session.volume_modalities == ["dBI"]
    assert session.settings("stack")["image"] == "aip"
    assert session.remarks()[:2] == [
        "left out: stitch.modalities: biref",
        "left out: stitch.mask_outputs: biref",
    ]
    assert "left out: register: needs biref and ori" in session.remarks()


def test_what_coordinates_wait_for_is_said(tmp_path):
    raw = tmp_path / "phantom" / "raw"
    raw.mkdir(parents=True)
    (raw / "mosaic_003_image_0001_spectral_0001.nii").touch()
    rows = [{"name": name, "grid_size_x": 1} for name in ("normal", "tilted")]
    values = {
        "experiment": {"grid_size_y": 1, "illuminations": rows},
        "ingest": {"stable_seconds": 0},
        "stitch": {"template_slices": [1, 3]},
    }
    said = "waiting: mosaic 3: its tile coordinates are found on mosaics [1, 5] too, which"
    assert open_session(values, tmp_path).remarks()[-1].startswith(said)


def test_every_batch_of_the_template_slices_gives_coordinates(tmp_path):
    override = {"first_slice": 2, "last_slice": 2, "grid_size_x": 1, "first_column": 1}
    rows = [{"name": "normal", "grid_size_x": 2, "overrides": [override]}]
    experiment = {"grid_size_y": 1, "illuminations": rows}
    stitch = {"template_slices": [1, 2]}
    session = open_session({"experiment": experiment, "stitch": stitch}, tmp_path)
    normal = job(illumination="normal")
    assert session.template_mosaics(normal) == ["001", "001", "002"]
    assert session.template_batches(normal) == ["001", "002", "001"]
    assert session.template_grids(normal) == {1: [[1, 0, 0], [2, 1, 0]], 2: [[1, 1, 0]]}


def coordinates_of(illumination, folder, **stitch):
    session = open_session({"stitch": stitch, "project": {"folder": "p"}}, folder)
    return session.coordinate_settings(job(illumination=illumination))


def test_another_content_of_brought_coordinates_is_another_param(tmp_path):
    brought = {"normal": "a.txt"}
    absent = coordinates_of("normal", tmp_path, coordinates=brought)
    assert absent["coordinates"] == brought
    found = []
    for text in ("dim = 2", "dim = 3"):
        (tmp_path / "p" / "a.txt").write_text(text)
        found.append(coordinates_of("normal", tmp_path, coordinates=brought))
    assert absent != found[0] != found[1]
    assert coordinates_of("tilted", tmp_path) == coordinates_of(
        "tilted", tmp_path, coordinates=brought
    )


IRRELEVANT = [
    {"placement": "rounded", "modalities": ["aip"], "previews": False, "refine": True},
    {"gates": {"coverage_fraction": {"warn": 0.5}}},
    {"fiji": "/opt/fiji"},
]


@pytest.mark.parametrize("stitch", IRRELEVANT)
def test_what_does_not_decide_the_coordinates_is_no_param_of_them(tmp_path, stitch):
    assert coordinates_of("normal", tmp_path, **stitch) == coordinates_of("normal", tmp_path)


RELEVANT = [
    {"gates": {"residual_rms_px": {"warn": 0.2}}},
    {"force_refresh_coordinates": 1},
    {"template_slices": [1, 2]},
    {"engine": "fiji"},
    {"search_px": 30},
]


@pytest.mark.parametrize("stitch", RELEVANT)
def test_what_decides_the_coordinates_is_a_param_of_them(tmp_path, stitch):
    assert coordinates_of("normal", tmp_path, **stitch) != coordinates_of("normal", tmp_path)


def test_parsing_the_workflow_does_not_import_numerics():
    code = (
        "import sys, octflow.workflow.session;print('scipy' in sys.modules, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_another_content_of_the_surface_map_is_another_param(tmp_path):
    values = {"process": {"surface": "surface.nii"}, "project": {"folder": "p"}}
    session = open_session(values, tmp_path)
    before = session.process_settings
    (tmp_path / "p" / "surface.nii").write_bytes(b"map")
    assert before["surface_id"] is None
    assert session.process_settings["surface_id"].startswith("xxh3")


def test_a_project_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"project.folder .*/file/x: found Not a directory"):
        open_session({"project": {"folder": "file/x"}}, tmp_path)


def test_an_empty_acquisition_folder_is_said(session, tmp_path):
    folder = tmp_path / "phantom" / "raw"
    assert session.remarks() == [f"waiting: there is no spectral tile in {folder}"]


def session_of(arrived, folder, **stack):
    """A project to which one tile of each of these slices has come, under one illumination."""
    (folder / "raw").mkdir(exist_ok=True)
    for slice_id in arrived:
        (folder / "raw" / f"mosaic_{slice_id:03d}_image_0001_spectral_0001.nii").touch()
    values = {
        "acquisition": {"folder": str(folder / "raw")},
        "experiment": {"grid_size_y": 1, "illuminations": [{"name": "normal", "grid_size_x": 1}]},
        "ingest": {"stable_seconds": 0},
        "project": {"folder": "p"},
        "stack": stack,
    }
    return open_session(values, folder)


def test_a_slice_is_compared_with_the_three_before_it_that_are_there(tmp_path):
    session = session_of([1, 2, 4, 5, 6], tmp_path)
    assert session.placed == ["002", "004", "005", "006"]
    assert session.compared_mosaics(job(slice="002")) == ["001", "002"]
    assert session.compared_mosaics(job(slice="006")) == ["002", "004", "005", "006"]


def test_slices_that_are_not_asked_for_are_neither_placed_nor_stacked(tmp_path):
    session = session_of([1, 2, 4, 5], tmp_path, slices=[1, 4, 5, 9])
    assert session.placed == ["004", "005"]
    assert session.compared_mosaics(job(slice="005")) == ["001", "004", "005"]
    assert session.reference_mosaics == ["001", "004", "005"]


def test_slices_of_which_nothing_is_asked_are_not_compared(tmp_path):
    assert session_of([1, 2], tmp_path, align=False, equalise=[]).placed == []
    assert session_of([1, 2], tmp_path, align=False).placed == ["002"]


def test_another_content_of_the_reference_is_another_stack(tmp_path):
    session = session_of([], tmp_path, reference="r.nii", reference_transform="centre")
    found = []
    for content in ("a", "b"):
        session.project.mkdir(parents=True, exist_ok=True)
        (session.project / "r.nii").write_text(content)
        found.append(session.stack_settings["reference_ids"])
    assert list(found[0]) == ["r.nii"]
    assert found[0] != found[1]
