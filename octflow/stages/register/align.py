"""Find the affine that takes a pixel of the straight view to its pixel in the tilted view."""

# SimpleITK comes without types.
# mypy: allow-untyped-calls

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

from octflow.core.errors import EstimateError
from octflow.core.smooth import gaussian

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]

_MIN_LEVEL_PX = 16
"""No level of the pyramid is smaller than this along an axis."""


@dataclass(frozen=True)
class Alignment:
    """How two maps lie to each other."""

    matrix: NDArray[np.float64]
    """(2, 3): fixed pixel (x, y, 1) to moving pixel (x, y)."""
    mutual_information: float
    """In nats, after registration; larger is better."""
    start_mutual_information: float
    """The same for the guess from the tilt."""


@dataclass(frozen=True)
class Shape:
    """What an affine does to the picture besides moving it."""

    rotation_deg: float
    """Rotation, +x towards +y, from fixed to moving directions."""
    stretch_fraction: float
    """Largest departure of a principal stretch from the foreshortening by the tilt."""
    determinant: float
    """Area of a fixed pixel in the moving view, relative to the foreshortening."""


def foreshortening(tilt_deg: float, fixed_tilt_deg: float = 0.0) -> NDArray[np.float64]:
    """Return the matrix (2, 2) between two views tilted about y: x shrinks by the cosine.

    Examples
    --------
    >>> foreshortening(60).round(3).tolist()
    [[0.5, 0.0], [0.0, 1.0]]
    """
    return np.diag([np.cos(np.deg2rad(tilt_deg)) / np.cos(np.deg2rad(fixed_tilt_deg)), 1.0])


def shape_of(matrix: NDArray, known: NDArray) -> Shape:
    """Split an affine into the known foreshortening, a rotation and what is left (polar form).

    Parameters
    ----------
    matrix : (2, 3) array
        Fixed pixel to moving pixel.
    known : (2, 2) array
        Foreshortening between the views.

    Examples
    --------
    >>> turn = np.array([[0.8, -0.6], [0.6, 0.8]]) @ foreshortening(60)
    >>> shape = shape_of(np.column_stack([turn, [5, 5]]), foreshortening(60))
    >>> round(shape.rotation_deg, 3), round(shape.stretch_fraction, 3), round(shape.determinant, 3)
    (36.87, 0.0, 1.0)
    """
    rest = matrix[:, :2] @ np.linalg.inv(known)
    rotation = np.arctan2(rest[1, 0] - rest[0, 1], rest[0, 0] + rest[1, 1])
    stretch = np.linalg.svd(rest, compute_uv=False)
    return Shape(
        rotation_deg=float(np.rad2deg(rotation)),
        stretch_fraction=float(np.max(np.abs(stretch - 1))),
        determinant=float(np.linalg.det(rest)),
    )


def guess(fixed_valid: Mask, moving_valid: Mask, known: NDArray) -> NDArray[np.float64]:
    """Return the affine of the known tilt that lays the centres of the valid areas on each other.

    Raises
    ------
    EstimateError
        Nothing is valid in one of them.

    Examples
    --------
    >>> known = foreshortening(60)
    >>> guess(np.ones((5, 21), bool), np.ones((5, 15), bool), known).round(3).tolist()
    [[0.5, 0.0, 2.0], [0.0, 1.0, 0.0]]
    """
    if not (fixed_valid.any() and moving_valid.any()):
        raise EstimateError("registration: found a view without any value, expected tissue")
    fixed, moving = (np.argwhere(v).mean(axis=0)[::-1] for v in (fixed_valid, moving_valid))
    return np.column_stack([known, moving - known @ fixed])


