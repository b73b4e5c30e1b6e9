"""What people decide while a watcher runs: a hold, its release, a replay; with real Snakemake."""

import time
from collections import Counter

import pytest
import yaml

from octflow.io.records import read_record

import acquisition
import runs
from acquisition import Service, idle, octflow, until

pytestmark = pytest.mark.slow

BATCH = ["start_batch", "convert_batch", "process_batch"]
MOSAIC = ["find_tilemap", "stitch_enface", "join_volumes"]
STITCHED = "mosaic-001/state/mosaic-001.stitched"


class Lab:
    """A mosaic of two batches, of which the second is put on hold."""

    def __init__(self, folder):
        self.folder, self.project, self.file = folder, folder / "project", folder / "config.yaml"
        self.watcher = Service("watch", self.file, log=folder / "watch.log")
        self.seen = Counter()

    def configure(self):
        config = yaml.safe_load(self.file.read_text())
        config["watch"] = {"poll_seconds": 0.5, "pages_every_s": None, "nice": 0}
        self.file.write_text(yaml.safe_dump(config))

    def decide(self, *words):
        done = octflow(*words, self.file)
        assert done.returncode == 0, done.stderr

    def made(self):
        """Return how often each rule was done since this was last asked."""
        tried = acquisition.attempts(self.project)
        counts = Counter({job: len(records) for job, records in tried.items()})
        new, self.seen = counts - self.seen, counts
        return Counter(job.split("/")[0] for job in new.elements())

    def rest(self):
        """Wait until the watcher has looked after now, and found nothing to be done."""
        since_s = time.time()
        until(lambda: idle(self.project, since_s))

    def run(self):
        self.decide("mark", "--batch", "1/2", "--hold", "torn")
        self.by_hand = runs.snakemake(self.folder)
        self.made_by_hand = self.made()
        with self.watcher.running():
            self.rest()
            self.made_on_hold = self.made()
            self.decide("mark", "--batch", "1/2", "--release", "glued")
            until((self.project / STITCHED).exists)
            self.rest()
            self.made_released, self.before = self.made(), runs.products(self.folder)
            self.replay()
            self.watcher.stop()

    def replay(self):
        """Have the coordinates found anew while the watcher runs."""
        self.old = read_record(self.project / STITCHED)
        why = ["--yes", "--reason", "stage was moved"]
        self.decide("replay", "--illumination", "normal", "--from", "find_tilemap", *why)
        until((self.project / STITCHED).exists)
        self.rest()
        self.made_again, self.after = self.made(), runs.products(self.folder)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    base = tmp_path_factory.mktemp("lab")
    simulated = runs.simulate(base / "simulated", "tiny", "--slices", "1")
    lab = Lab(runs.acquisition(simulated, base / "tiny", volumes=()))
    for path in (lab.folder / "raw").glob("mosaic_002_*"):
        path.unlink()
    lab.configure()
    try:
        lab.run()
        yield lab
    finally:
        acquisition.clear(lab.folder)


def test_a_run_by_hand_leaves_a_held_batch_alone_and_says_so(lab):
    status, said = lab.by_hand
    assert status == 0, said
    assert "mosaic 1 batch 2: torn (" in said
    assert lab.made_by_hand == Counter(["start_slice", "start_mosaic", *BATCH])


def test_the_watcher_leaves_it_alone_too(lab):
    assert lab.made_on_hold == Counter()


def test_once_released_it_is_made_and_what_waited_for_it(lab):
    assert lab.made_released == Counter([*BATCH, *MOSAIC])


def test_a_watcher_makes_exactly_what_a_replay_set_aside(lab):
    assert lab.made_again == Counter(["find_tilemap", "stitch_enface"])


def test_what_is_made_again_is_new_and_the_same(lab):
    assert read_record(lab.project / STITCHED).started_at > lab.old.ended_at
    assert lab.after == lab.before
