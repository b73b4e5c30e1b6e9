"""What can be made from what is there: batches, mosaics and slices that are complete."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from octflow.core.layout import flag
from octflow.core.names import archived_kind, used_kind
from octflow.core.part import Part
from octflow.io.acquisition import RawTile, list_raw_tiles
from octflow.io.marks import Mark, holds_of, read_marks
from octflow.io.missing import read_missing
from octflow.workflow.config import Config

Inventory = list[dict[str, Any]]


@dataclass(frozen=True)
class Waiting:
    """A batch that cannot be made yet, and for which tiles."""

    mosaic: int
    batch: int
    tiles: list[int]
    settling: list[int]

    def __str__(self) -> str:
        """Say it to a person."""
        parts = []
        if self.tiles:
            parts.append(f"tiles {self.tiles} have not arrived")
        if self.settling:
            parts.append(f"tiles {self.settling} are still changing")
        return f"mosaic {self.mosaic} batch {self.batch}: {', '.join(parts)}"


@dataclass
class Ready:
    """The units whose inputs are all there, as the acquisition folder and the flags show them.

    Parameters
    ----------
    config : Config
        The configuration.
    project : Path
        Project folder.
    raw : Path
        Acquisition folder; only read.
    now_s : callable
        The clock that file times are compared with.
    """

    config: Config
    project: Path
    raw: Path
    now_s: Callable[[], float] = field(default=time.time)
    # What is ready and what its job is given must be the same look at the folder.
    _inventories: dict[tuple[int, int], Inventory] = field(default_factory=dict, init=False)

    @cached_property
    def _files(self) -> dict[tuple[str, int, int], list[RawTile]]:
        """Raw files by format or modality, logical mosaic as in `_named`, and tile."""
        shift = self.config.acquisition.slice_offset * len(self.config.experiment.illuminations)
        found: dict[tuple[str, int, int], list[RawTile]] = {}
        for file in list_raw_tiles(self.raw):
            role = file.name.modality or file.name.kind
            key = (role, self._named(file.name.mosaic + shift), file.name.tile)
            found.setdefault(key, []).append(file)
        return found

    @cached_property
    def raw_tiles(self) -> set[tuple[int, int]]:
        """Logical (mosaic, tile) of every tile that has a file to be reconstructed from."""
        used = self._roles
        named = {(mosaic, tile) for role, mosaic, tile in self._files if role in used}
        if not self.config.acquisition.interleaved:
            return named
        experiment = self.config.experiment
        return {(m, t) for n, t in named for m in experiment.mosaics_of(experiment.slice_of(n))}

    def _named(self, mosaic: int) -> int:
        """Return the mosaic that stands for all whose A-lines are in one file, or the same."""
        experiment = self.config.experiment
        if not self.config.acquisition.interleaved:
            return mosaic
        return experiment.mosaics_of(experiment.slice_of(mosaic))[0]

    @cached_property
    def missing(self) -> dict[tuple[int, int], str]:
        """Reasons by (mosaic, tile) of tiles declared missing."""
        return read_missing(self.project)

    @cached_property
    def holds(self) -> dict[Part, Mark]:
        """Parts that people have put on hold, and why: the workflow leaves them alone."""
        return holds_of(read_marks(self.project))

    def held(self, mosaic: int, batch: int) -> bool:
        """Tell whether a batch, its mosaic or its slice is on hold."""
        if not self.holds:
            return False
        parts = {
            Part(slice=self.config.experiment.slice_of(mosaic)),
            Part(mosaic=mosaic),
            Part(mosaic=mosaic, batch=batch),
        }
        return not parts.isdisjoint(self.holds)

    @cached_property
    def mosaics_seen(self) -> list[int]:
        """Mosaics that have a tile, a declared hole or a folder in the project."""
        seen = {mosaic for mosaic, _ in (*self.raw_tiles, *self.missing)}
        seen |= {int(p.name[7:]) for p in self.project.glob("mosaic-*") if p.name[7:].isdigit()}
        return sorted(mosaic for mosaic in seen if mosaic >= 1)

    def inventory(self, mosaic: int, batch: int) -> Inventory:
        """List the expected tiles of a batch: the file, or why there is none.

        A file that was taken in earlier and has since been moved away is listed as it was:
        clearing the acquisition disk must not undo finished work.
        """
        if (mosaic, batch) not in self._inventories:
            self._inventories[mosaic, batch] = self._listed(mosaic, batch)
        return self._inventories[mosaic, batch]

    def _listed(self, mosaic: int, batch: int) -> Inventory:
        entries = [
            self._entry(mosaic, tile) for tile in self.config.experiment.tiles_of(mosaic, batch)
        ]
        if any("waits" in entry for entry in entries):
            known = self._recorded(mosaic, batch)
            entries = [known.get(e["tile"], e) if "waits" in e else e for e in entries]
        return entries

    def _entry(self, mosaic: int, tile: int) -> dict[str, Any]:
        used = {role: self._file(role, mosaic, tile) for role in self._roles}
        also = {} if self._kept in used else {"archive": self._file(self._kept, mosaic, tile)}
        entry = _lack([*used.values(), *also.values()])
        if entry is None:
            main = {"files": used} if "dBI" in used else used[self._roles[0]]
            entry = {**main, **also}
        if entry == {"waits": True} and (reason := self.missing.get((mosaic, tile))):
            entry = {"missing": reason}
        return {"tile": tile, **entry}

    @cached_property
    def _roles(self) -> tuple[str, ...]:
        """Format, or modalities, of the files that a tile is reconstructed from."""
        used = used_kind(self.config.acquisition.format)
        return self.config.acquisition.delivered if used == "processed" else (used,)

    @cached_property
    def _kept(self) -> str:
        """Format of the file that is archived."""
        return archived_kind(self.config.acquisition.format)

    def _file(self, role: str, mosaic: int, tile: int) -> dict[str, Any]:
        found = self._files.get((role, self._named(mosaic), tile), [])
        # One that somebody compresses is there twice for a while.
        files = [file for file in found if not file.name.compressed] or found
        if len(files) > 1:
            names = " and ".join(Path(f.path).name for f in files)
            return {"missing": f"found several files, {names}, expected one"}
        if not files:
            return {"waits": True}
        file = files[0]
        if not self._stable(file):
            return {"waits": True, "settling": True}
        return {
            "path": file.path,
            "bytes": file.size_bytes,
            "modified_s": int(file.modified_s),
        }

    def _stable(self, file: RawTile) -> bool:
        """Tell whether a file is complete; 0 s asks nothing of clocks, which may differ."""
        stable_s = self.config.ingest.stable_seconds
        return stable_s == 0 or self.now_s() - file.modified_s >= stable_s

    def _recorded(self, mosaic: int, batch: int) -> dict[int, dict[str, Any]]:
        path = self.project / flag("start_batch", mosaic=mosaic, batch=batch)
        try:
            inventory = json.loads(path.read_bytes())["parameters"]["inventory"]
        except (OSError, ValueError, KeyError):
            return {}
        return {entry["tile"]: entry for entry in inventory}

    @cached_property
    def _batches(self) -> tuple[list[tuple[int, int]], list[Waiting]]:
        ready, waiting = [], []
        for mosaic in self.mosaics_seen:
            for batch in self.config.experiment.batches_of(mosaic):
                if self.held(mosaic, batch):
                    continue
                waits = [e for e in self.inventory(mosaic, batch) if "waits" in e]
                if not waits:
                    ready.append((mosaic, batch))
                else:
                    settling = [e["tile"] for e in waits if "settling" in e]
                    absent = [e["tile"] for e in waits if "settling" not in e]
                    waiting.append(Waiting(mosaic, batch, absent, settling))
        return ready, waiting

    @property
    def batches(self) -> list[tuple[int, int]]:
        """Batches (mosaic, batch) whose tiles are all there and stable, or declared missing.

        The one place where what is on hold is left out: nothing is ready that contains it.
        """
        return self._batches[0]

    @property
    def waiting(self) -> list[Waiting]:
        """Batches of seen mosaics that are not ready, and not on hold."""
        return self._batches[1]

    @cached_property
    def _whole(self) -> list[int]:
        """Mosaics whose batches are all ready."""
        batches_of, there = self.config.experiment.batches_of, set(self.batches)
        return [m for m in self.mosaics_seen if all((m, b) in there for b in batches_of(m))]

    @cached_property
    def mosaics(self) -> list[int]:
        """Mosaics whose batches are all ready, and whose tile coordinates can be found."""
        whole = set(self._whole)
        return [m for m in self._whole if set(self._templates_for(m)) <= whole]

    @cached_property
    def slices(self) -> list[int]:
        """Slices whose mosaics are all ready."""
        experiment = self.config.experiment
        slices = {experiment.slice_of(m) for m in self.mosaics}
        return sorted(s for s in slices if set(experiment.mosaics_of(s)) <= set(self.mosaics))

    @property
    def unseen(self) -> dict[int, list[int]]:
        """Mosaics of which there is nothing, of the slices that have begun to arrive."""
        experiment, seen = self.config.experiment, self.mosaics_seen
        begun = sorted({experiment.slice_of(mosaic) for mosaic in seen})
        unseen = {s: [m for m in experiment.mosaics_of(s) if m not in seen] for s in begun}
        return {slice_id: mosaics for slice_id, mosaics in unseen.items() if mosaics}

    def template_of(self, illumination: str) -> int:
        """Return the mosaic that gives the focus of an illumination and numbers its tiles."""
        return self.templates_of(illumination)[0]

    def templates_of(self, illumination: str) -> list[int]:
        """Return the mosaics that the tile coordinates of an illumination are found on."""
        slices = dict.fromkeys(self.config.stitch.template_slices)
        return [self.config.experiment.mosaic_of(s, illumination) for s in slices]

    def _templates_for(self, mosaic: int) -> list[int]:
        return self.templates_of(self.config.experiment.illumination_of(mosaic).name)

    @property
    def without_coordinates(self) -> dict[int, list[int]]:
        """Mosaics whose batches are all ready, and the mosaics their coordinates wait for."""
        return {
            mosaic: sorted(set(self._templates_for(mosaic)) - set(self._whole))
            for mosaic in self._whole
            if mosaic not in self.mosaics
        }


def _lack(files: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return why a tile of these files cannot be used yet, or ever; None where it can."""
    files = [file for file in files if "path" not in file]
    if not files:  # Nearly always, of 100 000 tiles.
        return None
    ranks: list[Callable[[dict[str, Any]], bool]] = [
        lambda file: "missing" in file,
        lambda file: file == {"waits": True},
        lambda file: "waits" in file,
    ]
    return next((file for applies in ranks for file in files if applies(file)), None)
