"""Complex tiles reconstructed from spectra while these are read, block by block."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octflow.core.errors import DataError
from octflow.core.instrument import N_DEPTH, N_SPECTRAL, Instrument
from octflow.core.names import RawKind
from octflow.core.record import Product
from octflow.core.spectra import VERSION
from octflow.core.spectra.reconstruct import complex_tile, saturated_count, spectral_phasor
from octflow.core.spectra.wavenumber import (
    Resampling,
    WavelengthMap,
    common_wavenumbers,
    resampling,
    reversed_resampling,
)
from octflow.io.archive_tiles import TileCopy
from octflow.io.complex_tiles import BLOCK_LINES, Lines
from octflow.io.digest import content_id, fast_id
from octflow.io.raw import ONE_LANE, Lanes, check_raw_size, read_raw_bytes, read_spectra


@dataclass(frozen=True)
class Reconstruction:
    """What all spectra of an instrument are reconstructed with."""

    tables: tuple[Resampling, Resampling]
    phasor: NDArray[np.complex64]
    signature: str
    """Digest of everything that decides the result, besides the spectra."""


@dataclass
class SpectralTile:
    """A complex tile that is not stored: raw spectra, and how to reconstruct them."""

    product: Product
    """The raw file; where its digest is known, its bytes must have it."""
    kind: RawKind
    n_x: int
    n_y: int
    reconstruction: Reconstruction
    full_scale_counts: int
    copy: TileCopy | None = None
    """Takes every block as it passes, for the archive."""
    lanes: Lanes = ONE_LANE
    """Which A-lines of the file are the tile's; only these are reconstructed, and what is common
    to A-lines is taken over these."""
    n_z: int = N_DEPTH
    inputs: list[Product] = field(default_factory=list)
    """What was read, with its SHA-256; after the last block."""
    qc: dict[str, float] = field(default_factory=dict)
    """What was measured while reading; after the last block."""

    @property
    def finite(self) -> bool:
        """Whether samples can be nothing but finite: counts are, and what is made of them."""
        return True

    @property
    def path(self) -> Path:
        """Where the raw file lies."""
        return Path(self.product.path)

    def lines(self) -> Iterator[Lines]:
        """Read and reconstruct the tile block by block, every byte once.

        Yields
        ------
        where : slice
            B-lines of the block.
        jones : (2, Z, Y, X) complex64 array
            J1 and J2 of these B-lines, contiguous; mostly the same memory again.

        Raises
        ------
        DataError
            Another size than expected; all samples alike; not the bytes that were recorded. The
            last two are known at the end: nobody may keep what was made of the blocks before.
        """
        jones = _profiles(self.n_z, min(BLOCK_LINES, self.n_y), self.n_x)
        recipe = self.reconstruction
        for where, spectra in self._spectra():
            if len(spectra) != jones.shape[2]:
                jones = _profiles(self.n_z, len(spectra), self.n_x)
            yield where, complex_tile(spectra, recipe.tables, recipe.phasor, jones=jones)

    def examine(self) -> None:
        """Read the tile as `lines` does, and reconstruct nothing: another program does that.

        Raises
        ------
        DataError
            As of `lines`.
        """
        for _ in self._spectra():
            pass

    def _spectra(self) -> Iterator[tuple[slice, NDArray[np.uint16]]]:
        """Read block by block; digest, copy and look at everything that passes."""
        check_raw_size(self.path, self.kind, self.lanes.n * self.n_x, self.n_y)
        digest, saturated, alike = hashlib.sha256(), 0, _Alike()
        for where, content, spectra in read_spectra(
            self.path,
            self.kind,
            self.n_x,
            self.n_y,
            block_lines=BLOCK_LINES,
            lanes=self.lanes,
        ):
            digest.update(content.data)
            if self.copy is not None:
                self.copy.take(content)
            saturated += saturated_count(spectra, self.full_scale_counts)
            alike.look(spectra)
            yield where, spectra
        self._note(f"sha256:{digest.hexdigest()}", saturated)
        alike.refuse(self.path)

    def _note(self, raw_id: str, saturated: int) -> None:
        known = self.product.id
        if known.startswith("sha256:") and known != raw_id:
            raise DataError(self.path, found=raw_id, expected=known)
        if self.copy is not None:
            self.copy.keep(raw_id)
        self.inputs = [self.product.model_copy(update={"id": raw_id})]
        self.qc = {"saturated_fraction": saturated / (2 * N_SPECTRAL * self.n_x * self.n_y)}


def _profiles(*shape: int) -> NDArray[np.complex64]:
    return np.empty((2, *shape), np.complex64)


class _Alike:
    """Finds out whether all samples are alike; where there is signal, the first look shows it."""

    def __init__(self) -> None:
        self.level: int | None = None
        self.alike = True

    def look(self, spectra: NDArray[np.uint16]) -> None:
        if self.level is None:
            self.level = int(spectra[0, 0, 0, 0])
        self.alike = self.alike and all(bool((line == self.level).all()) for line in spectra)

    def refuse(self, path: Path) -> None:
        if self.alike:
            raise DataError(
                path, found=f"all samples {self.level}", expected="interference fringes"
            )


def check_spectra(
    path: Path, kind: RawKind, n_x: int, n_y: int, *, lanes: Lanes = ONE_LANE
) -> None:
    """Refuse a raw tile of another size or without signal, reading as little as shows it.

    Raises
    ------
    DataError
        Says which.
    """
    check_raw_size(path, kind, lanes.n * n_x, n_y)
    alike = _Alike()
    for _, _, spectra in read_spectra(path, kind, n_x, n_y, block_lines=1, lanes=lanes):
        alike.look(spectra)
        if not alike.alike:
            return
    alike.refuse(path)


def read_reconstruction(instrument: Instrument, window: Literal["none", "hann"]) -> Reconstruction:
    """Prepare what all spectra of an instrument are reconstructed with.

    Parameters
    ----------
    instrument : Instrument
        Gives wavelength maps and the dispersion file.
    window : {"none", "hann"}
        Taper over the spectrum.

    Raises
    ------
    DataError
        The dispersion file cannot be used.
    """
    dispersion_rad = _read_dispersion(instrument)
    first, second = (WavelengthMap(c.slope_nm, c.offset_nm) for c in instrument.cameras)
    wavenumber = common_wavenumbers(first, second, N_SPECTRAL)
    file = instrument.dispersion_file
    decisive = {
        "version": VERSION,
        "cameras": [camera.plain() for camera in instrument.cameras],
        "dispersion": fast_id(Path(file)) if file else None,
        "window": window,
    }
    return Reconstruction(
        tables=(
            resampling(first, wavenumber),
            reversed_resampling(resampling(second, wavenumber)),
        ),
        phasor=spectral_phasor(N_SPECTRAL, dispersion_rad=dispersion_rad, window=window),
        signature=content_id(decisive),
    )


def _read_dispersion(instrument: Instrument) -> NDArray[np.float64] | None:
    if instrument.dispersion_file is None:
        return None
    path = Path(instrument.dispersion_file)
    expected = f"{N_SPECTRAL} or {2 * N_SPECTRAL} finite float64 values"
    if not path.is_file():
        raise DataError(path, found="no file", expected=expected)
    content = read_raw_bytes(path)
    if content.size not in {8 * N_SPECTRAL, 16 * N_SPECTRAL}:
        found = f"{content.size} bytes, which are {content.size / 8:g} values"
        raise DataError(path, found=found, expected=expected)
    phases_rad = content.view("<f8")
    if not np.isfinite(phases_rad).all():
        raise DataError(path, found="NaN or infinite phases", expected=expected)
    return phases_rad
