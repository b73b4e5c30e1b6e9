"""A phantom brain: properties of continuous positions, the same from slice to slice.

Positions x and y are px of the first (normal) view, slices are counted from 1. Fibre axis and
birefringence do not change with depth within one slice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from octflow.core.axial import wrap_axis
from octflow.simulate.fields import Floats, Waves, draw_waves, stream
from octflow.simulate.vessels import Vessels, grow_vessels

_SAMPLE, _VESSELS = 1, 2
AGAR_DB, GREY_DB, WHITE_DB = 48.0, 79.5, 81.5
"""Mean intensity at the surface in dB, before the noise floor is added."""
AGAR_PER_MM, GREY_PER_MM, WHITE_PER_MM = 0.5, 4.0, 9.0
"""Attenuation in 1/mm."""


@dataclass(frozen=True)
class Bundle:
    """A wavy band of parallel fibres, crossing the sample."""

    centre_px: tuple[float, float]
    direction_deg: float
    half_width_px: float
    bend_px: float
    bend_length_px: float
    inclination_deg: float
    dn: float

    def offset_px(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return the distance across the band, and the azimuth of the band in degrees."""
        turn = np.deg2rad(self.direction_deg)
        d_x, d_y = x - self.centre_px[0], y - self.centre_px[1]
        along = d_x * np.cos(turn) + d_y * np.sin(turn)
        across = d_y * np.cos(turn) - d_x * np.sin(turn)
        phase = 2 * np.pi * along / self.bend_length_px
        slope = self.bend_px * 2 * np.pi / self.bend_length_px * np.cos(phase)
        azimuth = self.direction_deg + np.rad2deg(np.arctan(slope))
        return across - self.bend_px * np.sin(phase), azimuth


@dataclass(frozen=True)
class Phantom:
    """The sample: outline, surface, regions, fibres, bundles and vessels."""

    centre_px: tuple[float, float]
    radius_px: tuple[float, float]
    lobe_phase: tuple[float, float]
    surface_depth_px: float
    surface_relief_px: float
    relief: Waves
    white: Waves
    grey_dn: Waves
    azimuth: Waves
    inclination: Waves
    bundles: tuple[Bundle, ...]
    vessels: Vessels


@dataclass(frozen=True)
class Tissue:
    """What the sample is at given positions; all arrays have one shape."""

    tissue: NDArray[np.bool_]
    """Tissue, not agar."""
    surface_px: Floats
    """Depth index of the surface, seen from above."""
    dn: Floats
    """Birefringence; 0 in agar."""
    azimuth_deg: Floats
    """Fibre azimuth from +x towards +y, in (-90, 90]."""
    inclination_deg: Floats
    """Positive where the fibre direction with positive x points deeper."""
    surface_db: Floats
    """Mean intensity at the surface."""
    attenuation_per_mm: Floats
    """Attenuation."""


def build_phantom(
    seed: int,
    *,
    size_px: tuple[int, int],
    margin_px: float,
    surface_px: tuple[float, float],
    n_slices: int,
    slice_thickness_um: float,
    voxel_um: float,
) -> Phantom:
    """Draw a phantom that fills a field of view but for a margin of agar.

    Parameters
    ----------
    seed : int
        Same seed, same phantom.
    size_px : (n_y, n_x)
        Field of the first view.
    margin_px : float
        Agar around the tissue.
    surface_px : (mean, relief) floats
        Depth of the surface and its largest deviation, in depth samples.
    n_slices : int
        Slices, which the vessels cross.
    slice_thickness_um : float
        Thickness of a slice.
    voxel_um : float
        Lateral size of a px, for the vessels.

    Returns
    -------
    phantom : Phantom
        The sample.
    """
    rng = stream(seed, _SAMPLE)
    n_y, n_x = size_px
    extent, centre = float(min(size_px)), ((n_x - 1) / 2, (n_y - 1) / 2)
    radius = (max(n_x / 2 - margin_px, 2), max(n_y / 2 - margin_px, 2))
    box_um = (n_x * voxel_um, n_y * voxel_um, n_slices * slice_thickness_um)
    return Phantom(
        centre_px=centre,
        radius_px=radius,
        lobe_phase=(rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)),
        surface_depth_px=surface_px[0],
        surface_relief_px=surface_px[1],
        relief=draw_waves(rng, extent, cycles=1.2),
        white=draw_waves(rng, extent, cycles=1.5),
        grey_dn=draw_waves(rng, extent, cycles=2),
        azimuth=draw_waves(rng, extent, cycles=1.2),
        inclination=draw_waves(rng, extent, cycles=1.2),
        bundles=_draw_bundles(rng, centre, extent),
        vessels=grow_vessels(stream(seed, _VESSELS), box_um, slice_thickness_um),
    )


