import json

import pytest

from octflow.core.experiment import Experiment, Illumination
from octflow.core.layout import FLAGS
from octflow.core.record import Product
from octflow.services.events.catalogue import NAMES, Context, event_of
from octflow.services.events.scan import EventLog


def log_of(project):
    return EventLog(project.folder, Context("I46", "I46", "/data"), project.config().experiment)


def types(log):
    return [event.type.removeprefix("linc.oct.") for event in log.events]


def test_every_flag_has_an_event():
    assert set(NAMES) == set(FLAGS)
    assert len(set(NAMES.values())) == len(NAMES)


@pytest.mark.parametrize("rule", FLAGS)
def test_the_flag_of_every_rule_is_found(project, rule):
    project.succeed(rule, **project.ids(rule))
    log = log_of(project)
    log.scan()
    assert types(log) == [NAMES[rule]]


def test_an_event_has_the_attributes_that_cloudevents_requires(project):
    record = project.succeed("stitch_enface", slice=1, mosaic=2, outputs=[project.picture()])
    event = json.loads(event_of(record, "a.stitched", Context("I46", "s", "/data")).body())
    assert event["specversion"] == "1.0"
    assert (event["source"], event["subject"]) == ("/octflow/I46", "mosaic-002")
    assert event["type"] == "linc.oct.mosaic.stitched"
    assert event["time"] == record.ended_at
    assert event["data"]["outputs"][0]["path"] == "mosaic-001/qc/enface.jpg"
    assert event["data"]["project"] == {"name": "I46", "subject": "s", "folder": "/data"}
    assert event["data"]["totals"]["bytes"] == 7


def test_products_of_single_tiles_are_counted_but_not_listed(project):
    made = [Product(id="stat:1", path=f"t{t}", bytes=5, role="aip", tile=t) for t in (1, 2)]
    record = project.succeed("process_batch", slice=1, mosaic=1, batch=1, outputs=made)
    payload = event_of(record, "f", Context("I46", "s", "/data")).data
    assert payload["outputs"] == []
    assert (payload["totals"]["outputs"], payload["totals"]["bytes"]) == (2, 10)


def test_the_same_record_has_the_same_id_and_another_record_another(project):
    context = Context("I46", "s", "/data")
    first, second = (project.succeed("stitch_enface", slice=1, mosaic=1) for _ in range(2))
    assert event_of(first, "f", context).id == event_of(first, "f", context).id
    assert event_of(first, "f", context).id != event_of(second, "f", context).id


def test_a_touched_flag_is_no_news_and_a_new_record_is(project):
    project.succeed("stitch_enface", slice=1, mosaic=1)
    log = log_of(project)
    log.scan()
    (project.folder / "mosaic-001/state/mosaic-001.stitched").touch()
    log.scan()
    assert types(log) == ["mosaic.stitched"]
    project.succeed("stitch_enface", slice=1, mosaic=1)
    log.scan()
    assert types(log) == ["mosaic.stitched"] * 2


def test_quarters_are_told_once_also_across_a_restart_and_a_replay(project):
    for batch in (1, 2, 3, 4, 2):
        project.process(batch)
        log_of(project).scan()
    reached = [e for e in log_of(project).events if e.type.endswith("progressed")]
    assert [e.data["totals"]["percent"] for e in reached] == [25, 50, 75, 100]
    assert [e.data["totals"]["tiles_done"] for e in reached] == [2, 4, 6, 8]
    assert {e.subject for e in reached} == {"mosaic-001"}


def test_only_the_last_of_several_quarters_is_told(project):
    project.process(1)
    grid = Experiment(grid_size_y=2, illuminations=(Illumination(name="n", grid_size_x=1),))
    log = EventLog(project.folder, Context("I46", "I46", "/data"), grid)
    log.scan()
    assert [e.data["totals"].get("percent") for e in log.events] == [None, 100]


def test_a_failure_is_again_until_the_job_succeeds(project):
    ids = {"slice": 1, "mosaic": 1, "batch": 1}
    for number in (1, 2):
        project.fail("process_batch", number=number, **ids)
    log = log_of(project)
    log.scan()
    project.process(1)
    log.scan()
    project.fail("process_batch", number=3, **ids)
    log.scan()
    failures = [e for e in log.events if e.type == "linc.oct.batch.failed"]
    assert [e.data["again"] for e in failures] == [False, True, False]
    assert failures[0].data["error"]["kind"] == "transient"


def test_failures_of_two_modalities_are_two(project):
    for modality in ("dBI", "R3D"):
        project.fail("stitch_volume", slice=1, mosaic=1, modality=modality)
    log = log_of(project)
    log.scan()
    assert [e.data["again"] for e in log.events] == [False, False]


def test_a_broken_flag_is_named_once_and_the_others_are_told(project, caplog):
    project.succeed("stitch_enface", slice=1, mosaic=1)
    broken = project.folder / "state/slice-001.started"
    broken.write_text("{}")
    log = log_of(project)
    log.scan()
    log.scan()
    assert types(log) == ["mosaic.stitched"]
    assert caplog.text.count(str(broken)) == 1


def test_an_event_outlives_its_flag_and_a_torn_line(project):
    project.process(1)
    log_of(project).scan()
    (project.folder / "mosaic-001/state/batch-001.processed").unlink()
    project.process(2)
    log_of(project).scan()
    kept = project.folder / "state/events/events.jsonl"
    kept.write_bytes(kept.read_bytes()[:-30])
    log = log_of(project)
    log.scan()
    assert types(log) == ["batch.processed", "mosaic.progressed"] * 2


def test_a_look_that_fails_on_the_way_loses_nothing(project):
    for batch in (1, 2):
        project.process(batch)
    log = log_of(project)
    unreadable = project.folder / "mosaic-001/state/batch-003.processed"
    unreadable.mkdir()
    with pytest.raises(IsADirectoryError):
        log.scan()
    assert types(log) == []
    unreadable.rmdir()
    log.scan()
    assert types(log) == ["batch.processed", "mosaic.progressed"] * 2


def test_a_log_that_cannot_be_written_loses_nothing(project):
    project.process(1)
    log = log_of(project)
    in_the_way = project.folder / "state/events/events.jsonl"
    in_the_way.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        log.scan()
    assert types(log) == []
    in_the_way.rmdir()
    log.scan()
    assert types(log) == ["batch.processed", "mosaic.progressed"]
