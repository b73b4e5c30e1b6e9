"""What stands on each kind of page."""

from dataclasses import dataclass

from octflow.io.marks import Mark
from octflow.services.pages.facts import Fact
from octflow.services.pages.grid import Grid
from octflow.services.pages.milestones import Milestone, Throughput
from octflow.services.pages.pictures import Picture
from octflow.services.seen import Failed
from octflow.services.state import Count, MosaicState, Pace


@dataclass(frozen=True)
class Failure:
    """A job that failed, and where a person reads on."""

    failed: Failed
    log: str | None
    """Its log, relative to the project folder; None where there is none."""
    slice: int | None
    mosaic: int | None


@dataclass(frozen=True)
class MosaicLine:
    """A mosaic as other pages name it."""

    mosaic: int
    illumination: str
    state: str
    """failed, done, stitched, running or waiting."""
    processed: Count
    milestones: list[Milestone]
    picture: Picture | None
    grid: Grid | None = None


@dataclass(frozen=True)
class SliceLine:
    """A slice as the page of the project names it."""

    slice: int
    mosaics: list[MosaicLine]
    milestones: list[Milestone]
    picture: Picture | None


@dataclass(frozen=True)
class Decision:
    """What somebody decided about a part of the sample."""

    mark: Mark
    holds: bool
    """Whether the workflow leaves the part alone because of it."""


@dataclass(frozen=True)
class Page:
    """What every page has."""

    name: str
    """Of its file."""
    title: str
    counts: dict[str, Count]
    """By rule."""
    milestones: list[Milestone]
    failures: list[Failure]
    remarks: list[Fact]
    """Of jobs that warn, or of which a gate was not passed; the latest first."""
    passed: int
    """Gates that were passed."""
    lost: int
    """Tiles without a product in batches that are done, declared missing or failed."""
    pictures: list[Picture]
    marks: list[Decision]
    """The latest first."""


@dataclass(frozen=True)
class ProjectPage(Page):
    """The page of the project."""

    slices: list[SliceLine]
    pace: Pace
    bars: Throughput | None
    waiting: list[str]
    unread: int
    broken: list[str]


@dataclass(frozen=True)
class SlicePage(Page):
    """The page of a slice."""

    slice: int
    mosaics: list[MosaicLine]
    neighbours: tuple[int | None, int | None]


@dataclass(frozen=True)
class MosaicPage(Page):
    """The page of a mosaic."""

    slice: int
    state: MosaicState
    grid: Grid
    jobs: dict[tuple[int, str], Fact]
    """By batch and rule."""
    to_go: str
    """In words, which change less often than the number does."""
    neighbours: tuple[int | None, int | None]
