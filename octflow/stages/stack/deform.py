"""How tissue is deformed from one slice to the next, beyond a rigid motion."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from octflow.core.texture import textured
from octflow.stages.stack.displacement import Displacement, bounded
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.place import Place
from octflow.stages.stack.resample import resampled_block

Floats = NDArray[np.floating]
Pair = tuple[float, float]

_SCALES = (4, 4, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1)
"""By how much coarser the structure of a round is than that of the finest band."""
_STIFFNESS_PX2 = 100.0
"""Over the squared node spacing: inverse variance of the second differences of the nodes."""
_RIDGE = 2e-5
"""Times the squared spacing: inverse variance of the displacement; for nodes beyond the tissue."""
_TISSUE_PX = 0.3
"""Movement of the structure around a node that is its own, not one of the tissue."""
_OUTLYING = 3.0
"""Difference, in standard deviations, from where on a pixel counts for little."""
_MIN_PX = 100
"""Pixels of common texture below which nothing is found."""


@dataclass(frozen=True)
class _Evidence:
    """What a picture tells about the displacement of every node: a quadratic form."""

    weight: Floats
    """(Y, X, 2, 2): inverse covariance of the displacement in 1/px^2."""
    pull: Floats
    """(Y, X, 2): weight times the displacement that is still lacking."""


def find_displacement(
    first: Floats,
    second: Floats,
    motion: Motion,
    *,
    spacing_px: int,
    max_px: float,
    band_px: Pair,
) -> Displacement | None:
    """Find the smooth displacement that is left between two slices after a rigid motion.

    Least squares on the difference of their texture, from coarse to fine structure. The slopes
    of both pictures, multiplied crosswise, tell how much a place knows of its displacement: noise
    has no part in that, and along a fibre there is none. Where little is known, the displacement
    is the one that bends least (a thin plate).

    Parameters
    ----------
    first, second : (Y, X) array
        Maps, NaN where there is nothing; sizes may differ.
    motion : Motion
        What lies at p in the first slice lies at motion(p) in the second.
    spacing_px : int
        Distance of the nodes.
    max_px : float
        Longest displacement.
    band_px : (2,) floats
        Gaussian sigmas of the finest structure that is compared.

    Returns
    -------
    displacement : Displacement or None
        What lies at p in the first slice lies at motion(p + displacement(p)) in the second. None
        where the slices do not agree better with it.
    """
    by_px = np.zeros((2, *(-(-n // spacing_px) + 1 for n in first.shape)))
    stiffness = _stiffness((by_px.shape[1], by_px.shape[2]), spacing_px)
    rigid, pair = _field(by_px, spacing_px), (first, second)
    for scale in _SCALES:
        band = (scale * band_px[0], scale * band_px[1])
        textures = _textures(pair, Place(motion, _field(by_px, spacing_px)), band)
        evidence = _evidence(textures, (by_px.shape[1], by_px.shape[2]), spacing_px)
        if evidence is None:
            return None
        by_px = bounded(_settled(by_px, evidence, stiffness), max_px)
    found = _field(by_px, spacing_px)
    before, after = (
        _correlation(_textures(pair, Place(motion, field), band_px)) for field in (rigid, found)
    )
    return found if after > before else None


def _field(by_px: Floats, spacing_px: int) -> Displacement:
    return Displacement(by_px, (0.0, 0.0), float(spacing_px))


@dataclass(frozen=True)
class _Textures:
    """Texture of both slices on the pixels of the first one, every how manieth pixel."""

    first: Floats
    moved: Floats
    step_px: int

    @property
    def both(self) -> NDArray[np.bool_]:
        """Where both have some."""
        return (self.first != 0) & (self.moved != 0)


def _textures(pair: tuple[Floats, Floats], place: Place, band_px: Pair) -> _Textures:
    """Return the texture of the first slice, and of the second one as it lies now."""
    first, second = pair
    (n_y, n_x), step_px = first.shape, max(1, int(band_px[0]))
    moved = resampled_block(second[None], (slice(0, 1), slice(0, n_y), slice(0, n_x)), place)[0]
    return _Textures(textured(first, band_px, step_px), textured(moved, band_px, step_px), step_px)


def _correlation(textures: _Textures) -> float:
    a, b = textures.first[textures.both], textures.moved[textures.both]
    return float(np.corrcoef(a, b)[0, 1])


def _evidence(textures: _Textures, nodes: tuple[int, int], spacing_px: int) -> _Evidence | None:
    """Return what the difference of two pictures tells the nodes; None if they share nothing."""
    first, moved, both = textures.first, textures.moved, textures.both
    if np.count_nonzero(both) < _MIN_PX:
        return None
    difference = np.where(both, first - moved, np.float32(0))
    spread = max(1.4826 * float(np.median(np.abs(difference[both]))), 1e-6)
    share = both.astype(np.float32) / (1 + (difference / np.float32(_OUTLYING * spread)) ** 2) ** 2
    f_y, f_x = np.gradient(first, textures.step_px)
    m_y, m_x = np.gradient(moved, textures.step_px)
    g_y, g_x = (f_y + m_y) / 2, (f_x + m_x) / 2
    hats = [
        _hats(n, count, textures.step_px / spacing_px)
        for n, count in zip(first.shape, nodes, strict=True)
    ]

    def gathered(product: Any) -> Floats:  # noqa: ANN401 - NumPy loses the type of products
        return (hats[0].T @ (share * product) @ hats[1]).astype(float)

    own = _matrices(gathered(g_x**2), gathered(g_x * g_y), gathered(g_y**2))
    shared = _matrices(
        gathered(f_x * m_x), gathered(f_x * m_y + f_y * m_x) / 2, gathered(f_y * m_y)
    )
    pull = np.stack([gathered(g_x * difference), gathered(g_y * difference)], axis=-1)
    # Neighbouring pixels repeat each other: a Gaussian of one pixel leaves one of 4 pi its own.
    scale = 1 / (4 * np.pi * spread**2)
    return _freed_from_noise(scale * own, scale * shared, scale * pull)


def _freed_from_noise(own: Floats, shared: Floats, pull: Floats) -> _Evidence:
    """Return what is known once the slopes that are noise are left out.

    With the slopes of one picture, S, and those that both share, C, the displacement is
    C^-1 pull and its inverse covariance C S^-1 C; none is larger than tissue's own movement allows.
    """
    values, vectors = np.linalg.eigh(shared)
    shared = (vectors * np.maximum(values, 0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    gain = shared @ np.linalg.inv(own + 1e-9 * np.eye(2))
    weight = gain @ shared
    limit = np.linalg.inv(np.eye(2) + _TISSUE_PX**2 * weight)
    weight = limit @ weight
    weight = (weight + np.swapaxes(weight, -1, -2)) / 2
    return _Evidence(weight, (limit @ gain @ pull[..., None])[..., 0])


def _matrices(xx: Floats, xy: Floats, yy: Floats) -> Floats:
    return np.stack([np.stack([xx, xy], axis=-1), np.stack([xy, yy], axis=-1)], axis=-1)


def _hats(count: int, nodes: int, step: float) -> NDArray[np.float32]:
    """Return the share (pixels, nodes) that every node has in a pixel, linear between them."""
    place = np.arange(count)[:, None] * step
    return np.maximum(1 - np.abs(place - np.arange(nodes)), 0).astype(np.float32)


def _settled(by_px: Floats, evidence: _Evidence, stiffness: sparse.csc_array) -> Floats:
    """Return the displacement at which what is known and what bends least balance."""
    weight = evidence.weight.reshape(-1, 2, 2)
    blocks = [[sparse.diags_array(weight[:, i, j]) for j in (0, 1)] for i in (0, 1)]
    known = sparse.block_array(blocks).tocsc()
    pull = np.moveaxis(evidence.pull, -1, 0).ravel() + known @ by_px.ravel()
    settled: Floats = spsolve(known + stiffness, pull).reshape(by_px.shape)
    return settled


def _stiffness(nodes: tuple[int, int], spacing_px: int) -> sparse.csc_array:
    """Return the quadratic form of both components that holds the lattice straight."""
    n_y, n_x = nodes
    every_y, every_x = sparse.eye_array(n_y), sparse.eye_array(n_x)
    bends = [
        sparse.kron(_differences(n_y, (1, -2, 1)), every_x),
        sparse.kron(every_y, _differences(n_x, (1, -2, 1))),
        math.sqrt(2) * sparse.kron(_differences(n_y, (-1, 1)), _differences(n_x, (-1, 1))),
    ]
    form = _RIDGE * spacing_px**2 * sparse.eye_array(n_y * n_x)
    for bend in bends:
        form = form + _STIFFNESS_PX2 / spacing_px**2 * (bend.T @ bend)
    return sparse.csc_array(sparse.block_diag([form, form]))


def _differences(count: int, weights: tuple[int, ...]) -> sparse.csr_array:
    """Return the matrix of differences of neighbouring nodes."""
    fewer = max(count - len(weights) + 1, 0)
    matrix = np.zeros((fewer, count))
    for offset, weight in enumerate(weights):
        matrix[np.arange(fewer), np.arange(fewer) + offset] = weight
    return sparse.csr_array(matrix)
