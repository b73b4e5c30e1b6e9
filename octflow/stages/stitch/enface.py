"""The maps of a mosaic, one after the other: blended, judged, written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from octflow.core.mosaic import Grid, Layout
from octflow.core.names import AXIAL
from octflow.core.record import Product
from octflow.core.tissue import tissue_mask
from octflow.io.picture import Panel, panel_of
from octflow.io.tiles import TileMaps, damage_warnings
from octflow.stages.stitch import report
from octflow.stages.stitch.blend import Blended, Map, blend_halves
from octflow.stages.stitch.products import Shelf
from octflow.stages.stitch.seams import Seam, find_seams


@dataclass(frozen=True)
class Tissue:
    """What the intensity tells of a mosaic, for all its maps."""

    mask: NDArray[np.uint8]
    """(Y, X), 1 in tissue."""
    reached: NDArray[np.uint8]
    """(Y, X), tiles per pixel."""
    judged: NDArray[np.bool_]
    """(Y, X), tissue under two tiles: there neighbours are compared."""


@dataclass
class Maps:
    """Makes the maps of a mosaic, only one of them in memory, and gathers what is told of them."""

    layout: Layout
    """Where the tiles lie."""
    grid: Grid
    """Places of all tiles."""
    shelf: Shelf
    """Where the maps go."""
    threshold_db: float
    """Intensity from which a pixel is tissue."""
    outputs: list[Product] = field(default_factory=list)
    """Files written."""
    numbers: report.Numbers = field(default_factory=dict)
    """Quality numbers."""
    panels: list[Panel] = field(default_factory=list)
    """Pictures."""
    warnings: list[str] = field(default_factory=list)
    """Tiles that lack a map."""

    def stitch(self, sources: Mapping[str, TileMaps]) -> None:
        """Make a map of every modality; the mask comes from aip, which need not be written."""
        tissue = self._stitch_intensity(sources["aip"])
        for modality, source in sources.items():
            if modality != "aip":
                axial = modality in AXIAL
                blended = blend_halves(self.layout, source, self.grid, axial=axial)
                self._judge(modality, source, blended, tissue)
                self._write(modality, blended.whole, tissue.mask)
                del blended  # Before the next one is made.

    def _stitch_intensity(self, source: TileMaps) -> Tissue:
        aip = blend_halves(self.layout, source, self.grid)
        tissue = self._tissue_of(aip.whole, source)
        self.outputs += self.shelf.write_mask(tissue.mask)
        seams = self._judge("aip", source, aip, tissue)
        self.panels += report.seam_panels(aip, tissue.mask, tissue.reached, self.grid, seams)
        self._write("aip", aip.whole, tissue.mask)
        return tissue

    def _tissue_of(self, aip_db: Map, source: TileMaps) -> Tissue:
        reached, reachable = self.layout.counted(source), self.layout.counted(self.grid)
        missing = (reachable > 0) & (reached == 0)
        mask = tissue_mask(aip_db, self.threshold_db, missing=missing)
        self.numbers |= report.coverage_numbers(reached, reachable, mask)
        return Tissue(mask, reached, (mask > 0) & (reached == 2))

    def _judge(
        self, modality: str, source: TileMaps, blended: Blended, tissue: Tissue
    ) -> list[Seam]:
        axial = modality in AXIAL
        seams = find_seams(self.layout, self.grid, blended, tissue.judged, axial=axial)
        self.numbers |= report.seam_numbers(modality, seams)
        self.warnings += damage_warnings(modality, source)
        return seams

    def _write(self, modality: str, whole: Map, mask: NDArray[np.uint8]) -> None:
        settings = self.shelf.settings
        if modality not in settings.modalities:
            return
        if modality in settings.mask_outputs:
            np.copyto(whole, np.float32(np.nan), where=mask == 0)
        self.outputs += self.shelf.write_map(modality, whole)
        self.panels.append(panel_of(modality, whole, window=settings.window_of(modality)))