def _draw_bundles(
    rng: np.random.Generator, centre: tuple[float, float], extent: float
) -> tuple[Bundle, ...]:
    kinds = ((25.0, 35.0, 1.3e-3), (-60.0, -20.0, 1.0e-3), (85.0, 50.0, 0.8e-3))
    shifts = ((0.0, -0.2), (0.18, 0.12), (-0.25, 0.05))
    return tuple(
        Bundle(
            centre_px=(centre[0] + s_x * extent, centre[1] + s_y * extent),
            direction_deg=direction + rng.uniform(-8, 8),
            half_width_px=0.04 * extent,
            bend_px=rng.uniform(0.02, 0.04) * extent,
            bend_length_px=rng.uniform(0.8, 1.2) * extent,
            inclination_deg=inclination,
            dn=dn,
        )
        for (direction, inclination, dn), (s_x, s_y) in zip(kinds, shifts, strict=True)
    )


def tissue_at(phantom: Phantom, x: Floats, y: Floats, slice_id: int) -> Tissue:
    """Return the properties of the sample.

    Parameters
    ----------
    phantom : Phantom
        The sample.
    x, y : (Y, X) arrays
        Positions in px of the first view.
    slice_id : int
        Slice, from 1.

    Returns
    -------
    tissue : Tissue
        Maps of shape (Y, X).
    """
    inside = _inside(phantom, x, y, slice_id)
    white = expit((phantom.white.at(x, y, slice_id) - 0.1) / 0.12)
    grey_dn = 2e-4 + 1e-4 * phantom.grey_dn.at(x, y, slice_id)
    dn = grey_dn + (4e-4 - grey_dn) * white
    azimuth = 150 * phantom.azimuth.at(x, y, slice_id)
    inclination = 55 * phantom.inclination.at(x, y, slice_id)
    for bundle in phantom.bundles:
        across, direction = bundle.offset_px(x, y)
        share = expit((1 - np.abs(across) / bundle.half_width_px) / 0.1)
        dn = dn + (bundle.dn - dn) * share
        white = np.maximum(white, share)
        azimuth = np.where(share > 0.5, direction, azimuth)
        inclination = np.where(share > 0.5, bundle.inclination_deg, inclination)
    return Tissue(
        tissue=inside,
        surface_px=surface_at(phantom, x, y, slice_id),
        dn=np.where(inside, dn, 0.0),
        azimuth_deg=wrap_axis(azimuth),
        inclination_deg=inclination,
        surface_db=np.where(inside, GREY_DB + (WHITE_DB - GREY_DB) * white, AGAR_DB),
        attenuation_per_mm=np.where(
            inside, GREY_PER_MM + (WHITE_PER_MM - GREY_PER_MM) * white, AGAR_PER_MM
        ),
    )


def surface_at(phantom: Phantom, x: Floats, y: Floats, slice_id: int) -> Floats:
    """Return the depth index of the surface, of tissue and agar alike, seen from above."""
    relief = phantom.relief.at(x, y, slice_id)
    return phantom.surface_depth_px + phantom.surface_relief_px * relief


def _inside(phantom: Phantom, x: Floats, y: Floats, slice_id: int) -> NDArray[np.bool_]:
    """Say what lies within the outline: an ellipse with lobes that turn from slice to slice."""
    d_x = (x - phantom.centre_px[0]) / phantom.radius_px[0]
    d_y = (y - phantom.centre_px[1]) / phantom.radius_px[1]
    angle = np.arctan2(d_y, d_x)
    two, three = phantom.lobe_phase
    edge = (
        0.9
        + 0.06 * np.sin(2 * angle + two + 0.2 * slice_id)
        + 0.04 * np.sin(3 * angle + three - 0.15 * slice_id)
    )
    return np.asarray(np.hypot(d_x, d_y) < edge)
