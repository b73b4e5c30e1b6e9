"""The contact sheet of a batch: every tile with its verdict, and the reason where there is none."""

import textwrap
from pathlib import Path

import numpy as np

from octflow.core.record import Outcome, TileFailure, Unit
from octflow.io.batch import BatchResult, TileRecord
from octflow.io.contact import Titled, write_contact_sheet
from octflow.io.nifti import read_nifti
from octflow.io.scaled import read_scaled
from octflow.stages.process.sheet import framed, tile_picture

_TITLE_CHARACTERS = 48


def write_overview(overview: Path, result: BatchResult, outcome: Outcome, unit: Unit) -> None:
    """Show every tile of the batch, and the reason where there is none.

    Parameters
    ----------
    overview : Path
        Sheet to be written.
    result : BatchResult
        Tiles done; their maps are read back.
    outcome : Outcome
        Names the tiles that failed or are missing.
    unit : Unit
        The batch.
    """
    panels = {r.tile: _panel(r) for r in result.done}
    if outcome.tiles is not None:
        panels |= {f.tile: _empty(f, "failed") for f in outcome.tiles.failed}
        panels |= {f.tile: _empty(f, "missing") for f in outcome.tiles.missing}
    title = (
        f"mosaic {unit.mosaic}, batch {unit.batch}: "
        "intensity (50 to 80 dB), surface; axis (-90 to 90°), middle B-line with surface"
    )
    nothing = Titled("no tiles", np.zeros((2, 2, 3), np.uint8))
    shown = [panels[tile] for tile in sorted(panels)] or [nothing]
    write_contact_sheet(overview, shown, title=title)


def _panel(record: TileRecord) -> Titled:
    paths = {p.role: Path(p.path) for p in record.outputs}
    maps = {role: read_nifti(paths[role]) for role in ("aip", "ori") if role in paths}
    surface_px = read_nifti(paths["surf"])
    middle = (slice(None), len(surface_px) // 2)
    picture = tile_picture(
        aip=maps.get("aip"),
        surface_px=surface_px,
        ori=maps.get("ori"),
        b_scan_db=read_scaled(paths["dBI"]).floats(*middle) if "dBI" in paths else None,
    )
    missed = [gate.name for gate in record.gates if gate.verdict != "pass"]
    verdict = f"warn: {', '.join(missed)}" if missed else "pass"
    title = f"tile {record.tile}: SNR {record.qc['snr_db']:.0f} dB, {verdict}"
    colour = "warn" if missed else "pass"
    return Titled(textwrap.fill(title, _TITLE_CHARACTERS), framed(picture, colour))


def _empty(failure: TileFailure, word: str) -> Titled:
    text = f"tile {failure.tile} {word}: {failure.reason}"
    picture = framed(np.full((40, 40, 3), 40, np.uint8), "fail")
    return Titled(textwrap.fill(text, _TITLE_CHARACTERS), picture)
