"""A dandiset folder made of links to the products of a project: nothing is stored twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from octflow.core.errors import DataError
from octflow.core.record import Record
from octflow.io.atomic import part_of
from octflow.io.records import read_record
from octflow.services.jobs import Expected
from octflow.stages.upload.describe import write_dataset, write_sidecars
from octflow.stages.upload.names import archive_paths
from octflow.stages.upload.settings import UploadSettings
from octflow.workflow.session import Session

_RULES = ("archive_batch", "stitch_enface", "join_volumes", "register_slice", "register_volumes")
"""Rules whose products have a place in a dandiset."""


@dataclass
class Linked:
    """What became of the folder."""

    made: int = 0
    """Links that were made, or made to point elsewhere."""
    kept: int = 0
    """Links that were there."""


def link_dandiset(session: Session, folder: Path) -> Linked:
    """Fill a folder with links to the products of a project, by names of BIDS.

    Links are to files, those in OME-Zarr folders each: the client of DANDI follows no links to
    folders. The files that describe dataset and volumes are written into the folder `dandiset` of
    the project, as they are now, and linked likewise. What else is in the folder is left alone.

    Parameters
    ----------
    session : Session
        The project.
    folder : Path
        The dandiset; it is made if missing.

    Raises
    ------
    DataError
        A file, not a link, is where a link has to be; or a product is gone.
    """
    project, subject = session.project.absolute(), session.config.project.subject
    settings = UploadSettings.model_validate(session.dandiset_settings)
    linked, described = Linked(), project / "dandiset"
    for record in _records(session, _RULES):
        paths = archive_paths(record.outputs, record.unit, subject, settings)
        for one, path in zip(record.outputs, paths, strict=True):
            _link(project / one.path, folder / path, linked)
        for item in write_sidecars(record, paths, described, settings, project=project):
            _link(item.source, folder / item.path, linked)
    if started := list(_records(session, ("start_slice",))):
        for item in write_dataset(started, subject, described, settings):
            _link(item.source, folder / item.path, linked)
    return linked


def _records(session: Session, rules: tuple[str, ...]) -> Iterator[Record]:
    """Yield the records of those jobs of rules that are done."""
    expected = Expected(session)
    for slice_id in expected.slices:
        jobs = list(expected.of_slice(slice_id))
        for mosaic in expected.experiment.mosaics_of(slice_id):
            jobs += expected.of_mosaic(mosaic)
            for batch in expected.experiment.batches_of(mosaic):
                jobs += expected.of_batch(mosaic, batch)
        flags = [session.project / job.flag for job in jobs if job.rule in rules]
        yield from (read_record(flag) for flag in flags if flag.exists())


def _link(source: Path, place: Path, linked: Linked) -> None:
    if not source.exists():
        raise DataError(source, found="no file", expected="the product that its record lists")
    if not source.is_dir():
        link_file(source, place, linked)
        return
    members = [path for path in source.rglob("*") if path.is_file()]
    for path in members:
        link_file(path, place / path.relative_to(source), linked)
    for path in place.rglob("*"):  # Of a volume that has been made anew with fewer files.
        if path.is_symlink() and not path.exists():
            path.unlink()


def link_file(source: Path, place: Path, linked: Linked) -> None:
    """Make a link to a file, unless it is there; count it.

    Raises
    ------
    DataError
        A file, not a link, is in its place.
    """
    if place.is_symlink() and place.readlink() == source:
        linked.kept += 1
        return
    if place.is_symlink():
        part = part_of(place)
        part.symlink_to(source)
        part.replace(place)
    elif place.exists():
        raise DataError(place, found="a file", expected=f"a link to {source}, or nothing")
    else:  # Whole at once by itself; looking for what others left would list the folder each time.
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(source)
    linked.made += 1
