"""Names of the Brain Imaging Data Structure (BIDS 1.11, microscopy): ids to names, and back."""

import re
import string
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

RAW_NAME = (
    "rawdata/sub-{subject}/"
    "sub-{subject}_sample-slice{slice:03d}_chunk-{tile:04d}_acq-{illumination}_OCT.nii.gz"
)
"""Where raw tiles go, unless a lab has a pattern of its own."""

_NUMBERS = ("slice", "mosaic", "tile")
_LABELS = ("subject", "illumination")
_LABEL = r"[A-Za-z0-9]+"
_VOLUME = ".ome.zarr"
_RESULT = re.compile(
    rf"(?:sub-(?P<folder>{_LABEL})/micr|derivatives/octflow/sub-(?P<other>{_LABEL}))/"
    rf"sub-(?P<subject>{_LABEL})_sample-slice(?P<slice>\d+)"
    rf"(?:_acq-(?P<acq>{_LABEL}))?(?:_desc-(?P<desc>registered))?(?:_proc-(?P<proc>{_LABEL}))?"
    r"_OCT(?P<suffix>\.[a-z.]+)"
)


@dataclass(frozen=True)
class Ids:
    """What a name stands for; a name without a number, or a label, has None for it."""

    subject: str
    slice: int | None = None
    mosaic: int | None = None
    tile: int | None = None
    illumination: str | None = None
    product: str | None = None
    """Label of a product, such as dBI or aip."""


def label_of(words: str) -> str:
    """Return words as a label: letters and digits only.

    Examples
    --------
    >>> label_of("uncertainty_inclination"), label_of("dBI")
    ('uncertaintyInclination', 'dBI')
    """
    first, *others = re.findall(_LABEL, words) or [""]
    return first + "".join(part[0].upper() + part[1:] for part in others)


def raw_path(template: str, ids: Ids) -> str:
    """Name a raw tile.

    Parameters
    ----------
    template : str
        Path with the fields subject, slice, mosaic, tile and illumination, as `str.format` has
        them.
    ids : Ids
        What they stand for.

    Raises
    ------
    ValueError
        An id is missing, or would not be found again in the name.

    Examples
    --------
    >>> raw_path(RAW_NAME, Ids("I46", slice=1, tile=12, illumination="normal"))
    'rawdata/sub-I46/sub-I46_sample-slice001_chunk-0012_acq-normal_OCT.nii.gz'
    """
    wanted = {name: getattr(ids, name) for name in _fields(template)}
    if missing := [name for name, value in wanted.items() if value is None]:
        raise ValueError(f"{template}: found no {', '.join(missing)}, expected a number or label")
    path = template.format(**wanted)
    found = raw_ids(template, path)
    if found is None or any(getattr(found, name) != wanted[name] for name in wanted):
        raise ValueError(f"{path}: found {found}, expected {wanted} to be read back")
    return path


def raw_ids(template: str, path: str) -> Ids | None:
    """Read the ids from the name of a raw tile; None where it is not one.

    Examples
    --------
    >>> raw_ids("{subject}/m{mosaic:02d}_{tile}.nii.gz", "I46/m03_12.nii.gz")
    Ids(subject='I46', slice=None, mosaic=3, tile=12, illumination=None, product=None)
    >>> raw_ids(RAW_NAME, "rawdata/notes.txt") is None
    True
    """
    match = re.fullmatch(_pattern(template), path)
    if match is None:
        return None
    found = match.groupdict()
    slice_id, mosaic, tile = (int(found[n]) if n in found else None for n in _NUMBERS)
    label = found.get("illumination")
    return Ids(found.get("subject", ""), slice_id, mosaic, tile, illumination=label)


