"""What stands on each page: the state, the records and the pictures, put together."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octflow.core.record import Unit
from octflow.io.marks import Mark, holds_of, read_marks
from octflow.services.pages.facts import Fact, Facts
from octflow.services.pages.grid import Grid, grid_of
from octflow.services.pages.milestones import Milestone, quarters, throughput
from octflow.services.pages.page import (
    Decision,
    Failure,
    MosaicLine,
    MosaicPage,
    Page,
    ProjectPage,
    SliceLine,
    SlicePage,
)
from octflow.services.pages.pictures import Album, Picture
from octflow.services.pages.words import hours
from octflow.services.seen import Failed
from octflow.services.state import Count, MosaicState, Pace, ProjectState, SliceState
from octflow.workflow.session import Session

_NUMBER = re.compile(r"(slice|mosaic)-(\d+)")
_PARTS = ("slice", "illumination", "mosaic", "batch", "modality", "share")


@dataclass
class Views:
    """Builds the pages of one look.

    Parameters
    ----------
    session : Session
        The project.
    state : ProjectState
        As it was looked at.
    facts : Facts
        What the records tell.
    album : Album
        The pictures.
    now_s : float
        The clock.
    """

    session: Session
    state: ProjectState
    facts: Facts
    album: Album
    now_s: float
    failures: list[Failure] = field(init=False)
    marks: list[Decision] = field(init=False)
    _own: dict[int | None, list[Fact]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Sort what is not of one mosaic by its slice, and read what people decided."""
        self.failures = [_failure(f, self.session.project) for f in self.state.failures]
        marks = read_marks(self.session.project)
        holds = holds_of(marks).values()
        self.marks = [Decision(mark, mark in holds) for mark in reversed(marks)]
        for fact in self.facts.of(""):
            number = fact.unit.get("slice")
            self._own.setdefault(number if isinstance(number, int) else None, []).append(fact)

    @property
    def finished(self) -> bool:
        """Whether all that is expected is done."""
        return all(count.done == count.expected for count in self.state.counts)

    def pages(self) -> Iterable[Page]:
        """Yield all pages; those further down first, so that no link leads nowhere."""
        mosaics = [mosaic for part in self.state.slices for mosaic in part.mosaics]
        for n, mosaic in enumerate(mosaics):
            around = [m.mosaic for m in mosaics[max(n - 1, 0) : n + 2]]
            yield self.mosaic(mosaic, _neighbours(mosaic.mosaic, around))
        for n, part in enumerate(self.state.slices):
            around = [s.slice for s in self.state.slices[max(n - 1, 0) : n + 2]]
            yield self.slice(part, _neighbours(part.slice, around))
        yield self.project()

    def project(self) -> ProjectPage:
        """Return the page of the project."""
        ends = [end for m in self._mosaics() for end in _ends(self._facts_of(m))]
        own = self._own.get(None, [])
        tiles = sum(batch.tiles for m in self._mosaics() for batch in m.batches)
        until_s = max((at_s for at_s, _ in ends), default=0) if self.finished else self.now_s
        counts = _by_rule(self.state.counts)
        return ProjectPage(
            name="index.html",
            title=self.state.project,
            counts=counts,
            milestones=[*quarters(ends, tiles), *_reached(own, counts, stacked="stack_slices")],
            failures=self.failures,
            **_judged([f for folder in self.facts.by_folder for f in self.facts.of(folder)]),
            pictures=self._project_pictures(),
            marks=self.marks,
            slices=[self._slice_line(part) for part in self.state.slices],
            pace=self.state.pace,
            bars=throughput(ends, until_s),
            waiting=[line.removeprefix("waiting: ") for line in self.state.waiting],
            unread=self.facts.unread,
            broken=self.facts.broken,
        )

    def slice(self, part: SliceState, neighbours: tuple[int | None, int | None]) -> SlicePage:
        """Return the page of a slice."""
        own = self._own.get(part.slice, [])
        counts = _by_rule(part.counts)
        facts = [*(f for m in part.mosaics for f in self._facts_of(m)), *own]
        start = f"slice-{part.slice:03d}"
        return SlicePage(
            name=f"{start}.html",
            title=f"Slice {part.slice}",
            counts=counts,
            milestones=_of_slice(own, counts),
            failures=[f for f in self.failures if f.slice == part.slice],
            **_judged(facts),
            pictures=[*self.album.of("qc", start), *self.album.of("registered", start)],
            marks=self._marks_about(part.mosaics),
            slice=part.slice,
            mosaics=[self._mosaic_line(m, with_grid=True) for m in part.mosaics],
            neighbours=neighbours,
        )

    def mosaic(self, mosaic: MosaicState, neighbours: tuple[int | None, int | None]) -> MosaicPage:
        """Return the page of a mosaic."""
        facts, folder = self._facts_of(mosaic), f"mosaic-{mosaic.mosaic:03d}"
        counts = _by_rule(mosaic.counts)
        stitched = self.album.of(f"{folder}/stitched")
        return MosaicPage(
            name=f"{folder}.html",
            title=f"Mosaic {mosaic.mosaic}",
            counts=counts,
            milestones=_of_mosaic(mosaic, facts, counts),
            failures=[f for f in self.failures if f.mosaic == mosaic.mosaic],
            **_judged(facts),
            pictures=[*stitched, *self.album.of(f"{folder}/qc")],
            marks=self._marks_about([mosaic]),
            slice=mosaic.slice,
            state=mosaic,
            grid=self._grid(mosaic, facts),
            jobs={(int(f.unit["batch"]), f.rule): f for f in facts if "batch" in f.unit},
            to_go=hours(_hours_left(counts["process_batch"], self.state.pace)),
            neighbours=neighbours,
        )

    def _grid(self, mosaic: MosaicState, facts: list[Fact]) -> Grid:
        experiment, declared = self.session.config.experiment, self.session.ready.missing
        return grid_of(mosaic, experiment, facts, declared)

    def _marks_about(self, mosaics: Iterable[MosaicState]) -> list[Decision]:
        """Return what was decided about mosaics, batches of them, or what they are parts of."""
        return [d for d in self.marks if any(_is_about(d.mark, mosaic) for mosaic in mosaics)]

    def _mosaics(self) -> list[MosaicState]:
        return [mosaic for part in self.state.slices for mosaic in part.mosaics]

    def _facts_of(self, mosaic: MosaicState) -> list[Fact]:
        return self.facts.of(f"mosaic-{mosaic.mosaic:03d}")

    def _mosaic_line(self, mosaic: MosaicState, *, with_grid: bool = False) -> MosaicLine:
        facts, counts = self._facts_of(mosaic), _by_rule(mosaic.counts)
        grid = self._grid(mosaic, facts) if with_grid else None
        milestones = _of_mosaic(mosaic, facts, counts)
        sheet = self.album.of(f"mosaic-{mosaic.mosaic:03d}/qc", "enface")
        return MosaicLine(
            mosaic.mosaic,
            mosaic.illumination,
            _state(counts),
            counts["process_batch"],
            milestones,
            sheet[0] if sheet else None,
            grid,
        )

    def _slice_line(self, part: SliceState) -> SliceLine:
        counts = _by_rule(part.counts)
        mosaics = [self._mosaic_line(mosaic) for mosaic in part.mosaics]
        milestones = _of_slice(self._own.get(part.slice, []), counts)
        start = f"slice-{part.slice:03d}"
        sheet = self.album.of("registered", f"{start}_inplane") or self.album.of("qc", start)
        return SliceLine(part.slice, mosaics, milestones, sheet[0] if sheet else None)

    def _project_pictures(self) -> list[Picture]:
        found = [*self.album.of("stacked"), *self.album.of("qc", "stack")]
        return [*found, *self.album.of("qc", "tilemap"), *self.album.of("qc", "focus")]


