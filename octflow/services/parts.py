"""The flags of a part of the sample, by name."""

import os
from collections.abc import Iterator
from pathlib import Path

from octflow.core.experiment import Experiment
from octflow.core.layout import job_of
from octflow.core.part import Part
from octflow.core.record import Unit
from octflow.workflow.session import Session


def flags_in(session: Session, part: Part) -> dict[str, Unit]:
    """Find the flags of a part; none is opened.

    Returns
    -------
    flags : dict of str to Unit
        Path, relative to the project folder, and what it speaks of.
    """
    found = {}
    for path in _files(session.project, _folders(session, part)):
        unit = unit_of(path, session.config.project.name, session.config.experiment)
        if unit is not None and part.holds(unit):
            found[path] = unit
    return found


def unit_of(path: str, project: str, experiment: Experiment) -> Unit | None:
    """Return what a flag of a project speaks of, by its path; None of another file."""
    if (parsed := job_of(path)) is None:
        return None
    ids = parsed[1]
    if "mosaic" in ids:
        mosaic = int(ids["mosaic"])
        name = experiment.illumination_of(mosaic).name
        ids |= {"slice": experiment.slice_of(mosaic), "illumination": name}
    return Unit.model_validate({"project": project, **ids})


def _folders(session: Session, part: Part) -> list[str]:
    if part.mosaic is not None:
        return [f"mosaic-{part.mosaic:03d}/state"]
    if part.slice is not None:
        mosaics = session.config.experiment.mosaics_of(part.slice)
        return ["state", *(f"mosaic-{mosaic:03d}/state" for mosaic in mosaics)]
    folders = sorted(session.project.glob("mosaic-*/state"))
    return ["state", *(str(folder.relative_to(session.project)) for folder in folders)]


def _files(project: Path, folders: list[str]) -> Iterator[str]:
    for folder in folders:
        if (project / folder).is_dir():
            names = os.listdir(project / folder)  # noqa: PTH208 - names are all that is wanted
            yield from (f"{folder}/{name}" for name in sorted(names))
