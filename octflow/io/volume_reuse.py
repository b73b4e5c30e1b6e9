"""Shards that a new version of a volume has in common with the former one.

A band, all shards of a level at the same depth, is known by the digest of what decides its values:
at the finest level what the caller says, above it the bands below. Bands that are the same are
linked into the folder of the new version: nothing is copied, and the former volume stays whole
until the new one takes its name. Digests lie in the folder of the finest level, with the bytes of
every band, so that a band that lost a file is made anew.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from octflow.io.atomic import replacing
from octflow.io.digest import content_id, size_bytes
from octflow.io.omezarr import Plan, cells

MadeFrom = Callable[[slice], str]
"""Takes a range of depths, returns a digest of whatever decides the values there."""
Bands = list[list[str]]
"""Digests, level by level, of the bands from the first depth on."""

BANDS = Path("0", "bands.json")
"""Where a volume keeps its digests; without them all of it is made anew."""


class Band(NamedTuple):
    """All shards of a level at the same depth."""

    level: int
    number: int

    def folder(self, volume: Path) -> Path:
        """Return where its files lie."""
        return volume / str(self.level) / "c" / str(self.number)


def bands_of(plan: Plan, made_from: MadeFrom) -> Bands:
    """Return the digests of all bands of a volume.

    Examples
    --------
    >>> plan = Plan((24, 200, 8), (1, 1, 1), "a", chunk_px=(8, 8, 8), shard_px=(8, 8, 8))
    >>> [len(level) for level in bands_of(plan, lambda z: "same")]
    [3, 2]
    """
    levels: Bands = []
    for level in range(len(plan.shapes)):
        own = _same_for_all(plan, level)
        levels.append([])
        for number, z in enumerate(_depths(plan, level)):
            below = [levels[b.level][b.number] for b in _below(plan, Band(level, number))]
            levels[level].append(content_id([*own, z.start, z.stop, *(below or [made_from(z)])]))
    return levels


def link_bands(former: Path, part: Path, plan: Plan, bands: Bands) -> set[Band]:
    """Link the bands of a finished volume that are the same into a new one, and return them."""
    kept: set[Band] = set()
    for level, (old, new) in enumerate(zip(_read(former), bands, strict=False)):
        for number, (was, digest) in enumerate(zip(old, new, strict=False)):
            band = Band(level, number)
            # What is below is looked for from above: it must be there too.
            if was == [digest, _bytes(former, band)] and kept.issuperset(_below(plan, band)):
                kept.add(band)
    for band in kept:
        for path in band.folder(former).rglob("*"):
            if path.is_file():
                _link(path, band.folder(part) / path.relative_to(band.folder(former)))
    return kept


def write_bands(volume: Path, bands: Bands) -> None:
    """Write the digests of a finished volume into its folder."""
    content = [
        [[digest, _bytes(volume, Band(level, number))] for number, digest in enumerate(digests)]
        for level, digests in enumerate(bands)
    ]
    with replacing(volume / BANDS) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def _read(volume: Path) -> list[list[list[object]]]:
    """Return what `write_bands` wrote; nothing where nothing, or something else, is there."""
    try:
        content = json.loads((volume / BANDS).read_bytes())
    except (OSError, ValueError):
        return []
    sound = isinstance(content, list) and all(isinstance(level, list) for level in content)
    return content if sound else []


def _bytes(volume: Path, band: Band) -> int:
    folder = band.folder(volume)
    return size_bytes(folder) if folder.is_dir() else 0


def _depths(plan: Plan, level: int) -> list[slice]:
    n_z, shard = plan.shapes[level][0], plan.shard_of(level)[0]
    return [slice(i * shard, min((i + 1) * shard, n_z)) for i in range(cells(n_z, shard))]


def _same_for_all(plan: Plan, level: int) -> list[object]:
    return [plan.shapes[level][1:], plan.chunk_px, plan.shard_of(level), plan.axial, plan.version]


def _below(plan: Plan, band: Band) -> list[Band]:
    """Return the bands that one is made from; none for those of the finest level."""
    if band.level == 0:
        return []
    finer, z = band.level - 1, _depths(plan, band.level)[band.number]
    n_z, shard = plan.shapes[finer][0], plan.shard_of(finer)[0]
    numbers = range(2 * z.start // shard, cells(min(2 * z.stop, n_z), shard))
    return [Band(finer, number) for number in numbers]


def _link(path: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no links."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        with replacing(target) as part:
            shutil.copyfile(path, part)
