"""What the record of a batch tells of its tiles."""

import numpy as np

from octflow.core.record import Outcome, Record, Tiles
from octflow.io.batch import BatchResult
from octflow.stages.process.quality import said

_SURFACE_QC = ("surface_found_fraction", "surface_edge_px")
_SHARES = ("nan_fraction", "saturated_fraction")


def outcome_of(result: BatchResult, record: Record) -> Outcome:
    """Tell what became of the tiles, with the middle or the worst of their quality.

    Parameters
    ----------
    result : BatchResult
        Tiles that are done, and those that failed.
    record : Record
        Of `convert_batch`: what failed there is missing here.
    """
    before = record.tiles or Tiles()
    warned = [(r.tile, g) for r in result.done for g in r.gates if g.verdict != "pass"]
    return Outcome(
        inputs=result.inputs,
        outputs=result.outputs,
        tiles=Tiles(
            ok=[r.tile for r in result.done],
            failed=result.failed,
            missing=sorted([*before.missing, *before.failed], key=lambda t: t.tile),
        ),
        qc={
            "tiles_processed": len(result.done),
            "tiles_failed": len(result.failed),
            **{f"{name}_median": _median(result, name) for name in ("snr_db", "noise_floor_db")},
            **{f"{name}_median": _median(result, name) for name in _SURFACE_QC},
            **{f"{name}_worst": _largest(result, name) for name in _SHARES},
        },
        gates=[g.model_copy(update={"name": f"{g.name}, tile {t}"}) for t, g in warned],
        warnings=[
            f"tile {t}: {found}, expected {expected}"
            for t, (found, expected) in ((t, said(gate)) for t, gate in warned)
        ],
        backend=result.backend,
    )


def _median(result: BatchResult, name: str) -> float | None:
    values = [r.qc[name] for r in result.done if name in r.qc]
    return float(np.median(values)) if values else None


def _largest(result: BatchResult, name: str) -> float | None:
    return max((r.qc[name] for r in result.done if name in r.qc), default=None)
