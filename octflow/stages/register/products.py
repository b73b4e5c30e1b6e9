"""What stage register writes for a slice."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octflow.core.record import Product
from octflow.io.atomic import replacing
from octflow.io.mat import write_mat
from octflow.io.nifti import write_nifti
from octflow.io.picture import Panel, panel_of, write_picture, write_sheet
from octflow.io.records import product
from octflow.stages.register.angles import (
    azimuth_and_inclination,
    brightness,
    component_rgb,
    hue_rgb,
    polar_angle,
    polar_angle_from_azimuths,
)
from octflow.stages.register.fibres import FibreField, View
from octflow.stages.register.keys import (
    azimuth_key,
    component_key,
    inclination_key,
    key_size_px,
    with_key,
)
from octflow.stages.register.meanings import MAPS, ONE_VIEW, PICTURES, Meaning, units_of
from octflow.stages.register.placing import Placed

Floats = NDArray[np.floating]
Key = Callable[[int], NDArray[np.uint8]]
"""Draws the colour key of a picture in the size given."""


@dataclass(frozen=True)
class Target:
    """Where the products of a slice go."""

    folder: Path
    """Folder."""
    slice_id: int
    """Slice, from 1."""
    voxel_size_mm: tuple[float, float, float]
    """Size (x, y, z) of the pixels of the maps."""

    def path(self, product_name: str) -> Path:
        """Name a product of the slice."""
        return self.folder / f"slice-{self.slice_id:03d}_{product_name}"

    def write_map(self, role: str, array: NDArray, meaning: Meaning | None = None) -> Product:
        """Write a map (Y, X) or vectors (3, Y, X) as NIfTI that tells name and unit."""
        path = self.path(f"{role}.nii.gz")
        write_nifti(
            path,
            array[:, None] if array.ndim == 3 else array,
            voxel_size_mm=self.voxel_size_mm,
            name=role,
            description=str(meaning or MAPS[role]),
        )
        return product(path, role)

    def write_colours(self, role: str, rgb: NDArray[np.uint8], key: Key) -> Product:
        """Write a picture (Y, X, 3) as JPEG, with its colour key beside it."""
        path = self.path(f"{role}.jpg")
        keyed = with_key(rgb, key(key_size_px(rgb.shape)))
        write_picture(path, keyed, comment=PICTURES[role])
        return product(path, f"{role}_jpeg")


@dataclass(frozen=True)
class Angles:
    """Maps (Y, X) of angles in rad, NaN where a field is not valid."""

    azimuth: Floats
    inclination: Floats
    polar: Floats


def angles_of(field: FibreField) -> Angles:
    """Return the angles of the axes of a field."""
    azimuth, inclination = azimuth_and_inclination(field.axis)
    every = (azimuth, inclination, polar_angle(inclination))
    return Angles(*(np.where(field.valid, a, np.nan).astype(np.float32) for a in every))


def write_field(
    target: Target, field: FibreField, views: list[View], window_dn: tuple[float, float]
) -> list[Product]:
    """Write the 3-D axes: NIfTI, .mat and pictures.

    Parameters
    ----------
    target : Target
        Where to.
    field : FibreField
        Axes.
    views : list of View
        What they were solved from, the fixed one first.
    window_dn : (2,) floats
        Birefringence shown black and shown bright.
    """
    angles, value = angles_of(field), brightness(field.birefringence, window_dn)
    weighted = field.axis * np.nan_to_num(field.birefringence)
    return [
        target.write_map("axis3d", field.axis),
        target.write_map("axis3d_weighted", weighted),
        target.write_map("dn", field.birefringence),
        target.write_map("misfit", field.misfit),
        target.write_map("uncertainty", field.uncertainty_deg),
        target.write_map("uncertainty_inclination", field.inclination_uncertainty_deg),
        target.write_map("valid", field.valid.astype(np.uint8)),
        _write_mat(target, views, _solved_variables(field, angles, views)),
        target.write_colours("inplane", hue_rgb(np.rad2deg(angles.azimuth), value), azimuth_key),
        target.write_colours(
            "thruplane", hue_rgb(np.rad2deg(angles.inclination), value), inclination_key
        ),
        target.write_colours("axis3d", component_rgb(field.axis, value), component_key),
    ]


def write_view(target: Target, view: View, window_dn: tuple[float, float]) -> list[Product]:
    """Write what one view alone tells: its azimuth and apparent birefringence."""
    value = brightness(np.where(view.valid, view.birefringence, 0), window_dn)
    return [
        target.write_map("valid", view.valid.astype(np.uint8), ONE_VIEW),
        _write_mat(target, [view], {}),
        target.write_colours("inplane", hue_rgb(view.axis_deg, value), azimuth_key),
    ]


def write_affine(target: Target, fixed: View, placed: list[Placed]) -> Product:
    """Write the affines as JSON."""
    path = target.path("affine.json")
    text = json.dumps(
        {
            "fixed": fixed.name,
            "maps": "fixed pixel (x, y, 1) to moving pixel (x, y), centres of the first ones at 0",
            "moving": [_affine(one) for one in placed],
        },
        indent=1,
    )
    with replacing(path) as part:
        part.write_text(text + "\n")
    return product(path, "affine")


def write_overview(
    path: Path, title: str, views: list[View], placed: list[Placed], field: FibreField | None
) -> None:
    """Draw the sheet: overlays before and after, checkerboard, residual, axes, errors."""
    fixed = views[0]
    azimuth = panel_of("ori", np.where(fixed.valid, fixed.axis_deg, np.nan), "azimuth, fixed")
    panels = [replace(azimuth, turning=-1)]
    if field is None:
        panels += _seen_alone(fixed)
    for one in placed:
        name = one.view.name
        panels += [
            Panel(f"{name}: before", _overlay(fixed.image, one.start.image)),
            Panel(f"{name}: after", _overlay(fixed.image, one.view.image)),
            Panel(f"{name}: checkerboard", _checkerboard(fixed.image, one.view.image)),
            _residual(fixed, one.view),
        ]
    if field is not None:
        angles, value = angles_of(field), brightness(field.birefringence, (0, 1.2e-3))
        panels += [
            panel_of("biref", field.birefringence, "birefringence, true"),
            replace(panel_of("ori", np.rad2deg(angles.inclination), "inclination"), turning=0),
            Panel("axis: x red, y green, z blue", component_rgb(field.axis, value)),
            Panel("misfit of the views", field.misfit, "√Δn", None, "viridis"),
            Panel("uncertainty of the axis", field.uncertainty_deg, "deg", (0, 45), "viridis"),
        ]
    write_sheet(path, panels, title=title, across=5)


def _seen_alone(view: View) -> list[Panel]:
    """Show what there is of a view that no other one can be brought onto."""
    apparent = np.where(view.valid, view.birefringence, np.nan)
    return [
        panel_of("biref", apparent, "birefringence, apparent"),
        Panel("the map that is compared", view.image),
        Panel("tissue", view.valid.astype(float), "", (0, 1)),
    ]


def _write_mat(target: Target, views: list[View], solved: dict[str, NDArray]) -> Product:
    path = target.path("axis3d.mat")
    variables = _seen_variables(views) | solved
    write_mat(path, variables | {"units": np.array(units_of(variables))})
    return product(path, "mat")


def _seen_variables(views: list[View]) -> dict[str, NDArray]:
    """Return dneff and phi of the normal view (n), the tilted one (x), and more (x2, x3, ...)."""
    suffixes = ["n", "x", *(f"x{i}" for i in range(2, len(views)))]
    variables: dict[str, NDArray] = {}
    for suffix, view in zip(suffixes, views, strict=False):
        for name, array in (("dneff", view.birefringence), ("phi", np.deg2rad(view.axis_deg))):
            masked = np.where(view.valid, array, np.nan)
            variables[f"{name}_{suffix}"] = masked.astype(np.float32)
    return variables


def _solved_variables(field: FibreField, angles: Angles, views: list[View]) -> dict[str, NDArray]:
    normal, tilted = views[:2]
    tilt_deg = tilted.tilt_deg - normal.tilt_deg
    psi = polar_angle_from_azimuths(normal.axis_deg, tilted.axis_deg, tilt_deg)
    return {
        "psi": np.where(normal.valid & tilted.valid, psi, np.nan).astype(np.float32),
        "Psi": angles.polar,
        "Theta": angles.azimuth,
        "alpha": angles.inclination,
        "biref": field.birefringence,
    }


def _affine(placed: Placed) -> dict[str, Any]:
    return {
        "illumination": placed.view.name,
        "tilt_deg": placed.view.tilt_deg,
        "matrix": placed.alignment.matrix.tolist(),
        "trusted": placed.trusted,
        "mutual_information_nats": placed.alignment.mutual_information,
        "found": {**vars(placed.shape), "overlap_fraction": placed.overlap_fraction},
    }


def _overlay(fixed: Floats, moving: Floats) -> NDArray[np.uint8]:
    """Show the fixed map in magenta and the moving one in green: agreement is grey."""
    one, other = (_levels(a) for a in (fixed, moving))
    return np.stack([one, other, one], axis=-1)


def _residual(fixed: View, moved: View) -> Panel:
    """Show what is left of the difference, each map in parts of what it spans."""
    both = fixed.valid & moved.valid
    shown = (_levels(a.image).astype(np.float32) / 255 for a in (moved, fixed))
    left = np.where(both, next(shown) - next(shown), np.nan)
    return Panel(f"{moved.name}: difference after", left, "of its range", (-0.5, 0.5), "coolwarm")


def _checkerboard(fixed: Floats, moving: Floats, fields: int = 8) -> NDArray[np.uint8]:
    cell = max(1, max(fixed.shape) // fields)
    y, x = np.indices(fixed.shape)
    picture = np.where((y // cell + x // cell) % 2, _levels(moving), _levels(fixed))
    return np.repeat(picture[..., None], 3, axis=-1)


def _levels(image: Floats) -> NDArray[np.uint8]:
    seen = image[np.isfinite(image)]
    low, high = np.percentile(seen, [1, 99]) if seen.size else (0, 1)
    scaled = (np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-9)
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
