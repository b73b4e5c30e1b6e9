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


def parse_flag(path: str) -> tuple[str, dict[str, int | str]] | None:
    """Return the rule of a flag and what its wildcards are; None of another file.

    Examples
    --------
    >>> parse_flag("mosaic-001/state/batch-002.processed")
    ('process_batch', {'mosaic': 1, 'batch': 2})
    >>> parse_flag("mosaic-001/state/mosaic-001.volume_stitched")
    ('join_volumes', {'mosaic': 1})
    >>> parse_flag("state/missing.json")
    """
    for rule, pattern in _patterns():
        if match := pattern.fullmatch(path):
            found = match.groupdict()
            return rule, {k: int(v) if v.isdigit() else v for k, v in found.items()}
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern]]:
    """Return what flags look like; those with fewer wildcards first, others match them too."""
    fewest = sorted(FLAGS.items(), key=lambda item: len(set(re.findall(r"{(\w+)", item[1]))))
    return [(rule, re.compile(_pattern(flag_of_rule))) for rule, flag_of_rule in fewest]


def _pattern(flag_of_rule: str) -> str:
    """Turn the first mention of a wildcard into a group, and others into references to it."""
    known: set[str] = set()

    def group(match: re.Match) -> str:
        name, number = match.group(1), match.group(2)
        if name in known:
            return f"(?P={name})"
        known.add(name)
        return f"(?P<{name}>{r'[0-9]{3,}' if number else '[a-zA-Z][a-zA-Z0-9]*'})"

    return re.sub(r"\\{(\w+)(:03d)?\\}", group, re.escape(flag_of_rule))
