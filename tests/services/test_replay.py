import contextlib
import json
from pathlib import Path

import pytest

from octflow.core.errors import DataError, SettingsError
from octflow.core.layout import flag, job_of
from octflow.core.part import Part
from octflow.core.record import Outcome, Product, Tiles
from octflow.io.lock import Lock
from octflow.io.records import write_record
from octflow.services.parts import unit_of
from octflow.services.replay import carry_out, replay_of
from octflow.services.replay_text import lines_of
from octflow.services.retire import retire
from octflow.workflow.config import read_config
from octflow.workflow.records import Attempt
from octflow.workflow.session import Session

NO_ID = f"xxh3:{'0' * 32}"
STARTED, COMPLEX, PROCESSED, ARCHIVED = (
    str(flag(f"{verb}_batch", mosaic=1, batch=1))
    for verb in ("start", "convert", "process", "archive")
)
FOUND = str(flag("find_tilemap", illumination="normal"))
STITCHED, OTHER = (str(flag("stitch_enface", mosaic=mosaic)) for mosaic in (1, 3))
JOINED = str(flag("join_volumes", mosaic=1))
FIRST, SECOND = (str(flag("register_slice", slice=number)) for number in (1, 2))
STACK = str(flag("stack_slices"))
MADE_FROM = {
    STARTED: [],
    COMPLEX: [STARTED],
    PROCESSED: [COMPLEX],
    ARCHIVED: [STARTED, COMPLEX],
    FOUND: [PROCESSED],
    STITCHED: [PROCESSED, FOUND],
    OTHER: [FOUND],
    JOINED: [STITCHED],
    FIRST: [STITCHED],
    SECOND: [OTHER],
    STACK: [FIRST, SECOND, JOINED],
}
STAGES = {
    "start_batch": "ingest",
    "stitch_enface": "stitch",
    "find_tilemap": "stitch",
    "join_volumes": "volume",
    "register_slice": "register",
    "stack_slices": "stack",
}


class Bench:
    """Two slices, of which the first gave the coordinates."""

    def __init__(self, folder):
        rows = [{"name": name, "grid_size_x": 2} for name in ("normal", "tilted")]
        values = {"project": {"folder": str(folder)}, "experiment": {"illuminations": rows}}
        self.project = folder
        self.session = Session(read_config(values), folder)
        for path, read in MADE_FROM.items():
            self.write(path, read)

    def write(self, path, read=(), inputs=(), outputs=(), **told):
        rule = job_of(path)[0]
        flags = [Path(name) for name in read]
        unit = unit_of(path, "demo", self.session.config.experiment)
        stage = STAGES.get(rule, rule.split("_")[0])
        folder = {"folder": "mosaic-001/products"}
        attempt = Attempt(stage, rule, unit, flags, folder, 1, "tile", 1)
        listed = {
            key: [Product(id=NO_ID, path=name, bytes=1, role="raw") for name in names]
            for key, names in (("inputs", inputs), ("outputs", outputs))
        }
        write_record(Path(path), attempt.succeeded(Outcome(**listed, **told), {}))

    def there(self):
        return {path for path in MADE_FROM if (self.project / path).exists()}

    def plan(self, since, **part):
        return replay_of(self.session, Part(**part), since)

    def flags(self, since, **part):
        return [one.flag for one in self.plan(since, **part).retirees]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


class Stopped(Exception):
    """Stands for a kill."""


class StoppingLock(Lock):
    """Is asked before every move: sees what is there, and stops after some."""

    def __init__(self, folder, bench, moves):
        super().__init__(folder)
        self.bench, self.left, self.seen = bench, moves, []

    def check(self):
        self.seen.append(self.bench.there())
        self.left -= 1
        if self.left < 0:
            raise Stopped


def orphans(there):
    """Flags whose inputs are gone."""
    return [path for path in there if not there.issuperset(MADE_FROM[path])]


def test_all_that_was_made_from_it_is_made_anew_also_beyond_the_part(bench):
    assert bench.flags("process", mosaic=1, batch=1) == [
        *(PROCESSED, FOUND, STITCHED, OTHER, JOINED, FIRST, SECOND, STACK),
    ]
    assert bench.flags("find_tilemap", illumination="normal")[:2] == [FOUND, STITCHED]
    assert bench.flags("stitch", slice=1) == [STITCHED, JOINED, FIRST, STACK]
    assert bench.flags("register", slice=2) == [SECOND, STACK]
    assert bench.flags("stack") == [STACK]


