"""What the record of a batch tells of its tiles."""

from octflow.core.instrument import Instrument
from octflow.core.record import Outcome, Record, TileFailure, Tiles
from octflow.io.batch import BatchResult
from octflow.io.instrument import instrument_files


def outcome_of(
    result: BatchResult, record: Record, instrument: Instrument, warnings: list[str]
) -> Outcome:
    """Tell what became of the tiles, and what was noticed.

    Parameters
    ----------
    result : BatchResult
        Tiles that are done, and those that failed.
    record : Record
        Of the batch; it knows the tiles that never came.
    instrument : Instrument
        Its files were read.
    warnings : list of str
        More of what was noticed.
    """
    missing: list[TileFailure] = record.tiles.missing if record.tiles else []
    warned = [r for r in result.done if any(g.verdict != "pass" for g in r.gates)]
    return Outcome(
        inputs=[*result.inputs, *instrument_files(instrument)],
        outputs=result.outputs,
        tiles=Tiles(ok=[r.tile for r in result.done], failed=result.failed, missing=missing),
        qc={
            "tiles_converted": len(result.done),
            "tiles_failed": len(result.failed),
            "calibration_residual_nm": instrument.calibration_residual_nm,
            "saturated_fraction": max(
                (r.qc["saturated_fraction"] for r in result.done if r.qc), default=None
            ),
        },
        warnings=[
            *(
                f"tile {r.tile}: {r.qc['saturated_fraction']:.3%} of the samples saturated"
                for r in warned
            ),
            *sorted(warnings),
        ],
        backend=result.backend,
    )
