"""What the files of a BIDS dataset say that describe it and its volumes."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from octflow.core.record import Code
from octflow.stages.upload.settings import DatasetSettings

BIDS_VERSION = "1.11.1"
"""Version of the standard that the names are those of."""


def dataset_texts(
    project: str,
    subject: str,
    slices: Sequence[int],
    codes: Iterable[Code],
    raw_name: str,
    settings: DatasetSettings,
) -> dict[str, str]:
    """Return the files of a whole dataset.

    Parameters
    ----------
    project : str
        Its name, where the settings have none.
    subject : str
        BIDS subject label.
    slices : sequence of int
        Its samples.
    codes : iterable of Code
        The programs that began them.
    raw_name : str
        Pattern of the raw tiles, which are no files of BIDS.
    settings : DatasetSettings
        What no record knows.

    Returns
    -------
    texts : dict of str to str
        Name of a file in the dataset, and its content.
    """
    name = settings.name or project
    said: dict[str, Any] = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": generated_by(codes),
    }
    said |= {"License": settings.license} if settings.license else {}
    said |= {"Authors": list(settings.authors)} if settings.authors else {}
    person = {"species": settings.species, "sex": settings.sex, "age": settings.age_years}
    samples = [[f"sample-slice{s:03d}", f"sub-{subject}", settings.sample_type] for s in slices]
    return {
        "dataset_description.json": as_json(said),
        "participants.tsv": _table(
            ["participant_id", *person], [[f"sub-{subject}", *person.values()]]
        ),
        "samples.tsv": _table(["sample_id", "participant_id", "sample_type"], samples),
        "README.md": f"# {name}\n\nPolarisation-sensitive OCT of sub-{subject}: volumes in "
        f"`sub-{subject}/micr`, maps and pictures in `derivatives/octflow`.\n",
        ".bidsignore": "".join(f"{line}\n" for line in ignored(raw_name, subject)),
    }


def sidecar_text(
    voxel_size_mm: tuple[float, float, float], code: Code, settings: DatasetSettings
) -> str:
    """Return the sidecar of a volume.

    Parameters
    ----------
    voxel_size_mm : tuple of float
        Size (x, y, z) of its finest voxels.
    code : Code
        The program that made it.
    settings : DatasetSettings
        What no record knows.
    """
    return as_json(
        {
            "PixelSize": list(voxel_size_mm),
            "PixelSizeUnits": "mm",
            "SampleEnvironment": settings.sample_environment,
            "BodyPart": settings.body_part,
            "GeneratedBy": generated_by([code]),
        }
    )


def generated_by(codes: Iterable[Code]) -> list[dict[str, str]]:
    """Name programs, each once, with the commit in their version.

    Examples
    --------
    >>> code = Code(package="octflow", version="0.1.0", commit="0123456789abcdef", dirty=True,
    ...             stage_version=1, backend="python", environment="")
    >>> generated_by([code, code])
    [{'Name': 'octflow', 'Version': '0.1.0+g0123456789ab.dirty'}]
    """
    versions = dict.fromkeys((code.package, _version(code)) for code in codes)
    return [{"Name": package, "Version": version} for package, version in versions]


def _version(code: Code) -> str:
    if code.commit is None:
        return code.version
    return f"{code.version}+g{code.commit[:12]}{'.dirty' if code.dirty else ''}"


def ignored(raw_name: str, subject: str) -> list[str]:
    """Return what a validator is to pass over: the archive's own file, and raw tiles.

    Examples
    --------
    >>> ignored("rawdata/sub-{subject}/{mosaic:03d}_{tile:04d}.nii.gz", "I46")
    ['dandiset.yaml', 'rawdata']
    >>> ignored("sub-{subject}/m{mosaic}_{tile}.gz", "I46")
    ['dandiset.yaml', 'sub-I46/m*_*.gz', 'sub-I46/mosaic-*_batch-*.sha256']
    """
    pattern = re.sub(r"\{[^}]*\}", "*", raw_name.replace("{subject}", subject))
    for folder in reversed(PurePosixPath(pattern).parents[:-1]):
        # With a slash at its end the validator finds the folder itself to be none of BIDS.
        if folder.name != "micr" and not folder.name.startswith(("sub-", "*")):
            return ["dandiset.yaml", str(folder)]
    beside = PurePosixPath(pattern).parent / "mosaic-*_batch-*.sha256"
    return ["dandiset.yaml", pattern, str(beside)]


def as_json(said: dict[str, Any]) -> str:
    """Return JSON as people read it."""
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def _table(head: list[str], lines: Iterable[Sequence[object]]) -> str:
    """Return tab-separated lines; n/a where nothing is known."""
    words = [["n/a" if word is None else str(word) for word in line] for line in lines]
    return "".join("\t".join(line) + "\n" for line in (head, *words))