def _by_rule(counts: Iterable[Count]) -> dict[str, Count]:
    return {count.rule: count for count in counts}


def _neighbours(number: int, around: list[int]) -> tuple[int | None, int | None]:
    before = [n for n in around if n < number]
    after = [n for n in around if n > number]
    return (before[0] if before else None, after[0] if after else None)


def _is_about(mark: Mark, mosaic: MosaicState) -> bool:
    ids = {"slice": mosaic.slice, "mosaic": mosaic.mosaic, "illumination": mosaic.illumination}
    return mark.part.holds(Unit(project="", batch=mark.part.batch, **ids))


def _ends(facts: Iterable[Fact]) -> list[tuple[float, int]]:
    return [(fact.ended_s, fact.tiles) for fact in facts if fact.rule == "process_batch"]


def _judged(facts: Iterable[Fact]) -> dict[str, Any]:
    """Return what a page tells of gates and warnings."""
    facts = sorted(facts, key=lambda fact: -fact.ended_s)
    verdicts = [gate["verdict"] for fact in facts for gate in fact.gates]
    remarks = [fact for fact in facts if fact.warnings or fact.missed]
    lost = sum(len(f.failed) + len(f.missing) for f in facts if f.rule == "process_batch")
    return {"remarks": remarks, "passed": verdicts.count("pass"), "lost": lost}


def _reached(facts: Iterable[Fact], counts: dict[str, Count], **rules: str) -> list[Milestone]:
    """Return when jobs that are expected ended, by what people call them."""
    ended = {fact.rule: fact.ended_s for fact in facts}
    return [Milestone(n, ended.get(rule)) for n, rule in rules.items() if rule in counts]


def _of_slice(facts: list[Fact], counts: dict[str, Count]) -> list[Milestone]:
    return _reached(
        facts, counts, started="start_slice", registered="register_slice", placed="place_slice"
    )


def _of_mosaic(mosaic: MosaicState, facts: list[Fact], counts: dict[str, Count]) -> list[Milestone]:
    tiles = sum(batch.tiles for batch in mosaic.batches)
    return [
        *_reached(facts, counts, started="start_mosaic"),
        *quarters(_ends(facts), tiles),
        *_reached(facts, counts, stitched="stitch_enface", volumes="join_volumes"),
    ]


def _state(counts: dict[str, Count]) -> str:
    """Say in a word how far a mosaic is."""
    if any(count.failed for count in counts.values()):
        return "failed"
    if all(count.done == count.expected for count in counts.values()):
        return "done"
    if counts["stitch_enface"].done:
        return "stitched"
    begun = any(count.done or count.open for count in counts.values())
    return "running" if begun else "waiting"


def _hours_left(count: Count, pace: Pace) -> float | None:
    """Return the hours for the batches of one mosaic, once it has begun."""
    if not count.done or pace.batches_per_hour is None:
        return None
    return (count.expected - count.done) / pace.batches_per_hour


def _failure(failed: Failed, project: Path) -> Failure:
    """Find the log of a failure: logs are named by the wildcards of their rule."""
    _, rule, folder, _ = Path(failed.record).parts
    numbers = {level: int(number) for level, number in _NUMBER.findall(folder)}
    values = dict(part.split("-", 1) for part in folder.split("_") if "-" in part)
    if "mosaic" in values:
        values = {k: v for k, v in values.items() if k not in {"slice", "illumination"}}
    name = "_".join(values[part] for part in _PARTS if part in values) or "project"
    log = f"logs/{rule}/{name}.log"
    there = (project / log).exists()
    return Failure(failed, log if there else None, numbers.get("slice"), numbers.get("mosaic"))
