from octflow.core.experiment import Illumination
from octflow.stages.ingest.files import start_batch

ROW = Illumination(name="normal", grid_size_x=1)


def test_a_batch_lists_its_raw_tiles_by_size_and_time_and_its_holes_with_their_reasons(tmp_path):
    outcome = start_batch(
        mosaic_started=tmp_path,
        illumination=ROW,
        acquisition={},
        inventory=[
            {"tile": 1, "path": "raw-1.nii", "bytes": 1000, "modified_s": 5},
            {"tile": 2, "missing": "laser off"},
        ],
    )
    assert [(p.id, p.path, p.role) for p in outcome.inputs] == [("stat:1000-5", "raw-1.nii", "raw")]
    assert outcome.qc == {"tiles_present": 1, "raw_bytes": 1000}
    assert outcome.warnings == ["tile 2 is missing: laser off"]
