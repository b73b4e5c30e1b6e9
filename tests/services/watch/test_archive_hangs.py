"""An archive that speaks DANDI's protocol, hangs, and then refuses the key: compute goes on."""

import json
import os

import pytest
import yaml

from octflow.io.records import read_record

import acquisition
import runs
from acquisition import Service, octflow, processes, until
from archive_server import DANDISET, KEY, archive_server
from loopback import form, loopback

if not os.environ.get("CI"):
    pytest.importorskip("dandi")

pytestmark = pytest.mark.slow

TOKEN = "xoxb-not-a-token"
UPLOADED = "mosaic-001/state/batch-001.uploaded"
STACKED = "state/project.stacked"


class Evening:
    """A watched project of one tile, whose archive answers in the end."""

    def __init__(self, folder, archive, slack):
        self.folder, self.project = folder, folder / "project"
        self.archive, self.slack = archive, slack
        secrets = {"DANDI_API_KEY": KEY, "SLACK_BOT_TOKEN": TOKEN, "no_proxy": "127.0.0.1"}
        log = folder / "watch.log"
        self.watcher = Service("watch", folder / "config.yaml", log=log, **secrets)

    def run(self):
        self.archive.faults = [("GET", "/info/", "hang"), ("GET", "/auth/token", 401)]
        self.archive.hang_s = acquisition.PATIENCE_S
        with self.watcher.running():
            until((self.project / STACKED).exists)
            self.while_it_hangs = {
                "status": self.ask_status(),
                "asked": ("GET", "/info/", "hang") not in self.archive.faults,
                "answered": list(self.archive.requests),
                "uploads": acquisition.jobs(self.project, "upload_batch"),
                "uploaded": (self.project / UPLOADED).exists(),
                "words": [word for _, words in processes(self.folder) for word in words],
            }
            self.archive.released.set()
            until(lambda: acquisition.attempts(self.project).get(self.job))
            self.refused = self.ask_status(), (self.project / UPLOADED).exists()
            until((self.project / UPLOADED).exists)
            self.in_the_end = self.ask_status()
            self.watcher.stop()

    job = "upload_batch/slice-001_mosaic-001_batch-001_illumination-normal"

    def ask_status(self):
        """Return the jobs that failed, and the end of what is said of each."""
        asked = octflow("status", self.folder / "config.yaml", "--json")
        return {one["job"]: one["reason"] for one in json.loads(asked.stdout)["failures"]}


def configure(folder, archive, slack):
    """One illumination of one tile; its raw tile goes to the archive, and events to Slack."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["experiment"]["illuminations"] = config["experiment"]["illuminations"][:1]
    config["archive"], config["volume"] = {"enabled": True}, {"modalities": []}
    config["stitch"] = {**config.get("stitch", {}), "modalities": ["aip", "mip"]}
    config["stack"] = {**config.get("stack", {}), "image": "aip", "maps": ["aip", "mip"]}
    target = {"kind": "dandi", "instance": archive.api, "dandiset": DANDISET}
    limits = {"timeout_s": 600, "attempts": 1}
    config["upload"] = {"target": target, "levels": ["batch"], "limits": limits}
    config["ingest"] = {"stable_seconds": 0}
    quick = {"poll_seconds": 0.5, "first_wait_s": 8, "pages_every_s": None, "nice": 0}
    config["watch"] = quick
    listener = {"kind": "slack", "name": "slack", "channel": "C1", "api_url": slack.url}
    config["events"] = {"poll_seconds": 0.5, "listeners": [listener]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def evening(tmp_path_factory):
    folder = runs.smallest(tmp_path_factory.mktemp("evening") / "tiny")
    for path in (folder / "raw").glob("mosaic_002*"):
        path.unlink()
    with archive_server() as archive, loopback() as slack:
        configure(folder, archive, slack)
        evening = Evening(folder, archive, slack)
        try:
            evening.run()
            yield evening
        finally:
            archive.released.set()
            acquisition.clear(folder)


def test_all_is_computed_while_the_archive_hangs(evening):
    found = evening.while_it_hangs
    assert (found["asked"], found["answered"]) == (True, [])
    assert (len(found["uploads"]), found["uploaded"], found["status"]) == (1, False, {})


def test_a_key_that_is_refused_is_in_the_status_and_no_flag_is_written(evening):
    status, uploaded = evening.refused
    (reason,) = status.values()
    assert f"dandiset {DANDISET} of {evening.archive.api}: found a key it does not know" in reason
    assert (list(status), uploaded) == (["upload_batch mosaic 1 batch 1"], False)
    assert evening.in_the_end == {}


def test_it_is_told_once(evening):
    told = [form(request)["text"] for request in evening.slack.came_to("/chat.postMessage")]
    assert len([text for text in told if "found a key it does not know" in text]) == 1


def test_the_flag_is_true_in_the_end(evening):
    record = read_record(evening.project / UPLOADED)
    held = {
        a["metadata"]["path"]: evening.archive.digest(a) for a in evening.archive.assets.values()
    }
    assert {a.path: a.digest for a in record.assets} == {
        path: ":".join(next(iter(digest.items()))) for path, digest in held.items()
    }
    sources = {f"tiny/{p.path}": p for p in record.inputs if p.role != "record"}
    for path in held:
        content = evening.archive.content(path)
        assert content == (evening.project / sources[path].path).read_bytes()
    assert record.parameters["settings"]["target"]["dandiset"] == DANDISET


def test_the_key_is_in_no_file_and_no_list_of_processes(evening):
    files = [path for path in evening.folder.rglob("*") if path.is_file()]
    assert evening.project / UPLOADED in files
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert evening.while_it_hangs["words"]
    assert not [word for word in evening.while_it_hangs["words"] if KEY in word]
