from octflow.core.record import Outcome, Unit
from octflow.io.records import read_record
from octflow.workflow.records import Attempt

from flags import write_flag


def test_a_record_names_the_flag_that_was_there_when_its_job_began(tmp_path):
    read = write_flag(tmp_path / "read")
    before = read_record(read).record_id
    attempt = Attempt("stitch", "stitch_enface", Unit(project="p"), [read], {}, 1, "stitch", 1)
    write_flag(read)
    record = attempt.succeeded(Outcome(), {})
    assert [p.id for p in record.inputs] == [before]
    assert read_record(read).record_id != before
