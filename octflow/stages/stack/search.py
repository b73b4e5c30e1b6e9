"""How one slice is turned and shifted against another."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, spline_filter

from octflow.core.correlate import match
from octflow.core.texture import textured
from octflow.stages.stack.motion import Motion, turned
from octflow.stages.stack.place import Place
from octflow.stages.stack.resample import resampled_block

Floats = NDArray[np.floating]
Pair = tuple[float, float]

_COARSE_PX = 512
"""Size of the pictures that are searched; larger ones are reduced by a power of two."""
_SEARCHED_LEVELS = 2
"""Reductions that are tried before nothing is found."""
_ANGLE_STEP = 3.0
"""By how many fine sigmas the corners of the picture move from one tried angle to the next."""
_REFINEMENTS = 8
_ROUNDS = 5
_SETTLED_PX = 0.02
"""Largest movement of a corner at which a refinement has settled."""
_MAX_REFINEMENT_PX = 4.0
"""Largest movement of a corner, per level, that is taken for a refinement of the guess."""
_MAX_CONDITION = 1e3
"""Of the normal equations: beyond, the structure runs along one direction only."""
_MIN_OVERLAP = 0.3
"""Share of the smaller slice that must lie on the other one."""


@dataclass(frozen=True)
class Found:
    """A motion and how well both slices agree then."""

    motion: Motion
    """What lies at p in the first slice lies at motion(p) in the second."""
    correlation: float
    """Of their textures, where both have some."""


def find_motion(
    first: Floats,
    second: Floats,
    *,
    search_px: int,
    band_px: Pair,
    max_rotation_deg: float,
) -> Found | None:
    """Find how a slice is turned and shifted against another.

    Angles are tried on reduced maps, each with the best shift by normalised correlation. The best
    of them is refined by least squares on the difference, from the reduced to the full maps.

    Parameters
    ----------
    first, second : (Y, X) array
        Maps, NaN where there is nothing; sizes may differ.
    search_px : int
        Largest shift of the centre, along x and along y.
    band_px : (2,) floats
        Gaussian sigmas between which structure is compared, in pixels of every reduction.
    max_rotation_deg : float
        Largest angle; 0: translations only.

    Returns
    -------
    found : Found or None
        None where nothing in common is found within the bounds.
    """
    levels = _levels(first, second)
    for start in range(len(levels) - 1, max(len(levels) - 1 - _SEARCHED_LEVELS, -1), -1):
        reach = max(math.ceil(search_px / 2**start), 3)
        guess = _guess(*levels[start], reach, band_px, max_rotation_deg)
        if guess is None:
            continue
        found = _refined_down(levels[: start + 1], guess, band_px, rotate=max_rotation_deg > 0)
        shift, angle = found.motion.shift_px, found.motion.angle_deg
        if max(map(abs, shift)) <= search_px + 1 and abs(angle) <= max_rotation_deg:
            return found
    return None


def refined(first: Floats, second: Floats, guess: Motion, *, rotate: bool) -> Motion:
    """Improve a motion by least squares on the difference of two pictures (Gauss-Newton).

    The peak of a correlation as broad as the structure of tissue moves with the rim of what
    overlaps; the difference of the pictures does not.

    Parameters
    ----------
    first, second : (Y, X) array
        Texture, 0 where there is nothing.
    guess : Motion
        Right to a pixel or so everywhere.
    rotate : bool
        Whether the angle is improved too.

    Returns
    -------
    motion : Motion
        The guess where the texture does not tell, or where the corners would move far.
    """
    motion, spline = guess, spline_filter(second.astype(np.float32), order=3, output=np.float32)
    for _ in range(_REFINEMENTS):
        step = _step(first, _sampled(spline, motion, first.shape), motion.centre_px, rotate=rotate)
        if step is None:
            return refined(first, second, guess, rotate=False) if rotate else guess
        motion = step.then(motion)
        if _largest_difference(step, Motion(), first.shape) < _SETTLED_PX:
            break
    away = _largest_difference(motion, guess, first.shape)
    return motion if away <= _MAX_REFINEMENT_PX else guess


def _levels(first: Floats, second: Floats) -> list[tuple[Floats, Floats]]:
    """Return both maps at one size, and reduced by 2, 4, ... until they are small."""
    count = max(0, math.ceil(math.log2(max(*first.shape, *second.shape) / _COARSE_PX)))
    unit = 2**count
    shape = [-(-max(n, m) // unit) * unit for n, m in zip(first.shape, second.shape, strict=True)]
    pictures = [_padded(picture, shape) for picture in (first, second)]
    levels = [(pictures[0], pictures[1])]
    for _ in range(count):
        pictures = [_halved(picture) for picture in pictures]
        levels.append((pictures[0], pictures[1]))
    return levels


def _padded(picture: Floats, shape: list[int]) -> Floats:
    """Pad at the far sides with NaN: both frames begin at their first pixel."""
    pad = [(0, n - m) for n, m in zip(shape, picture.shape, strict=True)]
    return np.pad(picture.astype(np.float32), pad, constant_values=np.nan)


def _halved(picture: Floats) -> Floats:
    """Average two by two pixels over those with a value."""
    n_y, n_x = picture.shape
    four = picture.reshape(n_y // 2, 2, n_x // 2, 2)
    known = np.isfinite(four).sum(axis=(1, 3))
    total = np.nan_to_num(four).sum(axis=(1, 3))
    return np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0)


def _guess(
    first: Floats, second: Floats, search_px: int, band_px: Pair, max_rotation_deg: float
) -> Motion | None:
    """Try angles, and return the one at which the best shift correlates best."""
    n_y, n_x = first.shape
    centre = ((n_x - 1) / 2, (n_y - 1) / 2)
    best, motion = -2.0, None
    for angle in _angles(first.shape, band_px[0], max_rotation_deg):
        seen = _seen(second, Motion((0.0, 0.0), angle, centre))
        found = match(first, seen, search_px=search_px, band_px=band_px)
        if found is not None and found.correlation > best:
            x, y = turned(np.asarray(found.shift_x_px), np.asarray(found.shift_y_px), angle)
            best, motion = found.correlation, Motion((float(x), float(y)), angle, centre)
    return motion


def _seen(second: Floats, motion: Motion) -> Floats:
    """Return the moved slice on the pixels of the frame."""
    n_y, n_x = second.shape
    whole = (slice(0, 1), slice(0, n_y), slice(0, n_x))
    return resampled_block(second[None], whole, Place(motion))[0]


def _angles(shape: tuple[int, ...], fine_px: float, max_rotation_deg: float) -> list[float]:
    """Return angles from 0 outwards, near enough to each other that none is missed."""
    step = math.degrees(_ANGLE_STEP * fine_px / (math.hypot(*shape) / 2))
    count = math.ceil(max_rotation_deg / step)
    outwards = [max_rotation_deg * i / count for i in range(1, count + 1)]
    return [0.0, *(sign * angle for angle in outwards for sign in (1, -1))]


def _refined_down(
    levels: list[tuple[Floats, Floats]], guess: Motion, band_px: Pair, *, rotate: bool
) -> Found:
    """Refine a motion from the last level to the first."""
    motion = guess
    for level, (first, second) in reversed(list(enumerate(levels))):
        texture = textured(first, band_px)
        motion, moved = _settled(texture, second, motion, band_px, rotate=rotate)
        if level > 0:
            motion = motion.reduced(0.5)
    return Found(motion, _correlation(texture, moved))


def _settled(
    texture: Floats, second: Floats, motion: Motion, band_px: Pair, *, rotate: bool
) -> tuple[Motion, Floats]:
    """Refine a motion; return the texture of the moved slice with it.

    Texture is that of the slice as it was moved last: the stripes that are taken out of it run
    along x and y, and would hold on to the angle at which they were taken out.
    """
    for _ in range(_ROUNDS):
        moved = textured(_seen(second, motion), band_px)
        step = refined(texture, moved, Motion(centre_px=motion.centre_px), rotate=rotate)
        motion = step.then(motion)
        if _largest_difference(step, Motion(), texture.shape) < _SETTLED_PX:
            break
    return motion, moved


def _correlation(first: Floats, moved: Floats) -> float:
    """Return the correlation where both have texture; -1 where that is too little."""
    both = (first != 0) & (moved != 0)
    least = _MIN_OVERLAP * min(np.count_nonzero(first), np.count_nonzero(moved))
    a, b = first[both].astype(float), moved[both].astype(float)
    energy = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return float(np.sum(a * b)) / energy if a.size > least and energy > 0 else -1.0


def _sampled(spline: Floats, motion: Motion, shape: tuple[int, ...]) -> Floats:
    """Return what a slice shows at the pixels of the frame, by cubic splines; 0 beyond it."""
    y, x = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    at_x, at_y = motion.at(x, y)
    offset = np.array([at_y[0], at_x[0]])
    matrix = np.stack([at_y[1:] - at_y[0], at_x[1:] - at_x[0]])
    moved: Floats = affine_transform(
        spline, matrix, offset, output_shape=shape, order=3, mode="constant", prefilter=False
    )
    return moved


def _step(first: Floats, moved: Floats, centre_px: Pair, *, rotate: bool) -> Motion | None:
    """Solve for the small motion of the frame that lessens the difference most."""
    both = (first != 0) & (moved != 0)
    if both.sum() < 3:
        return None
    slopes = [np.gradient(moved, axis=1)[both], np.gradient(moved, axis=0)[both]]
    y, x = np.nonzero(both)
    arm = math.hypot(float(np.std(x)), float(np.std(y))) or 1.0
    if rotate:
        slopes.append(((x - centre_px[0]) * slopes[1] - (y - centre_px[1]) * slopes[0]) / arm)
    design = np.stack(slopes).astype(float)
    normal = design @ design.T
    if np.linalg.cond(normal) > _MAX_CONDITION:
        return None
    solution = np.linalg.solve(normal, design @ (first[both] - moved[both]))
    angle = float(np.degrees(solution[2] / arm)) if rotate else 0.0
    return Motion((float(solution[0]), float(solution[1])), angle, centre_px)


def _largest_difference(one: Motion, other: Motion, shape: tuple[int, ...]) -> float:
    """Return by how much two motions differ at the corners of a picture, in px."""
    y, x = np.array([0, 0, shape[0], shape[0]]), np.array([0, shape[1], 0, shape[1]])
    return float(np.hypot(*np.subtract(one.at(x, y), other.at(x, y))).max())
