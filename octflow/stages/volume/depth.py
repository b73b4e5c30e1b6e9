"""Which depth of each A-line becomes the top of the fused volume."""

import numpy as np
from numpy.typing import NDArray

from octflow.core.mosaic import Floats

_SHALLOWEST_PERCENT = 2
"""Share of the surface that may lie above the shallowest depth: bad estimates."""


def shallowest_px(surfaces_px: Floats) -> float:
    """Return the depth of the shallowest tissue surface, bad estimates aside.

    Parameters
    ----------
    surfaces_px : (N,) array
        Surfaces over tissue, focus pattern subtracted; NaN is ignored.

    Returns
    -------
    base_px : float
        A whole number of depth samples, 0 where there is no tissue.
    """
    finite = surfaces_px[np.isfinite(surfaces_px)]
    if finite.size == 0:
        return 0.0
    return float(np.floor(np.percentile(finite, _SHALLOWEST_PERCENT)))


def top_px(pattern_px: Floats, *, base_px: float, offset_px: float) -> NDArray[np.float32]:
    """Return the depth index of every A-line that becomes depth 0 of the fused volume.

    z_out = z - F - base + offset: a flat tissue surface, which a tile shows at depth base + F,
    comes to lie at `offset_px`.

    Parameters
    ----------
    pattern_px : (Y, X) array
        Focus pattern F.
    base_px : float
        Depth of the shallowest surface once F is subtracted, the same for all tiles.
    offset_px : float
        Depth samples kept above it.

    Examples
    --------
    >>> top_px(np.array([[0.0, 2.5]]), base_px=100, offset_px=30).tolist()
    [[70.0, 72.5]]
    """
    return (np.asarray(pattern_px) + (base_px - offset_px)).astype(np.float32)
