"""The microscope of a configuration: presets and calibration tables are read before any job."""

import re
from pathlib import Path
from typing import Any

import yaml

from octflow.core.errors import SettingsError
from octflow.core.instrument import Instrument
from octflow.io.instrument import read_calibration

_FILES = ("dispersion_file", "calibration_file")
_FILLED_IN = {"dispersion_id", "calibration_residual_nm"}


def with_preset(said: dict[str, Any], base: Path) -> dict[str, Any]:
    """Fill in what the preset of an instrument says and the configuration does not.

    Parameters
    ----------
    said : dict
        Section `instrument` of the configuration; its `preset` is the name of a file in
        config/instruments, or a path.
    base : Path
        Where relative paths of the configuration start.

    Raises
    ------
    SettingsError
        There is no such preset, or it is none.
    """
    if not (name := said.get("preset")):
        return said
    known = base / "config" / "instruments"
    path = known / f"{name}.yaml" if re.fullmatch(r"[\w-]+", str(name)) else base / str(name)
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in known.glob("*.yaml")))
        raise SettingsError(
            f"instrument.preset {name}: found no file {path}, "
            f"expected a path or one of {there or 'no presets'}"
        )
    held = dict(_section(path))
    for key in _FILES:
        if held.get(key):
            held[key] = str(path.parent / held[key])
    return {**held, **said, "preset": str(path)}


def _section(path: Path) -> dict[str, Any]:
    """Read a preset: one section, `instrument`."""
    expected = "one section, instrument, without a preset of its own"
    try:
        plain = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"{path}: found {reason}, expected {expected}") from error
    section = plain.get("instrument") if isinstance(plain, dict) else None
    if not isinstance(section, dict) or set(plain) != {"instrument"} or section.get("preset"):
        found = ", ".join(map(str, plain)) if isinstance(plain, dict) else repr(plain)
        raise SettingsError(f"{path}: found {found}, expected {expected}")
    return section


def calibrated(instrument: Instrument, base: Path) -> Instrument:
    """Fit the wavelength maps to the calibration table, where there is one.

    Raises
    ------
    DataError
        The table cannot be used.
    """
    if instrument.calibration_file is None:
        return instrument
    path = base / instrument.calibration_file
    found = read_calibration(path, max_residual_nm=instrument.max_calibration_residual_nm)
    update = {"cameras": found.cameras, "calibration_residual_nm": found.residual_nm}
    return instrument.model_copy(update=update)


def preset_yaml(instrument: Instrument, **files: str | None) -> str:
    """Write an instrument as a preset, as `with_preset` reads it.

    Parameters
    ----------
    instrument : Instrument
        Its files are replaced.
    files : str or None
        dispersion_file and calibration_file, as seen from the folder of the preset.
    """
    plain = {**instrument.plain(), **files}
    del plain["preset"]
    if plain["calibration_file"]:
        del plain["cameras"]
    kept = {k: v for k, v in plain.items() if v is not None and k not in _FILLED_IN}
    return yaml.safe_dump({"instrument": kept}, sort_keys=False)