def test_every_flag_says_what_it_was_made_from(bench):
    why = {one.flag: one.why for one in bench.plan("stitch", mosaic=3).retirees}
    assert why == {
        OTHER: "asked for",
        SECOND: f"made from {OTHER}",
        STACK: f"made from {SECOND}",
    }


def test_an_archive_is_made_anew_with_what_was_taken_in_alone(bench):
    assert ARCHIVED not in bench.flags("convert", mosaic=1)
    assert ARCHIVED in bench.flags("ingest", mosaic=1)


def test_planning_changes_nothing(bench):
    before = sorted(bench.project.rglob("*"))
    bench.plan("ingest")
    assert sorted(bench.project.rglob("*")) == before


def test_a_part_without_flags_of_the_stage_is_refused_with_those_it_has(bench):
    with pytest.raises(DataError, match="flags of stitch in mosaic 3, expected one of process"):
        bench.plan("process", mosaic=3)


@pytest.mark.parametrize(
    ("part", "since", "message"),
    [
        (
            Part(mosaic=1),
            "stich",
            "found stich, expected a stage \\(archive, convert, .*upload, volume\\)",
        ),
        (Part(illumination="tilt"), "stitch", "found illumination tilt, expected normal, tilted"),
    ],
)
def test_a_misspelt_stage_or_illumination_is_said_to_be_one(bench, part, since, message):
    with pytest.raises(SettingsError, match=message):
        replay_of(bench.session, part, since)


def test_the_flags_and_nothing_else_lie_in_the_history(bench):
    before = {path: (bench.project / path).read_bytes() for path in (SECOND, STACK)}
    folder = carry_out(bench.session, bench.plan("register", slice=2), reason="bent")
    assert bench.there() == set(MADE_FROM) - {SECOND, STACK}
    assert {path: (folder / path).read_bytes() for path in before} == before
    told = json.loads((folder / "retired.json").read_text())
    assert (told["reason"], told["files"]) == ("bent", [STACK, SECOND])


def test_wherever_it_is_killed_no_flag_lacks_its_inputs_and_a_repetition_ends_it(bench):
    for left in range(len(MADE_FROM), 0, -1):
        assert len(bench.there()) == left
        lock = StoppingLock(bench.project / "lock", bench, 2)
        with contextlib.suppress(Stopped):
            retire(bench.project, bench.flags("ingest", mosaic=1), reason="x", lock=lock)
        assert not any(orphans(there) for there in (*lock.seen, bench.there()))
    assert bench.there() == set()


def test_small_records_of_tiles_go_with_the_jobs_asked_for_alone(bench):
    names = [f"mosaic-001/products/records/tile-{tile:04d}.json" for tile in (1, 2)]
    for name in names:
        (bench.project / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.project / name).write_text("{}")
    for path in (COMPLEX, PROCESSED):
        bench.write(path, MADE_FROM[path], tiles=Tiles(ok=[1, 2]))
    plan = bench.plan("convert", mosaic=1)
    assert {one.flag: one.reused for one in plan.retirees if one.reused} == {COMPLEX: tuple(names)}
    folder = carry_out(bench.session, plan, reason="again")
    assert all((folder / name).exists() for name in names)


def test_what_cannot_be_read_again_is_refused_unless_forced(bench):
    bench.write(COMPLEX, [STARTED], inputs=["raw.nii"], outputs=["complex.nii"])
    bench.write(PROCESSED, [COMPLEX], inputs=["complex.nii"])
    plan = bench.plan("convert", mosaic=1)
    assert plan.gone == ("raw.nii",)
    with pytest.raises(DataError, match=r"raw\.nii: found no such file"):
        carry_out(bench.session, plan, reason="x")
    assert bench.there() == set(MADE_FROM)
    assert carry_out(bench.session, plan, reason="x", force=True)
    assert COMPLEX not in bench.there()


def test_products_of_jobs_in_between_are_missed_where_those_are_not_done_again(bench):
    bench.write(COMPLEX, [STARTED], outputs=["complex.nii"])
    bench.write(PROCESSED, [COMPLEX], inputs=["complex.nii"])
    assert bench.plan("process", mosaic=1).gone == ("complex.nii",)
    assert bench.plan("convert", mosaic=1).gone == ()


def test_the_text_names_flags_reasons_and_jobs(bench):
    said = "\n".join(lines_of(bench.plan("register", slice=2)))
    assert f"{STACK:<{len(SECOND)}}  made from {SECOND}" in said
    assert "1 register_slice, 1 stack_slices" in said
    assert "--yes" in said
