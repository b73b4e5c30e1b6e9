import pytest

from octflow.core.layout import FLAGS, flag
from octflow.core.record import Outcome, Product, Tiles, Unit
from octflow.io.records import write_record
from octflow.services.events.service import Events
from octflow.workflow.config import read_config
from octflow.workflow.records import Attempt

from loopback import loopback


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with loopback() as running:
        yield running


class Project:
    """A project of mosaics with four batches of two tiles, whose jobs end at a word."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "state").mkdir()

    def config(self, *listeners, **section):
        quick = {"first_wait_s": 0.01, "max_wait_s": 0.05, "timeout_s": 1}
        rows = [{"name": "normal", "grid_size_x": 4}]
        return read_config(
            {
                "project": {"name": "I46", "subject": "I46", "folder": str(self.folder)},
                "experiment": {"grid_size_y": 2, "illuminations": rows},
                "events": {"listeners": [{**quick, **one} for one in listeners], **section},
            }
        )

    def deliver(self, *listeners, **section):
        """Scan and deliver once, as a process of its own would; return what is left."""
        with Events(self.config(*listeners, **section), self.folder) as events:
            events.scan()
            return events.deliver()

    def attempt(self, rule, **ids):
        return Attempt(
            stage="process",
            rule=rule,
            unit=Unit(project="I46", **ids),
            flags=[],
            parameters={},
            stage_version=1,
            pool="tile",
            threads=1,
        )

    def succeed(self, rule, *, outputs=(), tiles=None, assets=(), **ids):
        outcome = Outcome(outputs=list(outputs), tiles=tiles, assets=list(assets))
        record = self.attempt(rule, **ids).succeeded(outcome, {})
        path = self.folder / flag(rule, **{"illumination": "", "modality": "dBI", **ids})
        write_record(path, record)
        return record

    def fail(self, rule, message="tile 3: found 1 byte", number=1, **ids):
        attempt = self.attempt(rule, **ids)
        record = attempt.failed(OSError(message), "transient")
        write_record(self.folder / attempt.folder / f"attempt-{number:03d}.json", record)
        return record

    def ids(self, rule):
        """The unit of a rule, as its flag's path asks for it."""
        ids = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal", "share": 1}
        return {key: value for key, value in ids.items() if f"{{{key}" in FLAGS[rule]}

    def process(self, batch, mosaic=1):
        tiles = Tiles(ok=[2 * batch - 1, 2 * batch])
        return self.succeed("process_batch", slice=1, mosaic=mosaic, batch=batch, tiles=tiles)

    def picture(self, path="mosaic-001/qc/enface.jpg"):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"picture")
        return Product(id="stat:1", path=path, bytes=7, role="overview")


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)
