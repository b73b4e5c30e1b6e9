"""Open a project for services: by the configuration that Snakemake would run with."""

from pathlib import Path
from typing import Any

import yaml

from octflow.core.errors import SettingsError
from octflow.workflow.config import PIPELINE, Config, read_config
from octflow.workflow.session import Session


def config_of(file: Path | None, base: Path = PIPELINE) -> Config:
    """Return the configuration that Snakemake would run with.

    Parameters
    ----------
    file : Path, optional
        What would be given to `snakemake --configfile`; otherwise the configuration of the
        repository alone.
    base : Path
        Folder of the Snakefile, where relative paths start.
    """
    values = read_values(base / "config" / "config.yaml")
    if file is None:
        return read_config(values, base)
    values = merged(values, read_values(file))
    try:
        return read_config(values, base)
    except SettingsError as error:
        raise SettingsError(f"{file}: {error}") from None


def session_of(file: Path | None, base: Path = PIPELINE) -> Session:
    """Return the project of a configuration; nothing is locked and nothing written.

    Parameters
    ----------
    file : Path, optional
        What would be given to `snakemake --configfile`; otherwise the configuration of the
        repository alone.
    base : Path
        Folder of the Snakefile, where relative paths start.
    """
    return Session(config_of(file, base), base)


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another, section by section, as Snakemake does.

    Examples
    --------
    >>> merged({"a": {"x": 1, "y": [1, 2]}}, {"a": {"y": [3]}, "b": 4})
    {'a': {'x': 1, 'y': [3]}, 'b': 4}
    """
    both = dict(below)
    for key, value in above.items():
        known = both.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            both[key] = merged(known, value)
        else:
            both[key] = value
    return both


def read_values(file: Path) -> dict[str, Any]:
    """Read a configuration file, and refuse what has no sections."""
    try:
        values = yaml.safe_load(file.read_bytes()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise SettingsError(f"{file}: found {said}, expected YAML") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{file}: found {type(values).__name__}, expected sections")
    return values
