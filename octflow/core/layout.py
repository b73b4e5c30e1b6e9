"""Where the flags of a project lie; a test holds the rules to it."""

import re
from functools import cache
from pathlib import Path

FLAGS = {
    "start_slice": "state/slice-{slice:03d}.started",
    "start_mosaic": "mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.started",
    "start_batch": "mosaic-{mosaic:03d}/state/batch-{batch:03d}.started",
    "convert_batch": "mosaic-{mosaic:03d}/state/batch-{batch:03d}.complex",
    "process_batch": "mosaic-{mosaic:03d}/state/batch-{batch:03d}.processed",
    "archive_batch": "mosaic-{mosaic:03d}/state/batch-{batch:03d}.archived",
    "find_tilemap": "state/tilemap-{illumination}.found",
    "refine_tilemap": "mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.refined",
    "stitch_enface": "mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.stitched",
    "find_focus": "state/focus-{illumination}.found",
    "stitch_share": "mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.{modality}_share-{share:03d}",
    "stitch_volume": "mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.{modality}_stitched",
    "join_volumes": "mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.volume_stitched",
    "register_slice": "state/slice-{slice:03d}.registered",
    "register_volumes": "state/slice-{slice:03d}.volumes_registered",
    "place_slice": "state/slice-{slice:03d}.placed",
    "stack_slices": "state/project.stacked",
    "upload_batch": "mosaic-{mosaic:03d}/state/batch-{batch:03d}.uploaded",
    "upload_mosaic": "mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.uploaded",
    "upload_volume": "mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.volume_uploaded",
    "upload_slice": "state/slice-{slice:03d}.uploaded",
    "upload_dataset": "state/dataset.uploaded",
}
"""Flag of every rule, relative to the project folder; a rule stands below those it reads from."""

ARCHIVED = "mosaic-{mosaic:03d}/archived"
"""Folder of the copies of raw tiles, relative to the project folder."""

MISSING = "state/missing.json"
"""Tiles declared missing, relative to the project folder."""


MARKS = "state/marks.json"
"""What people decided about parts of the sample, relative to the project folder."""

RETIRED = "lineage/retired"
"""Folder of flags that were set aside, relative to the project folder."""

LOCK = "lineage/lock"
"""Folder of the lock of the state, relative to the project folder."""


def flag(rule: str, **unit: int | str) -> Path:
    """Return the path of a flag, relative to the project folder.

    Examples
    --------
    >>> str(flag("process_batch", mosaic=1, batch=2))
    'mosaic-001/state/batch-002.processed'
    """
    return Path(FLAGS[rule].format(**unit))


def job_of(path: str) -> tuple[str, dict[str, int | str]] | None:
    """Return the rule and the unit that a flag is of; None where a path is no flag.

    Examples
    --------
    >>> job_of("mosaic-001/state/batch-002.processed")
    ('process_batch', {'mosaic': 1, 'batch': 2})
    >>> job_of("state/tilemap-normal.found")
    ('find_tilemap', {'illumination': 'normal'})
    >>> job_of("state/missing.json") is None
    True
    """
    for rule, pattern in _patterns().items():
        if found := pattern.fullmatch(path):
            ids = found.groupdict().items()
            return rule, {key: int(word) if word.isdigit() else word for key, word in ids}
    return None


def rank_of(path: str) -> int:
    """Return the place of a flag in the order of the data: what it was made from comes before.

    Examples
    --------
    >>> rank_of("state/slice-001.started") < rank_of("state/project.stacked")
    True
    >>> rank_of("state/missing.json")
    0
    """
    found = job_of(path)
    return list(FLAGS).index(found[0]) if found else 0


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """Return the flags as patterns, those with fewer names to be filled in first."""
    plainest = sorted(FLAGS.items(), key=lambda item: item[1].count("{"))
    return {rule: re.compile(_pattern(template)) for rule, template in plainest}


def _pattern(template: str) -> str:
    """Return the pattern of a flag; a number that stands in it twice is the same number."""
    pattern, seen = "", set()
    for word in re.split(r"(\{[^}]*\})", template):
        name = word.strip("{}").split(":")[0]
        if not word.startswith("{"):
            pattern += re.escape(word)
        elif name in seen:
            pattern += f"(?P={name})"
        else:
            seen.add(name)
            pattern += f"(?P<{name}>{r'[0-9]{3,}' if ':' in word else '[a-zA-Z][a-zA-Z0-9]*'})"
    return pattern
