"""Which records flags were made from: their times do not tell what was replaced while a job ran."""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

_HEAD_BYTES = 256
_ID = re.compile(rb'"record_id": "([^"]+)"')
"""Stands in the beginning of a record: those of batches are long, and not read for it."""


@dataclass
class Origins:
    """The records behind flags; a flag is read again only where it changed.

    Parameters
    ----------
    project : Path
        Project folder.
    """

    project: Path
    _ids: dict[str, tuple[int, str | None]] = field(default_factory=dict, init=False)
    _sources: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict, init=False)

    def outdated(
        self, path: str, outside: Collection[str], made_ns: Callable[[str], int]
    ) -> list[str]:
        """Return the flags, of a target and those behind it, whose inputs were replaced since.

        Parameters
        ----------
        path : str
            Flag of the target, relative to the project folder.
        outside : collection of str
            Flags of other lanes: what is behind them is not looked at.
        made_ns : callable
            Tells when a flag was written, ns; 0 where there is none.
        """
        found, waiting = [], [path]
        looked_at = {*outside, path}
        while waiting:
            name = waiting.pop()
            sources = self._sources_of(name, made_ns(name))
            if any(self._id_of(one, made_ns(one)) not in {None, then} for one, then in sources):
                found.append(name)
            behind = [source for source, _ in sources if source not in looked_at]
            looked_at.update(behind)
            waiting += behind
        return found

    def _sources_of(self, path: str, written_ns: int) -> list[tuple[str, str]]:
        """Return path and id of the records that a job read, as its own record has them."""
        if self._sources.get(path, (-1,))[0] != written_ns:
            self._sources[path] = (written_ns, self._read(path))
        return list(self._sources[path][1].items())

    def _read(self, path: str) -> dict[str, str]:
        try:
            inputs = json.loads((self.project / path).read_bytes())["inputs"]
            return {p["path"]: p["id"] for p in inputs if p["role"] == "record"}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _id_of(self, path: str, written_ns: int) -> str | None:
        """Return the id of a record; None where there is none, which is for Snakemake to make."""
        if self._ids.get(path, (-1,))[0] != written_ns:
            try:
                with (self.project / path).open("rb") as file:
                    found = _ID.search(file.read(_HEAD_BYTES))
            except OSError:
                found = None
            self._ids[path] = (written_ns, found and found[1].decode())
        return self._ids[path][1]
