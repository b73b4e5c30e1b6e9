"""The validator of BIDS over a folder, by the package of it that DANDI's client brings."""

import os
import sys
from pathlib import Path

from octflow.core.errors import SettingsError

MOST = 10
"""Findings that are told; the number of the others is."""


def bids_findings(folder: Path) -> list[str]:
    """Return what is wrong with a dataset, one line each; it needs no network.

    What is only recommended is no finding.

    Parameters
    ----------
    folder : Path
        A dataset; its files may be links.

    Raises
    ------
    SettingsError
        The validator is not installed.
    """
    try:
        from dandi.bids_validator_deno import bids_validate
        from dandi.validate import Severity
    except ImportError:
        raise SettingsError(
            "upload.validate: found no validator of BIDS, expected octflow[dandi], or false"
        ) from None
    _find_beside_python()
    results = [r for r in bids_validate(folder) if r.severity and r.severity >= Severity.ERROR]
    return [f"{_place(r.path, folder)}: {r.id}: {_first_line(r.message)}" for r in results]


def told(findings: list[str]) -> str:
    """Join findings, of which there may be one for every file.

    Examples
    --------
    >>> told(["a: NO_NAME"] * 12).endswith("a: NO_NAME; and 2 more")
    True
    """
    more = [f"and {len(findings) - MOST} more"] if len(findings) > MOST else []
    return "; ".join([*findings[:MOST], *more])


def _find_beside_python() -> None:
    """Let the validator be found, which is a command, in an environment that is not activated."""
    here = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    if here not in folders:
        os.environ["PATH"] = os.pathsep.join([here, *folders])


def _place(path: Path | None, folder: Path) -> str:
    if path is None or not path.is_relative_to(folder):
        return str(path or folder)
    return str(path.relative_to(folder))


def _first_line(message: str | None) -> str:
    return (message or "").split("\n", 1)[0].strip()
