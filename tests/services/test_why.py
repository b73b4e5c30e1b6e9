from pathlib import Path

import pytest

from octflow.core.errors import DataError
from octflow.core.layout import flag
from octflow.core.record import Outcome, Product, Unit
from octflow.io.records import product, write_record
from octflow.services.why import origin_of
from octflow.services.why_text import lines_of
from octflow.workflow.records import Attempt

UNIT = Unit(project="p", slice=1, mosaic=1, illumination="normal")
BATCH = UNIT.model_copy(update={"batch": 1})


def ran(rule, unit, flags=(), *, parameters=None, **told):
    """Run a job as the adapter does: its record is its flag, and is kept."""
    attempt = Attempt("stitch", rule, unit, list(flags), parameters or {}, 7, "stitch", 1)
    record = attempt.succeeded(Outcome(**told), {})
    ids = unit.model_dump(exclude_none=True, exclude={"project"})
    attempt.keep(record)
    write_record(flag(rule, **ids), record)
    return flag(rule, **ids)


def raw(tile):
    return Product(id="stat:1", path=f"/raw/{tile}.nii", bytes=10, role="raw", tile=tile)


def made(path, role, tile=None):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return product(path, role, tile)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Raw tiles, maps of them, a stitched map and a volume that is a folder."""
    monkeypatch.chdir(tmp_path)
    started = ran("start_batch", BATCH, inputs=[raw(1), raw(2)])
    maps = [made(f"mosaic-001/processed/{tile}_aip.nii", "aip", tile) for tile in (1, 2)]
    processed = ran("process_batch", BATCH, [started], inputs=[raw(1), raw(2)], outputs=maps)
    stitched = made("mosaic-001/stitched/aip.nii", "aip")
    ran("stitch_enface", UNIT, [processed], parameters={"level": 3}, outputs=[stitched])
    made("mosaic-001/stitched/dBI.ome.zarr/0/c", "chunk")
    volume = product(Path("mosaic-001/stitched/dBI.ome.zarr"), "dBI")
    ran("join_volumes", UNIT, [processed], outputs=[volume])
    return tmp_path


def rules(origin):
    return [origin.record.rule, *(rule for one in origin.made_from for rule in rules(one))]


def test_a_product_is_followed_back_to_the_raw_tiles(project):
    origin = origin_of(project / "mosaic-001/stitched/aip.nii")
    assert rules(origin) == ["stitch_enface", "process_batch", "start_batch"]
    assert [p.path for p in origin.made_from[0].made_from[0].files] == ["/raw/1.nii", "/raw/2.nii"]


def test_a_product_of_one_tile_is_followed_along_that_tile(project):
    origin = origin_of(Path("mosaic-001/processed/2_aip.nii"))
    assert [p.tile for one in (origin, *origin.made_from) for p in one.files] == [2, 2]


def test_a_file_within_a_volume_belongs_to_the_job_of_the_volume(project):
    origin = origin_of(project / "mosaic-001/stitched/dBI.ome.zarr/0/c")
    assert origin.record.rule == "join_volumes"


def test_a_product_that_is_a_link_or_gone_is_known_by_its_own_name(project):
    path = project / "mosaic-001/stitched/aip.nii"
    path.unlink()
    assert origin_of(path).record.rule == "stitch_enface"
    path.symlink_to("/raw/delivered.nii")
    assert origin_of(path).record.rule == "stitch_enface"


def test_a_flag_and_an_attempt_tell_of_their_own_job(project):
    attempt = "lineage/process_batch/slice-001_mosaic-001_batch-001_illumination-normal"
    paths = (flag("process_batch", mosaic=1, batch=1), Path(attempt) / "attempt-001.json")
    assert [origin_of(path).record.rule for path in paths] == ["process_batch"] * 2


def test_a_record_made_anew_since_is_found_in_the_lineage_as_it_was_read(project):
    ran("process_batch", BATCH, parameters={"changed": True})
    before = origin_of(project / "mosaic-001/stitched/aip.nii").made_from[0]
    assert before.path.name == "attempt-001.json"
    assert before.record.parameters == {}


def test_a_record_that_is_nowhere_any_more_is_said_to_be_lost(project):
    flag("process_batch", mosaic=1, batch=1).unlink()
    origin = origin_of(project / "mosaic-001/stitched/aip.nii")
    assert [p.path for p in origin.lost] == ["mosaic-001/state/batch-001.processed"]
    assert any("no longer there" in line for line in lines_of(origin))


@pytest.mark.parametrize("name", ["mosaic-001/stitched/mip.nii", "state/no.flag"])
def test_what_no_record_lists_is_refused_in_words(project, name):
    with pytest.raises(DataError, match=r"found no (record that lists it|file)"):
        origin_of(project / name)


def test_a_path_outside_of_any_project_is_refused_in_words(tmp_path):
    with pytest.raises(DataError, match="no project around it"):
        origin_of(tmp_path / "aip.nii")


def test_the_text_tells_parameters_code_time_and_place(project):
    origin = origin_of(project / "mosaic-001/stitched/aip.nii")
    said = "\n".join(lines_of(origin))
    record = origin.record
    assert "    level: 3" in said
    assert "stage stitch version 7" in said
    assert record.started_at[:19] in said
    assert f"on {record.executor.host} by {record.executor.user}" in said


def test_jobs_before_are_indented_below_and_cut_at_the_depth(project):
    origin = origin_of(project / "mosaic-001/stitched/aip.nii")
    assert any(line.startswith("    start_batch") for line in lines_of(origin))
    short = list(lines_of(origin, depth=1))
    assert not any("start_batch" in line and "succeeded" in line for line in short)
    assert short[-1] == "    made from 1 jobs before (--depth)"


def test_a_job_that_two_others_read_is_told_once(project):
    unit = Unit(project="p", slice=1)
    ids = [flag(rule, mosaic=1) for rule in ("stitch_enface", "join_volumes")]
    said = list(lines_of(origin_of(ran("register_slice", unit, ids))))
    told = [line.strip() for line in said if "process_batch mosaic 1 batch 1:" in line]
    assert ["above" in line for line in told] == [False, True]
