"""Where the flags of a project lie; a test holds the rules to it."""

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
}
"""Flag of every rule, relative to the project folder."""

ARCHIVED = "mosaic-{mosaic:03d}/archived"
"""Folder of the copies of raw tiles, relative to the project folder."""

MISSING = "state/missing.json"
"""Tiles declared missing, relative to the project folder."""


def flag(rule: str, **unit: int | str) -> Path:
    """Return the path of a flag, relative to the project folder.

    Examples
    --------
    >>> str(flag("process_batch", mosaic=1, batch=2))
    'mosaic-001/state/batch-002.processed'
    """
    return Path(FLAGS[rule].format(**unit))
