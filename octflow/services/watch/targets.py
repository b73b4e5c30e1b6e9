"""What every lane could make now, from the flags that are there.

A target is asked for when all flags it is made from are there and not to be made anew themselves,
and its own is missing or older, or was made from others. Lanes meet only here, through flags.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octflow.core.layout import flag
from octflow.services.watch.looks import Looks
from octflow.services.watch.origins import Origins
from octflow.stages.upload.settings import Level
from octflow.workflow.lanes import LANES, Lane
from octflow.workflow.session import Session


@dataclass(frozen=True)
class Target:
    """A flag that can be made, and the state of what it is made from."""

    path: str
    inputs: str


@dataclass
class Inventories:
    """What the flags of batches say they were made from; read again only where a flag changed."""

    _read: dict[str, tuple[int, Any]] = field(default_factory=dict, init=False)

    def of(self, path: Path) -> list[dict[str, Any]] | None:
        """Return the raw tiles in the record of a batch; None where there is none."""
        try:
            changed_ns = path.stat().st_mtime_ns
            if self._read.get(str(path), (0,))[0] != changed_ns:
                inventory = json.loads(path.read_bytes())["parameters"]["inventory"]
                self._read[str(path)] = (changed_ns, inventory)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return self._read[str(path)][1]


class Scan:
    """One look at a project.

    Parameters
    ----------
    session : Session
        As the rules will see it: made with `ingest.stable_seconds` 0.
    looks : Looks
        Which raw files have stopped changing.
    inventories : Inventories
        What batches were made from.
    origins : Origins
        What targets were made from.
    current : callable
        Tells of targets that look older than their inputs, but are not for Snakemake.
    """

    def __init__(
        self,
        session: Session,
        looks: Looks,
        inventories: Inventories,
        origins: Origins,
        current: Callable[[Target], bool],
    ) -> None:
        self._session, self._current = session, current
        self._looks, self._inventories, self._origins = looks, inventories, origins
        self._times_ns: dict[str, int] = {}
        self._pending: set[str] = set()
        self.settling = 0
        """Batches that have all tiles, some of which may still change."""
        self._outdated: dict[str, list[str]] = {}
        self.settles_in_s = math.inf
        """Time until the first of them is complete, if none of its files changes again."""
        self.waiting = [str(waiting) for waiting in session.ready.waiting]
        """Batches that lack tiles, in words."""
        self.targets: dict[Lane, list[Target]] = {lane: [] for lane in LANES}
        self._batches()
        self._mosaics()
        self._slices()
        self._stack()
        self._uploads()

    def made(self, path: str) -> int:
        """Return when a flag was written, ns; 0 where there is none."""
        if path not in self._times_ns:
            self._times_ns[path] = written_ns(self._session.project / path)
        return self._times_ns[path]

    def is_made(self, path: str) -> bool:
        """Tell whether a flag is there and need not be made anew."""
        return bool(self.made(path)) and path not in self._pending

    def anew(self, targets: list[Target]) -> list[str]:
        """Return the flags that Snakemake must be told to make anew for targets.

        They are newer than what they are made from, which was replaced while their jobs ran.
        """
        return sorted({name for target in targets for name in self._outdated.get(target.path, [])})

    def _batches(self) -> None:
        rules = ["process_batch", *(["archive_batch"] if self._session.archived["batch"] else [])]
        for mosaic, batch in self._session.ready.batches:
            names = [_flag(rule, mosaic=mosaic, batch=batch) for rule in rules]
            inventory = self._session.ready.inventory(mosaic, batch)
            taken_in = _flag("start_batch", mosaic=mosaic, batch=batch)
            if self._inventories.of(self._session.project / taken_in) == inventory:
                before = [taken_in, _flag("convert_batch", mosaic=mosaic, batch=batch)]
                names = [name for name in names if self._behind(name, before, inventory)]
            if not names:
                continue
            self._pending |= set(names)
            if wait_s := self._looks.remaining_s(inventory):
                self.settling += 1
                self.settles_in_s = min(self.settles_in_s, wait_s)
                continue
            inputs = json.dumps(inventory, sort_keys=True)
            self.targets["tile"] += [self._target(name, inputs) for name in names]

    def _behind(self, path: str, before: list[str], inventory: list[dict[str, Any]]) -> bool:
        """Tell whether a flag of a batch is not there, or older than the first jobs of the batch.

        A process that is killed between two jobs leaves it so. What is archived waits for the
        conversion, but is not made from it.
        """
        if not (made_ns := self.made(path)):
            return True
        inputs = json.dumps(inventory, sort_keys=True)
        first = before[:1] if path.endswith("archived") else before
        older = made_ns < max(map(self.made, first))
        return older and not self._current(self._target(path, inputs))

    def _mosaics(self) -> None:
        for name in self._session.mosaics:
            batches = [
                _flag("process_batch", mosaic=mosaic, batch=batch)
                for mosaic, batch in self._session.batches_behind(int(name))
            ]
            self._ask("stitch", _flag("stitch_enface", mosaic=int(name)), batches)
            self._ask("stitch", _flag("join_volumes", mosaic=int(name)), batches)

    def _slices(self) -> None:
        for name in self._session.registered:
            mosaics = self._session.config.experiment.mosaics_of(int(name))
            maps = [_flag("stitch_enface", mosaic=mosaic) for mosaic in mosaics]
            self._ask("register", _flag("register_slice", slice=int(name)), maps)
            if name in self._session.volumes_registered:
                volumes = [_flag("join_volumes", mosaic=mosaic) for mosaic in mosaics]
                axes = [_flag("register_slice", slice=int(name)), *volumes]
                self._ask("register", _flag("register_volumes", slice=int(name)), axes)
        for name in self._session.placed:
            compared = self._session.compared_with(name)
            maps = [_flag("stitch_enface", mosaic=int(mosaic)) for mosaic in compared]
            self._ask("register", _flag("place_slice", slice=int(name)), maps)

    def _stack(self) -> None:
        session = self._session
        mosaics = [int(name) for name in session.reference_mosaics]
        inputs = [_flag("stitch_enface", mosaic=mosaic) for mosaic in mosaics]
        inputs += [_flag("join_volumes", mosaic=mosaic) for mosaic in mosaics]
        inputs += [_flag("register_slice", slice=int(name)) for name in session.stacked_axes]
        inputs += [_flag("place_slice", slice=int(name)) for name in session.placed]
        if inputs:
            self._ask("stitch", _flag("stack_slices"), inputs)

    def _uploads(self) -> None:
        session, batches = self._session, self._session.uploaded_batches
        for mosaic, batch in zip(batches["mosaic"], batches["batch"], strict=True):
            self._upload("batch", "archive_batch", mosaic=int(mosaic), batch=int(batch))
        for name in session.uploaded_mosaics:
            self._upload("mosaic", "stitch_enface", mosaic=int(name))
        for name in session.uploaded_volumes:
            self._upload("volume", "join_volumes", mosaic=int(name))
        for name in session.uploaded_slices:
            volumes = ["register_volumes"] if name in session.volumes_registered else []
            self._upload("slice", "register_slice", *volumes, slice=int(name))
        if begun := [_flag("start_slice", slice=int(name)) for name in session.described]:
            self._ask("upload", _flag("upload_dataset"), begun)

    def _upload(self, level: Level, *rules: str, **unit: int) -> None:
        flags = [_flag(rule, **unit) for rule in rules]
        self._ask("upload", _flag(f"upload_{level}", **unit), flags)

    def _ask(self, lane: Lane, path: str, inputs: list[str]) -> None:
        """Ask for a target if its inputs are there and it is not, or is older than they are."""
        waits = any(name in self._pending or not self.made(name) for name in inputs)
        newest_ns = max(self.made(name) for name in inputs)
        target = self._target(path, str(newest_ns))
        outdated = [] if waits else self._origins.outdated(path, inputs, self.made)
        older = bool(outdated) or self.made(path) < newest_ns
        older = older and not (self.made(path) and self._current(target))
        if not waits and not older:
            return
        self._outdated[path] = outdated
        self._pending.add(path)
        if not waits:
            self.targets[lane].append(target)

    def _target(self, path: str, inputs: str) -> Target:
        """Return a target; what was said of its flag while it was there holds no longer."""
        target = Target(path, inputs)
        retired = not self.made(path) and self._current(target)
        return Target(path, f"{inputs}, set aside") if retired else target


def written_ns(path: Path) -> int:
    """Return when a file was written, ns; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _flag(rule: str, **unit: int) -> str:
    return str(flag(rule, **unit))
