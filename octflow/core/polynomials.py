"""Polynomials in place of functions of the C library, which are not vectorised.

They also give the same bits on every machine.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.polynomial.polynomial import polyfit
from numpy.typing import NDArray


def interpolating(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], n_terms: int
) -> NDArray[np.float64]:
    """Interpolate a function of -1 .. 1 at its Chebyshev nodes; the highest power comes first.

    Examples
    --------
    >>> interpolating(lambda s: 1 + 2 * s**2, 3).round(12).tolist()
    [2.0, 0.0, 1.0]
    """
    nodes = np.cos(np.pi * (np.arange(n_terms) + 0.5) / n_terms)
    return np.asarray(polyfit(nodes, function(nodes), n_terms - 1)[::-1], np.float64) + 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def polynomial(s: Any, terms: tuple[Any, ...]) -> Any:  # noqa: ANN401 - float or float32
    """Evaluate by Horner's rule, in the precision of the arguments."""
    value = terms[0]
    for i in range(1, len(terms)):
        value = value * s + terms[i]
    return value
