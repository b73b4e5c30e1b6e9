"""File names: what the microscope writes, what octflow writes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

RawKind = Literal["spectral", "spectral_12bit", "complex", "processed"]
"""Format of a raw file; processed: a volume or map made by the microscope."""
Delivery = Literal[
    "spectral", "spectral_12bit", "complex", "complex_with_spectral", "processed_with_spectral"
]
"""What the microscope delivers of every tile."""
Modality = Literal["dBI", "R3D", "O3D", "aip", "mip", "ret", "ori", "biref", "surf"]
"""Volumes and maps of a tile."""

VOLUMES = ("dBI", "R3D", "O3D")
"""Volumes of a tile: intensity in dB, retardance and axis in degrees."""
ENFACE = ("aip", "mip", "ret", "ori", "biref", "surf")
"""Maps of a tile: mean and maximum intensity, retardance, axis, birefringence, surface."""
MODALITIES = (*VOLUMES, *ENFACE)
"""Volumes and maps."""
_MADE_OF = {"aip": "dBI", "mip": "dBI", "surf": "dBI", "ret": "R3D", "biref": "R3D", "ori": "O3D"}
"""The volume that a map is made of, besides the surface."""
AXIAL = frozenset({"O3D", "ori"})
"""Modalities that are axis angles."""

_TILE = r"mosaic_(?P<mosaic>\d+)_image_(?P<tile>\d+)"
_STAGE = r"(?:_x_-?\d+_y_-?\d+_z_-?\d+_r_-?\d+_[a-z0-9]+)?"
_RAW_NAMES: dict[RawKind, re.Pattern[str]] = {
    "spectral": re.compile(_TILE + _STAGE + r"_spectral_\d+\.nii(\.gz)?", re.IGNORECASE),
    "spectral_12bit": re.compile(_TILE + _STAGE + r"_spectral_\d+\.raw(\.gz)?", re.IGNORECASE),
    "complex": re.compile(_TILE + r"_processed(?:_cropped)?\.nii", re.IGNORECASE),
    "processed": re.compile(_TILE + rf"_(?P<modality>{'|'.join(MODALITIES)})\.nii", re.IGNORECASE),
}
_SPELLED = {modality.lower(): modality for modality in MODALITIES}


def used_kind(delivery: Delivery) -> RawKind:
    """Return the format that is reconstructed from.

    Examples
    --------
    >>> used_kind("complex_with_spectral"), used_kind("spectral_12bit")
    ('complex', 'spectral_12bit')
    """
    if delivery == "processed_with_spectral":
        return "processed"
    return "complex" if delivery == "complex_with_spectral" else delivery


def archived_kind(delivery: Delivery) -> RawKind:
    """Return the format that is archived: the spectra, where they are delivered.

    Examples
    --------
    >>> archived_kind("complex_with_spectral"), archived_kind("complex")
    ('spectral', 'complex')
    """
    if delivery == "complex_with_spectral" or delivery == "processed_with_spectral":
        return "spectral"
    return delivery


def obtainable(delivered: Iterable[str]) -> frozenset[str]:
    """Return the modalities that are delivered, or can be computed from volumes that are.

    Examples
    --------
    >>> sorted(obtainable(["dBI", "ori"]))
    ['aip', 'dBI', 'mip', 'ori', 'surf']
    """
    there = set(delivered)
    return frozenset(there | {made for made, volume in _MADE_OF.items() if volume in there})


def raw_name(mosaic: int, tile: int, kind: RawKind, *, compressed: bool = False) -> str:
    """Name a raw tile as the microscope does.

    Examples
    --------
    >>> raw_name(1, 12, "spectral"), raw_name(1, 12, "complex")
    ('mosaic_001_image_0012_spectral_0000.nii', 'mosaic_001_image_0012_processed.nii')
    >>> raw_name(1, 12, "spectral_12bit", compressed=True)
    'mosaic_001_image_0012_spectral_0000.raw.gz'
    """
    word = "processed" if kind == "complex" else "spectral_0000"
    suffix = ".raw" if kind == "spectral_12bit" else ".nii"
    return f"mosaic_{mosaic:03d}_image_{tile:04d}_{word}{suffix}{'.gz' if compressed else ''}"


@dataclass(frozen=True)
class RawName:
    """What the name of a raw tile says."""

    mosaic: int
    tile: int
    kind: RawKind
    modality: str | None = None
    """Which volume or map, of a processed tile."""
    compressed: bool = False
    """Whether it is compressed with gzip; spectra may be."""


def parse_raw_name(name: str) -> RawName | None:
    """Read the ids from the name of a raw tile; None where it is not one.

    Examples
    --------
    >>> parse_raw_name("mosaic_001_image_0012_spectral_0345.nii")
    RawName(mosaic=1, tile=12, kind='spectral', modality=None, compressed=False)
    >>> parse_raw_name("Mosaic_001_image_0012_DBI.nii").modality
    'dBI'
    >>> parse_raw_name("notes.txt") is None
    True
    """
    for kind, pattern in _RAW_NAMES.items():
        if match := pattern.fullmatch(name):
            spelled = _SPELLED[match["modality"].lower()] if kind == "processed" else None
            mosaic, tile = int(match["mosaic"]), int(match["tile"])
            return RawName(mosaic, tile, kind, spelled, compressed=name.lower().endswith(".gz"))
    return None


def tile_name(mosaic: int, tile: int, product: str) -> str:
    """Name a product of one tile.

    Examples
    --------
    >>> tile_name(1, 12, "aip")
    'mosaic_001_image_0012_aip.nii'
    """
    return f"mosaic_{mosaic:03d}_image_{tile:04d}_{product}.nii"


def mosaic_name(mosaic: int, product: str, suffix: str) -> str:
    """Name a product of a whole mosaic.

    Examples
    --------
    >>> mosaic_name(1, "aip", ".nii.gz")
    'mosaic_001_aip.nii.gz'
    """
    return f"mosaic_{mosaic:03d}_{product}{suffix}"


def archive_name(subject: str, slice_id: int, tile: int, illumination: str, suffix: str) -> str:
    """Name the archived copy of a raw tile, in BIDS entities.

    Examples
    --------
    >>> archive_name("I46", 1, 12, "normal", ".nii")
    'sub-I46_sample-slice001_chunk-0012_acq-normal_OCT.nii.gz'
    """
    entities = f"sub-{subject}_sample-slice{slice_id:03d}_chunk-{tile:04d}_acq-{illumination}"
    return f"{entities}_OCT{suffix}.gz"