def align(
    fixed: Floats,
    moving: Floats,
    start: NDArray[np.float64],
    *,
    smoothing_px: float = 2.0,
    bins: int = 32,
    levels: int = 3,
    iterations: int = 200,
    largest_level_px: int = 2_000_000,
) -> Alignment:
    """Maximise the mutual information of two maps over affines, from coarse to fine.

    Every pixel of a regular lattice takes part (no random sampling) in one thread: same maps, same
    affine. Maps of more than `largest_level_px` are smoothed to a lattice of every second, third,
    ... pixel, which is the finest level.

    Parameters
    ----------
    fixed, moving : (Y, X) array
        Maps; NaN where they hold nothing. Outside it counts as dark, inside it does not count.
    start : (2, 3) array
        Where to begin: fixed pixel to moving pixel.
    smoothing_px : float
        Sigma of the Gaussian applied to both.
    bins : int
        Bins of the joint histogram.
    levels : int
        Pyramid levels.
    iterations : int
        Most steps per level.
    largest_level_px : int
        Most pixels of the finest level.

    Returns
    -------
    alignment : Alignment
        The best affine and the measure of agreement.

    Raises
    ------
    EstimateError
        A map holds nothing, or the maps do not overlap.
    """
    step_px = lattice_step_px(fixed.shape, largest_level_px)
    images = [_prepared(m, smoothing_px, step_px) for m in (fixed, moving)]
    method = _method(_factors(images[0][0].GetSize(), levels), bins, iterations)
    method.SetMetricFixedMask(images[0][1])
    method.SetMetricMovingMask(images[1][1])
    transform = _as_transform(start, centre=(np.array(fixed.shape[::-1]) - 1) / 2)
    method.SetInitialTransform(transform, inPlace=True)
    with _one_thread():
        try:
            before = method.MetricEvaluate(images[0][0], images[1][0])
            method.Execute(images[0][0], images[1][0])
            after = method.MetricEvaluate(images[0][0], images[1][0])
        except RuntimeError as error:
            raise EstimateError(f"registration: {_reason(error)}") from error
    return Alignment(_as_matrix(transform), -float(after), -float(before))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep to one thread: sums of several differ in their last digits from run to run."""
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    # The method's own number of threads does not reach the metric inside it.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def _method(factors: list[int], bins: int, iterations: int) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(bins)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0,
        minStep=1e-3,
        numberOfIterations=iterations,
        relaxationFactor=0.5,
        gradientMagnitudeTolerance=1e-8,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(factors)
    method.SetSmoothingSigmasPerLevel([f / 2 if f > 1 else 0 for f in factors])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    return method


def lattice_step_px(shape: tuple[int, ...], largest_level_px: int) -> int:
    """Return every how manieth pixel is compared, so that no more than so many are.

    Examples
    --------
    >>> lattice_step_px((4000, 9000), 2_000_000)
    5
    """
    return max(1, math.ceil(math.sqrt(math.prod(shape) / largest_level_px)))


def _factors(shape: tuple[int, ...], levels: int) -> list[int]:
    """Return shrink factors, coarse to fine, that keep every level from being too small."""
    coarsest = max(1, min(shape) // _MIN_LEVEL_PX)
    return [min(2**level, coarsest) for level in reversed(range(levels))]


def _prepared(image: Floats, smoothing_px: float, step_px: int) -> tuple[sitk.Image, sitk.Image]:
    """Return the smoothed image on a lattice and the mask of pixels that count.

    Positions stay those of all pixels: the lattice begins at the first one.
    """
    low, high = _dark_and_bright(image, step_px)
    filled = np.clip(np.nan_to_num(image.astype(np.float32, copy=False), nan=low), low, high)
    sigma_px = math.hypot(smoothing_px, step_px / 2 if step_px > 1 else 0)
    smooth = gaussian(filled, sigma_px, step_px) if sigma_px else filled
    valid = np.isfinite(image[::step_px, ::step_px])
    holes = binary_fill_holes(valid) & ~valid
    pictures = sitk.GetImageFromArray(smooth), sitk.GetImageFromArray((~holes).astype(np.uint8))
    for picture in pictures:
        picture.SetSpacing((float(step_px), float(step_px)))
    return pictures


def _dark_and_bright(image: Floats, step_px: int) -> tuple[float, float]:
    """Return the percentiles 1 and 99 of what the map holds."""
    values = image[::step_px, ::step_px]
    values = values[np.isfinite(values)]
    if not values.size:
        raise EstimateError("registration: found a map without any value, expected tissue")
    low, high = np.percentile(values, [1, 99]).tolist()
    return low, high


def _as_transform(matrix: NDArray, centre: NDArray) -> sitk.AffineTransform:
    transform = sitk.AffineTransform(2)
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(matrix[:, :2].ravel().tolist())
    transform.SetTranslation((matrix[:, :2] @ centre + matrix[:, 2] - centre).tolist())
    return transform


def _as_matrix(transform: sitk.AffineTransform) -> NDArray[np.float64]:
    linear = np.array(transform.GetMatrix()).reshape(2, 2)
    return np.column_stack([linear, transform.TransformPoint((0.0, 0.0))])


def _reason(error: RuntimeError) -> str:
    """Keep the last line of the library's message: the others are its own file names."""
    return str(error).strip().splitlines()[-1]
