import numpy as np
import pytest

from octflow.core.errors import DataError, TileError, TooManyFailuresError
from octflow.core.record import Product
from octflow.core.settings import Retries
from octflow.io.batch import TileJob, TileRecord, accept, work_through
from octflow.io.records import product

ERRORS = {
    "stat:mount": OSError(5, "Input/output error"),
    "stat:full": OSError(28, "No space left on device"),
    "stat:secret": PermissionError(13, "Permission denied", "raw-1"),
    "stat:read-only": OSError(30, "Read-only file system", "out"),
}


class Bench:
    """Tiles that are numbers in files, and a count of the work done on them."""

    def __init__(self, folder):
        self.folder = folder
        self.worked = []
        self.waited_s = []
        self.signature = "one"

    def jobs(self, sources):
        return [
            TileJob(t, Product(id=f"stat:{s}", path=f"raw-{t}", bytes=1, role="raw", tile=t))
            for t, s in sources.items()
        ]

    def work(self, job):
        self.worked.append(job.tile)
        if job.source.id == "stat:bad":
            raise DataError(job.source.path, found="1 byte", expected="2 bytes")
        if job.source.id in ERRORS:
            raise ERRORS[job.source.id]
        if job.source.id == "stat:hiccup" and len(self.waited_s) < 2:
            raise TimeoutError(110, "Connection timed out")
        path = self.folder / f"{job.tile}.txt"
        path.write_text(job.source.id)
        return TileRecord(
            tile=job.tile,
            source=job.source.id,
            signature=self.signature,
            outputs=[product(path, "text", job.tile)],
        )

    def run(self, sources, threads=1):
        self.worked.clear()
        return work_through(
            self.jobs(sources),
            self.work,
            records=self.folder / "records",
            signature=self.signature,
            threads=threads,
            retries=Retries(attempts=4, first_wait_s=0.5),
            sleep=self.waited_s.append,
        )


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_bad_tile_is_named_and_the_others_are_done(bench):
    result = bench.run({1: "a", 2: "bad", 3: "c"})
    assert [r.tile for r in result.done] == [1, 3]
    assert result.failed[0].reason == "raw-2: found 1 byte, expected 2 bytes"


def test_a_second_run_redoes_only_what_changed_failed_or_vanished(bench):
    bench.run({1: "a", 2: "bad", 3: "c", 4: "d"})
    (bench.folder / "4.txt").unlink()
    bench.run({1: "a", 2: "bad", 3: "changed", 4: "d"})
    assert bench.worked == [2, 3, 4]


def test_other_parameters_redo_everything(bench):
    bench.run({1: "a", 2: "b"})
    bench.signature = "two"
    bench.run({1: "a", 2: "b"})
    assert bench.worked == [1, 2]


def test_the_result_does_not_depend_on_the_number_of_threads(bench, tmp_path):
    sources = {int(t): f"s{t}" for t in np.random.default_rng(0).permutation(20) + 1}
    one = bench.run(sources)
    (tmp_path / "many").mkdir()
    many = Bench(tmp_path / "many").run(sources, threads=4)
    assert [r.tile for r in one.done] == [r.tile for r in many.done] == sorted(sources)


def test_more_bad_tiles_than_accepted_fail_the_batch(bench):
    result = bench.run({1: "bad", 2: "bad"})
    accept(result, max_failed_tiles=2)
    with pytest.raises(TooManyFailuresError, match="2 tiles failed, at most 1 accepted"):
        accept(result, max_failed_tiles=1)


def test_what_may_pass_by_itself_is_tried_again_after_growing_waits(bench):
    result = bench.run({1: "hiccup"})
    assert bench.waited_s == [0.5, 1.0]
    assert result.done[0].attempts == 3
    kept = (bench.folder / "records" / "tile-0001.json").read_text()
    assert TileRecord.model_validate_json(kept).attempts == 3


@pytest.mark.parametrize("source", ["bad", "full"])
def test_bad_data_and_a_full_disk_are_not_tried_again(bench, source):
    result = bench.run({1: source})
    assert bench.waited_s == []
    assert (bench.worked, result.failed[0].attempts) == ([1], 1)


def test_what_does_not_pass_fails_the_batch_so_that_it_is_tried_again_later(bench):
    result = bench.run({1: "mount"})
    assert (bench.waited_s, result.failed[0].attempts) == ([0.5, 1.0, 2.0], 4)
    with pytest.raises(TileError, match="raw-1: found input/output error") as caught:
        accept(result, max_failed_tiles=5)
    assert caught.value.kind == "transient"


def test_a_tile_that_may_not_be_read_is_a_hole(bench):
    result = bench.run({1: "secret", 2: "b"})
    accept(result, max_failed_tiles=5)
    line = "raw-1: found permission denied, expected a file that can be read"
    assert (result.failed[0].kind, result.failed[0].reason) == ("data", line)


@pytest.mark.parametrize(("source", "kind"), [("full", "resource"), ("read-only", "transient")])
def test_a_target_that_cannot_be_written_to_is_no_hole(bench, source, kind):
    with pytest.raises(TileError) as caught:
        accept(bench.run({1: source}), max_failed_tiles=5)
    assert caught.value.kind == kind
