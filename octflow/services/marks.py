"""Decide something about a part of the sample."""

from octflow.core.errors import SettingsError
from octflow.core.part import Part
from octflow.io.marks import Kind, holds_of
from octflow.services.opened import open_part
from octflow.workflow.session import Session


def mark(session: Session, part: Part, kind: Kind, text: str) -> None:
    """Put a part on hold, release it, or leave a note about it.

    Parameters
    ----------
    session : Session
        The project.
    part : Part
        Slice, mosaic or batch; a note may be about the project.
    kind : {"hold", "release", "note"}
        What is decided.
    text : str
        Why.

    Raises
    ------
    SettingsError
        The experiment has no such batch, a part is on hold already, is released and was not, or
        nothing is said.
    """
    _check(session, part, text)
    with open_part(session, part, f"mark {part}") as opened:
        held = holds_of(list(opened.marks)).get(part)
        if kind == "hold":
            if held is not None:
                raise SettingsError(f"{part}: found it on hold ({held.text}), expected it free")
            opened.hold(text)
        elif kind == "release":
            if held is None:
                raise SettingsError(f"{part}: found it free, expected it on hold")
            opened.release(text)
        else:
            opened.note(text)


def _check(session: Session, part: Part, text: str) -> None:
    """Refuse a batch that there is not: a hold of it would hold nothing. And a mark without why."""
    if not text.strip():
        raise SettingsError(f"{part}: found no reason, expected why")
    if part.mosaic is None or part.batch is None:
        return
    batches = session.config.experiment.batches_of(part.mosaic)
    if part.batch not in batches:
        raise SettingsError(f"{part}: found no such batch, expected 1 to {max(batches)}")
