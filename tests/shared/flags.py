"""Flags for tests of stages, made by the one writer of records."""

from octflow.core.record import Outcome, Unit
from octflow.io.records import write_record
from octflow.workflow.records import Attempt


def write_flag(path, rule="stitch_enface", *, parameters=None, unit=None, **told):
    """Write the flag of a job whose function told `told`: inputs, outputs, tiles, qc."""
    attempt = Attempt(
        stage=rule,
        rule=rule,
        unit=Unit(project="p", **(unit or {})),
        flags=[],
        parameters=parameters or {},
        stage_version=1,
        pool="tile",
        threads=1,
    )
    write_record(path, attempt.succeeded(Outcome(**told), {}))
    return path
