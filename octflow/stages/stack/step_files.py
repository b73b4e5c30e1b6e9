"""Steps from slice to slice as files."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from octflow.core.errors import DataError
from octflow.core.record import Product
from octflow.io.atomic import replacing
from octflow.io.records import checked, product
from octflow.stages.stack.motion import Motion
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
    return asdict(step)


def _read(path: Path) -> Step:
    try:
        plain = json.loads(path.read_bytes())
        return Step(**{**plain, "motion": _motion(**plain["motion"])})
    except (ValueError, KeyError, TypeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise DataError(path, found=found, expected="a step from slice to slice") from error


def _motion(shift_px: list[float], angle_deg: float, centre_px: list[float]) -> Motion:
    return Motion((shift_px[0], shift_px[1]), angle_deg, (centre_px[0], centre_px[1]))
