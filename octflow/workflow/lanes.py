"""Lanes: the rules of one pool, which the watcher runs in a Snakemake process of their own."""

from typing import Literal

from pydantic import Field

from octflow.core.settings import Settings

Lane = Literal["tile", "stitch", "register", "upload"]
"""Name of a lane, which is that of its pool."""

LANES: dict[Lane, tuple[str, ...]] = {
    "tile": (
        "start_slice",
        "start_mosaic",
        "start_batch",
        "convert_batch",
        "process_batch",
        "archive_batch",
    ),
    "stitch": (
        "find_tilemap",
        "refine_tilemap",
        "stitch_enface",
        "find_focus",
        "stitch_share",
        "stitch_volume",
        "join_volumes",
        "stack_slices",
    ),
    "register": ("register_slice", "register_volumes", "place_slice"),
    "upload": (
        "upload_batch",
        "upload_mosaic",
        "upload_volume",
        "upload_slice",
        "upload_dataset",
    ),
}
"""Rules of every lane; a test holds them to the pools of the rules.

No rule is in two lanes, so no two processes of a watcher ever write the same file.
"""


UPLOADS = 5
"""Uploads side by side, unless somebody decides otherwise."""


class LaneSettings(Settings):
    """What one lane may use."""

    cores: int = Field(1, ge=1)
    """Cores of the lane's Snakemake process."""
    profile: str | None = None
    """Profile of this lane in place of `watch.profile`, such as zircon-ssh for register."""
    targets_per_run: int = Field(32, ge=1)
    """Most targets of one process: what becomes ready while it runs waits for its end."""
    longest_run_s: float | None = Field(None, gt=0)
    """A process that has run so long hangs: it has `grace_s` to end, then it is killed, and what
    it has not made has failed. null: it may take for ever."""


class WatchSettings(Settings):
    """How `octflow watch` runs the workflow."""

    profile: str | None = None
    """Profile of the Snakemake processes, a name or a path; their cores are those of the lanes."""
    poll_seconds: float = Field(5.0, gt=0)
    """Time between two looks at the acquisition folder."""
    notify: Literal["auto", "always", "never"] = "auto"
    """Whether to look as soon as the system tells of a change in the acquisition folder, besides
    the looks at their times; auto: where the file system is local."""
    host_cores: int | None = Field(None, ge=1)
    """Cores that all watchers of this user on this host share: a lane starts with those of its
    own that are free, one at least; uploads need none. null: every watcher for itself."""
    pages_every_s: float | None = Field(60.0, gt=0)
    """Time between two writings of the pages of the project; null: they are not written."""
    lanes: dict[Lane, LaneSettings] = Field(
        {lane: LaneSettings(cores=UPLOADS if lane == "upload" else 1) for lane in LANES},
        min_length=1,
    )
    """The lanes that are run; a lane that is left out is left to somebody else. The cores of the
    lane upload are its uploads at a time, which hardly compute."""
    max_attempts: int = Field(5, ge=1)
    """A target that has failed so often is given up, until its inputs change."""
    first_wait_s: float = Field(30.0, ge=0)
    """Wait after the first failure of a target; it doubles from one to the next."""
    longest_wait_s: float = Field(3600.0, ge=0)
    """Longest wait between two attempts."""
    grace_s: float = Field(300.0, ge=0)
    """On SIGTERM, time for jobs that run to end before they are killed."""
    nice: int = Field(10, ge=0, le=19)
    """Niceness of the jobs: acquisition goes first."""
    io_level: int = Field(7, ge=0, le=7)
    """Likewise for disks: best-effort level, 7 is the lowest."""
    before_scan: tuple[tuple[str, ...], ...] = ()
    """Commands, each a list of words, run before every look: they may mount volumes anew."""
    before_scan_timeout_s: float = Field(60.0, gt=0)
    """A command that takes longer is killed."""
    log_bytes: int = Field(10_000_000, ge=1000)
    """A log that has grown so large is set aside."""
    log_files: int = Field(5, ge=1)
    """Logs set aside that are kept, of each kind."""
