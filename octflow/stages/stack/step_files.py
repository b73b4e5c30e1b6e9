"""Steps from slice to slice as files."""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from octflow.core.errors import DataError
from octflow.core.record import Product
from octflow.io.atomic import replacing
from octflow.io.records import checked, product
from octflow.stages.stack.displacement import Displacement
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.place import Place
from octflow.stages.stack.steps import Step


def write_step(path: Path, step: Step) -> Product:
    """Write how a slice lies against one before, as JSON."""
    with replacing(path) as part:
        part.write_text(json.dumps(plain_step(step), indent=1) + "\n")
    return product(path, "step")


def read_steps(steps: Iterable[Product]) -> list[Step]:
    """Read the steps of slices.

    Raises
    ------
    DataError
        A file is gone, damaged or none of a step.
    """
    return [_read(checked(one)) for one in steps]


def plain_step(step: Step) -> dict[str, Any]:
    """Return a step as plain values."""
    return asdict(replace(step, displacement=None)) | {
        "displacement": plain_displacement(step.displacement)
    }


def plain_place(place: Place) -> dict[str, Any]:
    """Return a place as plain values: what there is of it besides the motion, too."""
    plain = {**asdict(place.motion), "offset_db": place.offset_db}
    if place.displacement is not None:
        plain["displacement"] = plain_displacement(place.displacement)
    return plain


def plain_displacement(bent: Displacement | None) -> dict[str, Any] | None:
    """Return a displacement as plain values, to a ten-thousandth of a pixel."""
    if bent is None:
        return None
    nodes = np.round(bent.by_px, 4).tolist()
    return {"first_px": bent.first_px, "spacing_px": bent.spacing_px, "by_px": nodes}


def _read(path: Path) -> Step:
    try:
        plain = json.loads(path.read_bytes())
        known: dict[str, Any] = {"motion": _motion(**plain["motion"])}
        if plain["displacement"] is not None:
            known["displacement"] = _displacement(**plain["displacement"])
        return Step(**plain | known)
    except (ValueError, KeyError, TypeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise DataError(path, found=found, expected="a step from slice to slice") from error


def _displacement(
    first_px: list[float], spacing_px: float, by_px: list[list[list[float]]]
) -> Displacement:
    return Displacement(np.array(by_px, float), (first_px[0], first_px[1]), spacing_px)


def _motion(shift_px: list[float], angle_deg: float, centre_px: list[float]) -> Motion:
    return Motion((shift_px[0], shift_px[1]), angle_deg, (centre_px[0], centre_px[1]))
