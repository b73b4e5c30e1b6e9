"""A project at work, with everything that the pages show, and names that mean no good."""

import os

import numpy as np

from octflow.core.errors import DataError
from octflow.core.layout import flag
from octflow.core.part import Part
from octflow.core.record import Unit
from octflow.io.marks import Mark, write_marks
from octflow.io.missing import declare_missing
from octflow.io.picture import write_preview
from octflow.workflow.config import read_config
from octflow.workflow.records import Attempt
from octflow.workflow.session import Session

from flags import write_flag

ROWS = [
    {"name": "normal", "grid_size_x": 3},
    {"name": "tilted", "grid_size_x": 2, "tilt_deg": -15},
]
REASON = "<script>document.title = 'broken'</script> & \"quoted\""


class Project:
    """Two slices of two mosaics, of three batches and two, of two tiles each."""

    def __init__(self, folder):
        self.folder, self.project, self.raw = folder, folder / "p #1 <b> ä%41", folder / "raw"
        self.raw.mkdir()
        self.project.mkdir()

    def session(self, **sections):
        return Session(read_config(self.values(**sections)), self.folder)

    def values(self, **sections):
        """What the configuration says."""
        return {
            "project": {"folder": str(self.project), "slices": 2},
            "acquisition": {"folder": str(self.raw)},
            "experiment": {"grid_size_y": 2, "illuminations": ROWS},
            "ingest": {"stable_seconds": 0},
            **sections,
        }

    def arrive(self, mosaic, tiles):
        for tile in tiles:
            path = self.raw / f"mosaic_{mosaic:03d}_image_{tile:04d}_spectral_0000.nii"
            path.write_bytes(b"1234")

    def done(self, rule, mosaic, batch=None, **told):
        batches = {} if batch is None else {"batch": batch}
        name = ROWS[(mosaic - 1) % 2]["name"]
        unit = {"slice": (mosaic + 1) // 2, "mosaic": mosaic, "illumination": name, **batches}
        return write_flag(flag(rule, mosaic=mosaic, **batches), rule, unit=unit, **told)

    def process(self, mosaic, batch, **tiles):
        """Give a batch all its flags."""
        fate = {"ok": [2 * batch - 1, 2 * batch], **tiles}
        for rule in ("start_batch", "convert_batch", "process_batch", "archive_batch"):
            self.done(rule, mosaic, batch, tiles=fate)

    def fail(self, reason, **ids):
        """Fail at processing a batch, with record and log."""
        attempt = Attempt("process", "process_batch", Unit(project="demo", **ids), [], {}, 1, "", 1)
        attempt.keep(attempt.failed(DataError("t.nii", found=reason, expected="a tile"), "data"))
        log = self.project / f"logs/process_batch/{ids['mosaic']:03d}_{ids['batch']:03d}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("what was said")


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_preview(path, "ret", np.linspace(0, 60, 600 * 400, dtype=np.float32).reshape(400, 600))
    return path


def fill(made):
    """Slice 1: a mosaic done but for one batch that failed, another begun; slice 2: nothing."""
    made.arrive(1, range(1, 7))
    made.arrive(2, [1, 2, 3])
    made.done("start_mosaic", 1)
    made.process(1, 1)
    made.process(1, 2, ok=[3], failed=[{"tile": 4, "reason": f"tile is noise {REASON}"}])
    made.done("start_batch", 1, 3, tiles={"ok": [5, 6]})
    for number in range(2):
        ids = {"slice": 1, "mosaic": 1, "batch": 3, "illumination": "normal"}
        made.fail(f"attempt {number} {REASON}", **ids)
    gate = {"name": f"overlap {REASON}", "verdict": "fail", "value": 0.25, "bound": 0.5}
    unseen = {"name": "surface_edge_px", "verdict": "warn", "value": None, "bound": 3.5}
    made.done("convert_batch", 2, 1, gates=[gate, unseen], warnings=[f"dim lamp {REASON}"])
    declare_missing(made.project, 2, [4], f"laser off {REASON}")
    said = {"text": f"blurred {REASON}", "by": "ann on <host>", "at": "2026-01-02T03:04:05+00:00"}
    write_marks(made.project, [Mark("hold", Part(mosaic=1, batch=3), **said)])
    picture(made.project / "mosaic-001/qc/batch-001.jpg")
    picture(made.project / "mosaic-001/stitched/mosaic_001 #1 <b>'\".jpg")
    picture(made.project / "qc/slice-001.jpg")
    picture(made.project / "qc/tilemap-normal.jpg")
    os.utime(made.project / "qc/slice-001.jpg", (1e9, 1e9))
    return made
