"""Secrets: from the environment, or from a file that nobody else can read."""

import os
from pathlib import Path

from octflow.core.errors import DataError, SettingsError


def read_secret(variable: str | None, file: str | None) -> str | None:
    """Return a secret; it goes into no message, record or file.

    Parameters
    ----------
    variable : str, optional
        Environment variable.
    file : str, optional
        File with nothing else in it; goes before the variable.

    Returns
    -------
    secret : str or None
        None where neither is named.

    Raises
    ------
    DataError
        The file can be read by others, or is empty.
    SettingsError
        The variable is not set.
    """
    if file is not None:
        return _from_file(Path(file))
    if variable is None:
        return None
    if not (secret := os.environ.get(variable)):
        raise SettingsError(f"environment variable {variable}: found nothing, expected a secret")
    return secret


def _from_file(path: Path) -> str:
    if not path.is_file():
        raise DataError(path, found="no file", expected="a secret")
    with path.open() as file:
        # Of the opened file: its name may be given to another meanwhile.
        mode = os.fstat(file.fileno()).st_mode & 0o777
        if mode & 0o077:
            raise DataError(path, found=f"mode {mode:03o}", expected="600: only its owner reads it")
        secret = file.read().strip()
    if not secret:
        raise DataError(path, found="an empty file", expected="a secret")
    return secret
