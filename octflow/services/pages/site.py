"""Write the pages of a project: those that changed, whole, by temporary file and rename."""

import hashlib
import json
import os
import time
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from octflow.io.atomic import replacing
from octflow.io.lock import Lock
from octflow.services.pages import words
from octflow.services.pages.facts import read_facts
from octflow.services.pages.grid import STATES
from octflow.services.pages.page import MosaicPage, Page, ProjectPage, SlicePage
from octflow.services.pages.pictures import Album
from octflow.services.pages.views import Views
from octflow.services.state import peek_project
from octflow.workflow.session import Session

FOLDER = "pages"
"""Folder of the pages, in the project folder."""

_TEMPLATES = {
    ProjectPage: "project.html",
    SlicePage: "slice.html",
    MosaicPage: "mosaic.html",
}
_ASSETS = ("pages.css", "pages.js")


def write_pages(
    session: Session, folder: Path | None = None, *, every_s: float = 60, seconds: float = 30
) -> Path:
    """Write the pages of a project that are not there or have changed.

    The project is not locked, and nothing outside the folder is written. Who writes the same pages
    waits for the other.

    Parameters
    ----------
    session : Session
        The project; one look for one session, which remembers what was there.
    folder : Path, optional
        Folder of the pages; `pages` in the project folder if not given.
    every_s : float
        How often the pages are written: those that are much older say so.
    seconds : float
        Records are read, and small copies of pictures made, for about as long; the next look goes
        on with the rest.

    Returns
    -------
    index : Path
        Page of the project.

    Raises
    ------
    OSError
        The folder cannot be written.
    LockedError
        Somebody else writes the pages, and did not end in time.
    """
    folder = session.project / FOLDER if folder is None else folder
    with Lock(folder / "lock").holding("writing the pages"):
        _write_all(session, folder, every_s, time.monotonic() + seconds)
    return folder / "index.html"


def _write_all(session: Session, folder: Path, every_s: float, until_s: float) -> None:
    """Look at the project, and write what has changed."""
    now_s, state = time.time(), peek_project(session)
    facts = read_facts(session.project, folder / "read", until_s=until_s)
    views = Views(session, state, facts, Album(session.project, folder, until_s), now_s)
    shared = {
        "project": state.project,
        "project_folder": state.folder,
        "up": os.path.relpath(session.project, folder),
        "every_s": max(5, round(every_s)),
    }
    _write_changed(folder, views, shared)
    looked = {"looked_s": round(now_s), "stale_s": max(120, round(3 * every_s))}
    _write(folder / "looked.js", f"octflowLooked({json.dumps(looked)});\n")


def _write_changed(folder: Path, views: Views, shared: dict[str, Any]) -> None:
    """Write the pages that say something else than they did, or that are not there."""
    known, now = _known(folder / "written.json"), {}
    for name in _ASSETS:
        if not (folder / name).exists() or known.get("assets") != _version():
            _write(folder / name, _asset(name))
    now["assets"] = _version()
    shared = {**shared, "finished": views.finished}
    for page in views.pages():
        shown = hashlib.blake2b(f"{_version()} {shared} {page!r}".encode()).hexdigest()
        now[page.name] = shown
        if known.get(page.name) != shown or not (folder / page.name).exists():
            _write(folder / page.name, render(page, shared, views.now_s))
    if now != known:
        _write(folder / "written.json", json.dumps(now))


def render(page: Page, shared: dict[str, Any], now_s: float) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    page : Page
        What it says.
    shared : dict
        What all pages say.
    now_s : float
        When it is written.
    """
    template = _environment().get_template(_TEMPLATES[type(page)])
    values = {field: getattr(page, field) for field in page.__dataclass_fields__}
    link = words.linker(shared["up"])
    return template.render(**values, **shared, page=page.name, link=link, now_s=now_s)


@cache
def _environment() -> Environment:
    """Return the templates; every value is escaped, for reasons of failures may hold anything."""
    found = Environment(
        loader=PackageLoader("octflow.services.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"when": words.when, "when_said": words.when_said, "hours": words.hours}
    found.globals |= {"percent": words.percent, "plot_of": words.plot_of, "states": STATES}
    return found


def _asset(name: str) -> str:
    return (files("octflow.services.pages") / "assets" / name).read_text()


@cache
def _version() -> str:
    """Return a digest of everything that decides how a page looks."""
    digest = hashlib.blake2b(digest_size=16)
    package = files("octflow.services.pages")
    for part in ("templates", "assets"):
        for file in sorted((package / part).iterdir(), key=lambda file: file.name):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _known(path: Path) -> dict[str, str]:
    try:
        known: dict[str, str] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return known


def _write(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text)