def check_template(template: str) -> str:
    """Return a template that gives every tile a name of its own.

    Raises
    ------
    ValueError
        It has unknown fields, lacks one, leads out of the dataset, or cannot be read back.
    """
    fields = _fields(template)
    if unknown := set(fields) - {*_NUMBERS, *_LABELS}:
        raise ValueError(f"found {sorted(unknown)}, expected {', '.join((*_LABELS, *_NUMBERS))}")
    if "tile" not in fields or not ("mosaic" in fields or {"slice", "illumination"} <= set(fields)):
        raise ValueError("expected {tile}, and {mosaic} or both {slice} and {illumination}")
    path = PurePosixPath(template)
    if path.is_absolute() or ".." in path.parts or "{tile" in str(path.parent):
        raise ValueError("expected a path inside the dataset, with {tile} in the name alone")
    for numbers in ((1, 1, 1), (12, 34, 5678)):
        raw_path(template, Ids("I46", *numbers, illumination="normal"))
    return template


def _fields(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def _pattern(template: str) -> str:
    """Return what names by a template look like; a field that comes again has the same value."""
    parts, seen = [], set()
    for words, name, _, _ in string.Formatter().parse(template):
        parts.append(re.escape(words))
        if name is not None:
            looks = r"\d+" if name in _NUMBERS else _LABEL
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{looks})")
            seen.add(name)
    return "".join(parts)


def result_path(ids: Ids, suffix: str) -> str:
    """Name a result of a mosaic, which has an illumination, or of a slice.

    Volumes lie where BIDS has microscopy; it knows no NIfTI, JPEG or MAT there, so that other
    results lie under `derivatives`, which its validator passes over.

    Examples
    --------
    >>> result_path(Ids("I46", slice=1, illumination="normal", product="dBI"), ".ome.zarr")
    'sub-I46/micr/sub-I46_sample-slice001_acq-normaldBI_OCT.ome.zarr'
    >>> result_path(Ids("I46", slice=1, product="dBI"), ".ome.zarr")
    'sub-I46/micr/sub-I46_sample-slice001_acq-dBI_desc-registered_OCT.ome.zarr'
    >>> result_path(Ids("I46", slice=1, illumination="normal", product="aip"), ".nii")
    'derivatives/octflow/sub-I46/sub-I46_sample-slice001_acq-normal_proc-aip_OCT.nii'
    """
    subject, seen, product = f"sub-{ids.subject}", ids.illumination or "", ids.product or ""
    stem = f"{subject}_sample-slice{ids.slice:03d}"
    if suffix == _VOLUME:
        registered = "" if seen else "_desc-registered"
        return f"{subject}/micr/{stem}_acq-{seen}{product}{registered}_OCT{suffix}"
    seen = f"_acq-{seen}" if seen else ""
    return f"derivatives/octflow/{subject}/{stem}{seen}_proc-{product}_OCT{suffix}"


def sidecar_path(volume: str) -> str | None:
    """Name the sidecar of a volume; None where a path is not that of one.

    Examples
    --------
    >>> sidecar_path("sub-I46/micr/sub-I46_sample-slice001_acq-normaldBI_OCT.ome.zarr")
    'sub-I46/micr/sub-I46_sample-slice001_acq-normaldBI_OCT.json'
    """
    return volume.removesuffix(_VOLUME) + ".json" if volume.endswith(_VOLUME) else None


def result_ids(path: str, volumes: tuple[str, ...]) -> tuple[Ids, str] | None:
    """Read ids and suffix from the name of a result; None where it is not one.

    Parameters
    ----------
    path : str
        In the dataset.
    volumes : tuple of str
        Labels of the volumes of a mosaic: what the label of an acquisition ends in.

    Examples
    --------
    >>> name = "sub-I46/micr/sub-I46_sample-slice001_acq-normaldBI_OCT.ome.zarr"
    >>> result_ids(name, ("dBI",))[0].illumination
    'normal'
    """
    match = _RESULT.fullmatch(path)
    if match is None or match["subject"] != (match["folder"] or match["other"]):
        return None
    ids = Ids(match["subject"], slice=int(match["slice"]))
    if not match["folder"]:
        return replace(ids, illumination=match["acq"], product=match["proc"]), match["suffix"]
    if match["desc"]:
        return replace(ids, product=match["acq"]), match["suffix"]
    split = re.fullmatch(rf"(.+?)({'|'.join(map(re.escape, volumes))})", match["acq"] or "")
    if split is None:
        return None
    return replace(ids, illumination=split[1], product=split[2]), match["suffix"]
