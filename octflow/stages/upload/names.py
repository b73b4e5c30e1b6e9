"""Where a product goes in an archive."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from octflow.core.bids import Ids, label_of, raw_path, result_path
from octflow.core.errors import DataError
from octflow.core.record import Product, Unit
from octflow.stages.upload.settings import UploadSettings

_KINDS = ("_jpeg", "_tiff")
"""What roles end in that say the format, as the suffix of the file does."""

_RAW = (".nii.gz", ".raw.gz")
"""What copies of raw tiles end in: 12-bit samples have no header."""


def archive_paths(
    products: Sequence[Product], unit: Unit, subject: str, settings: UploadSettings
) -> list[str]:
    """Return the paths of the products of one unit.

    Parameters
    ----------
    products : sequence of Product
        As their flags list them.
    unit : Unit
        The part of the sample they are of.
    subject : str
        BIDS subject label.
    settings : UploadSettings
        Which names.

    Raises
    ------
    DataError
        Two products would have one name, or a product lies out of the project.
    """
    paths: dict[str, str] = {}
    for product in products:
        path = _path(product, unit, subject, settings)
        if path in paths:
            raise DataError(
                product.path, found=f"the name of {paths[path]}: {path}", expected="one of its own"
            )
        paths[path] = product.path
    return list(paths)


def _path(product: Product, unit: Unit, subject: str, settings: UploadSettings) -> str:
    place = PurePosixPath(product.path)
    if place.is_absolute() or ".." in place.parts:
        raise DataError(product.path, found="a path out of the project", expected="one inside")
    if settings.names == "project":
        return str(PurePosixPath(unit.project) / place)
    ids = Ids(subject, unit.slice, unit.mosaic, product.tile, unit.illumination)
    try:
        return _bids(product, ids, place, settings.raw_name)
    except ValueError as error:
        raise DataError(product.path, found=str(error), expected="a name of BIDS") from error


def _bids(product: Product, ids: Ids, place: PurePosixPath, raw_name: str) -> str:
    if product.role == "archived":
        return _checked(raw_path(raw_name, ids), place)
    if product.role == "checksums":
        beside = PurePosixPath(raw_path(raw_name, replace(ids, tile=1))).parent
        return str(beside / f"mosaic-{ids.mosaic:03d}_{place.name}")
    role = product.role
    if role == "overview" and place.stem.endswith("-volumes"):
        role = "overview_volumes"  # A slice has that of its maps, too.
    for kind in _KINDS:
        role = role.removesuffix(kind)
    return result_path(replace(ids, product=label_of(role)), _suffix(place))


def _checked(path: str, place: PurePosixPath) -> str:
    """Refuse a name that says another format than the copy has: packed samples are no NIfTI."""
    said = next((suffix for suffix in _RAW if path.endswith(suffix)), "")
    if not place.name.endswith(said):
        raise ValueError(f"{path} for {place.name}: upload.raw_name ends in {said}")
    return path


def _suffix(place: PurePosixPath) -> str:
    """Return the suffix of a file, of two words where it is of two."""
    double = "".join(place.suffixes[-2:])
    return double if double in {".ome.zarr", ".nii.gz", ".ome.tif"} else place.suffix
