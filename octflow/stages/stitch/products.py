"""What stage stitch writes for a mosaic."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.names import mosaic_name
from octflow.core.record import Product
from octflow.io.nifti import write_nifti
from octflow.io.picture import write_preview
from octflow.io.records import product
from octflow.io.tiff import write_tiff
from octflow.stages.stitch.blend import Map
from octflow.stages.stitch.settings import StitchSettings


@dataclass(frozen=True)
class Shelf:
    """Writes the maps of one mosaic: NIfTI, and beside it pictures."""

    folder: Path
    """Folder."""
    mosaic: int
    """Mosaic id."""
    voxel_size_mm: tuple[float, float, float]
    """Size (x, y, z) of the pixels of the maps."""
    settings: StitchSettings
    """Formats."""

    def write_map(self, modality: str, shown: Map) -> list[Product]:
        """Write one modality: NIfTI, and JPEG and TIFF where asked."""
        written = self._write_nifti(modality, shown)
        if not self.settings.previews:
            return written
        tiff, size_um = self._path(modality, ".tiff"), self._pixel_size_um
        zero_holes = self.settings.tiff_holes == "zero"
        write_tiff(tiff, shown, pixel_size_um=size_um, zero_holes=zero_holes)
        return [*written, self._write_jpeg(modality, shown), product(tiff, f"{modality}_tiff")]

    def write_mask(self, mask: NDArray[np.uint8]) -> list[Product]:
        """Write the tissue mask."""
        return [*self._write_nifti("mask", mask), self._write_jpeg("mask", mask)]

    @property
    def _pixel_size_um(self) -> tuple[float, float]:
        return 1000 * self.voxel_size_mm[0], 1000 * self.voxel_size_mm[1]

    def _write_jpeg(self, name: str, array: NDArray) -> Product:
        path = self._path(name, ".jpg")
        write_preview(
            path,
            name,
            array,
            pixel_size_um=self._pixel_size_um,
            window=self.settings.window_of(name),
            longest_px=self.settings.preview_px,
        )
        return product(path, f"{name}_jpeg")

    def _write_nifti(self, name: str, array: NDArray) -> list[Product]:
        path = self._path(name, ".nii.gz" if self.settings.compress else ".nii")
        write_nifti(path, array, voxel_size_mm=self.voxel_size_mm)
        return [product(path, name)]

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / mosaic_name(self.mosaic, name, suffix)
